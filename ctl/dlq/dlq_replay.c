/*
 * logmill-ctl dlq replay: puts letters back into the topics they came from: value, key and all headers, the
 * dlq.* ones too, by which the consumer knows what stood where and drops what it has stored before.
 *
 * A window of letters is with the producer at a time; when the brokers have acknowledged it, it is noted
 * (dlq_marks.c) and the next one read. So a letter is noted only when it is safe, and whatever stops the
 * command in between, the same command goes on where it was.
 */
#include "common/clock.h"
#include "common/kafka/kafka_producer.h"
#include "ctl/dlq/dlq.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define WINDOW 10000
#define WINDOW_BYTES ((size_t)64 << 20)
#define MESSAGE_MAX 1000000000 /* librdkafka's own limit; the broker decides */
#define WAKE_MS 200
#define STOP_MS 10000
#define COMPLAINTS_MAX 10

/* A signal handler reaches nothing else. How many came. */
static volatile sig_atomic_t interrupted;

struct slot {
    struct replay *replay;
    int64_t offset;
    bool acknowledged;
};

struct replay {
    const struct ct_context *context;
    const struct ct_dlq_filter *filter;
    struct ct_dlq_scan *scan;
    struct ct_dlq_marks *marks;
    uv_loop_t loop;
    uv_timer_t timer; /* wakes the loop: a signal may have come */
    struct lm_kafka_producer *producer;
    bool closed;

    const struct ct_dlq_part *part; /* the letters in the window are from */
    struct slot *slots;
    size_t slot_count, pending;

    struct ct_dlq_counts counts; /* of a dry run */
    int64_t put_back, skipped, refused;
    bool failed;
    int64_t started_us, told_us;
};

static void on_signal(int number)
{
    (void)number;
    interrupted++;
}

static int complain(struct replay *replay, const char *text)
{
    fprintf(replay->context->errors, "logmill-ctl dlq replay: %s\n", text);
    replay->failed = true;
    return -1;
}

/* ---- the producer ---- */

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct slot *slot = opaque;
    struct replay *replay = context;

    replay->pending--;
    if (error == NULL) {
        slot->acknowledged = true;
        replay->put_back++;
    } else if (error->decision == LM_DEAD_LETTER) {
        if (replay->refused++ < COMPLAINTS_MAX)
            fprintf(replay->context->errors, "logmill-ctl dlq replay: %s/%d@%" PRId64 " stays: %s\n",
                    replay->part->topic, (int)replay->part->partition, slot->offset, error->text);
    }
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void on_closed(void *context)
{
    struct replay *replay = context;
    replay->closed = true;
}

static int open_producer(struct replay *replay)
{
    struct lm_error error;
    struct lm_kafka_producer_options options = {.loop = &replay->loop,
                                                .brokers = replay->context->config->brokers,
                                                .properties = &replay->context->config->kafka,
                                                .max_messages = WINDOW,
                                                .max_bytes = WINDOW_BYTES,
                                                .max_message_bytes = MESSAGE_MAX,
                                                .delivered = on_delivered,
                                                .context = replay};
    if (lm_kafka_producer_open(&options, &replay->producer, &error) != 0)
        return complain(replay, error.text);
    return 0;
}

static void tell_progress(struct replay *replay)
{
    const struct ct_dlq_part *part;
    int64_t now_us = lm_clock_mono_us(), left;

    if (now_us - replay->told_us < LM_SECOND_US)
        return;
    part = ct_dlq_scan_at(replay->scan, &left);
    double seconds = (double)(now_us - replay->started_us) / 1e6;
    replay->told_us = now_us;
    fprintf(replay->context->errors,
            "%s: %" PRId64 " put back, %" PRId64 " skipped, %.0f/s, at most %" PRId64 " left to look at\n",
            part != NULL ? part->topic : "end", replay->put_back, replay->skipped,
            (double)replay->put_back / seconds, left);
}

/* Waits until no more than `pending_most` letters are under way, or a signal has come and its time is over.
 */
static void wait_for_brokers(struct replay *replay, size_t pending_most)
{
    int64_t until_us = INT64_MAX;

    while (replay->pending > pending_most && lm_clock_mono_us() < until_us) {
        (void)uv_run(&replay->loop, UV_RUN_ONCE);
        tell_progress(replay);
        if (interrupted > 1)
            return;
        if (interrupted == 1 && until_us == INT64_MAX)
            until_us = lm_clock_mono_us() + STOP_MS * INT64_C(1000);
    }
}

/* The window is with the brokers: noted, and empty. */
static int settle(struct replay *replay)
{
    struct lm_error error;
    size_t count = 0;
    int outcome = 0;
    int64_t *offsets;

    wait_for_brokers(replay, 0);
    offsets = calloc(replay->slot_count + 1, sizeof(*offsets));
    if (offsets == NULL)
        return complain(replay, "out of memory");
    for (size_t i = 0; i < replay->slot_count; i++) {
        if (replay->slots[i].acknowledged)
            offsets[count++] = replay->slots[i].offset;
    }
    if (count > 0 && ct_dlq_marks_add(replay->marks, replay->part, offsets, count, &error) != 0) {
        fprintf(replay->context->errors,
                "logmill-ctl dlq replay: %zu letters of %s/%d from offset %" PRId64
                " on are put back but could not be noted: %s. Putting them back again does no harm: the "
                "consumer drops repeats.\n",
                count, replay->part->topic, (int)replay->part->partition, offsets[0], error.text);
        replay->failed = true;
        outcome = -1;
    }
    free(offsets);
    if (replay->pending == 0)
        replay->slot_count = 0;
    return outcome;
}

static int send_letter(struct replay *replay, const struct ct_letter *letter)
{
    const rd_kafka_message_t *message = letter->message;
    rd_kafka_headers_t *headers = NULL;
    char topic[255];
    struct lm_error error;
    struct slot *slot = &replay->slots[replay->slot_count];
    int outcome;

    (void)snprintf(topic, sizeof(topic), "%.*s", (int)(strlen(letter->topic) - strlen(".dlq")),
                   letter->topic);
    (void)rd_kafka_message_headers(message, &headers);
    *slot = (struct slot){.replay = replay, .offset = letter->offset};
    /* The time is now: with the record's own, retention might delete it before it is read. The consumer takes
     * that from dlq.timestamp. */
    const struct lm_kafka_message out = {.topic = topic,
                                         .partition = RD_KAFKA_PARTITION_UA,
                                         .key = message->key,
                                         .key_len = message->key_len,
                                         .value = message->payload,
                                         .value_len = message->len,
                                         .headers = headers,
                                         .opaque = slot};
    while ((outcome = lm_kafka_producer_send(replay->producer, &out, &error)) == 1 && interrupted == 0)
        wait_for_brokers(replay, replay->pending > 0 ? replay->pending - 1 : 0);
    if (outcome == 0) {
        replay->slot_count++;
        replay->pending++;
    } else if (outcome < 0) {
        replay->pending++;
        on_delivered(slot, &error, replay);
    }
    (void)uv_run(&replay->loop, UV_RUN_NOWAIT);
    return 0;
}

/* ---- the letters ---- */

static int enter(struct replay *replay, const struct ct_dlq_part *part)
{
    struct lm_error error;

    if (replay->slot_count > 0 && settle(replay) != 0)
        return -1;
    replay->part = part;
    if (ct_dlq_marks_begin(replay->marks, part, &error) != 0)
        return complain(replay, error.text);
    return 0;
}

static int take(struct replay *replay, const struct ct_letter *letter)
{
    const struct ct_config *config = replay->context->config;
    int64_t left;
    const struct ct_dlq_part *part = ct_dlq_scan_at(replay->scan, &left);

    if (part != replay->part && enter(replay, part) != 0)
        return -1;
    if (!config->again && ct_dlq_marks_has(replay->marks, letter)) {
        replay->skipped++;
        return 0;
    }
    if (config->dry_run) {
        replay->put_back++;
        return ct_dlq_counts_add(&replay->counts, letter) == 0 ? 0 : complain(replay, "out of memory");
    }
    if (replay->slot_count == WINDOW && settle(replay) != 0)
        return -1;
    return send_letter(replay, letter);
}

static bool limit_reached(const struct replay *replay)
{
    int64_t limit = replay->context->config->limit;
    return limit > 0 && replay->put_back + (int64_t)replay->pending + replay->refused >= limit;
}

static void each_letter(struct replay *replay)
{
    struct ct_letter letter;
    int outcome = 0;

    while (interrupted == 0 && !limit_reached(replay) &&
           (outcome = ct_dlq_scan_next(replay->scan, &letter)) == 1) {
        if (take(replay, &letter) != 0)
            break;
        tell_progress(replay);
    }
    replay->failed = replay->failed || outcome < 0;
    if (replay->slot_count > 0)
        (void)settle(replay);
}

static void report(struct replay *replay)
{
    const struct ct_context *context = replay->context;
    int64_t left;
    const struct ct_dlq_part *part = ct_dlq_scan_at(replay->scan, &left);

    ct_dlq_counts_print(&replay->counts, false, context->out);
    fprintf(context->out,
            context->config->dry_run ? "%" PRId64 " letters would be put back"
                                     : "%" PRId64 " letters put back",
            replay->put_back);
    if (replay->skipped > 0)
        fprintf(context->out, ", %" PRId64 " were put back before (--again puts them back once more)",
                replay->skipped);
    if (replay->refused > 0)
        fprintf(context->out, ", %" PRId64 " refused by Kafka", replay->refused);
    fputc('\n', context->out);
    if (interrupted == 0)
        return;
    if (replay->pending > 0)
        fprintf(context->errors,
                "logmill-ctl dlq replay: %zu letters were sent and not acknowledged: they may be there.\n",
                replay->pending);
    if (part != NULL)
        fprintf(context->errors,
                "logmill-ctl dlq replay: interrupted in %s/%d, about %" PRId64
                " letters not looked at. The same command goes on%s.\n",
                part->topic, (int)part->partition, left,
                context->config->again ? " without --again: it skips what is put back"
                                       : ": it skips what is put back");
}

static void close_timer(uv_handle_t *handle)
{
    (void)handle;
}

static void close_all(struct replay *replay)
{
    if (replay->producer != NULL) {
        lm_kafka_producer_close(replay->producer, 0, on_closed, replay);
        while (!replay->closed)
            (void)uv_run(&replay->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&replay->timer, close_timer);
    (void)uv_run(&replay->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&replay->loop);
}

static int open_all(struct replay *replay)
{
    const struct ct_context *context = replay->context;
    struct lm_error error;

    replay->slots = calloc(WINDOW, sizeof(*replay->slots));
    if (replay->slots == NULL)
        return complain(replay, "out of memory");
    replay->marks = ct_dlq_marks_open(context, &error);
    if (replay->marks == NULL)
        return complain(replay, error.text);
    replay->scan = ct_dlq_scan_open(context, replay->filter, "replay", &interrupted);
    if (replay->scan == NULL)
        return -1;
    return context->config->dry_run ? 0 : open_producer(replay);
}

enum ct_exit ct_dlq_replay(const struct ct_context *context, const struct ct_dlq_filter *filter)
{
    struct replay replay = {.context = context, .filter = filter, .started_us = lm_clock_mono_us()};
    struct sigaction action = {.sa_handler = on_signal}, old_interrupt, old_terminate;
    enum ct_exit code = CT_FAILED;

    if (uv_loop_init(&replay.loop) != 0)
        return CT_FAILED;
    interrupted = 0;
    (void)sigaction(SIGINT, &action, &old_interrupt);
    (void)sigaction(SIGTERM, &action, &old_terminate);
    (void)uv_timer_init(&replay.loop, &replay.timer);
    (void)uv_timer_start(&replay.timer, on_timer, WAKE_MS, WAKE_MS);
    replay.told_us = replay.started_us;
    ct_dlq_counts_init(&replay.counts);
    if (open_all(&replay) == 0) {
        each_letter(&replay);
        report(&replay);
        if (!replay.failed && replay.refused == 0 && interrupted == 0)
            code = CT_DONE;
    }
    close_all(&replay);
    ct_dlq_counts_free(&replay.counts);
    ct_dlq_scan_close(replay.scan);
    ct_dlq_marks_close(replay.marks);
    free(replay.slots);
    (void)sigaction(SIGINT, &old_interrupt, NULL);
    (void)sigaction(SIGTERM, &old_terminate, NULL);
    return code;
}
