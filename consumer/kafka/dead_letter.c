#include "consumer/kafka/dead_letter.h"

#include "common/clock.h"
#include "common/kafka/kafka_producer.h"
#include "common/log.h"
#include "consumer/batch/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC_MAX 249 /* Kafka's own limit */
#define RESEND_MS 2000
#define SILENT_US (3 * LM_SECOND_US)
/* Original headers kept of a letter whose headers made it too large. */
#define TRUNCATED_HEADERS_MAX 4096
/* Those of a truncated set, and what we add, which is less. */
#define OWN_HEADERS_MAX (2 * TRUNCATED_HEADERS_MAX)

struct letter {
    struct co_letters *letters;
    struct co_batch *batch;
    rd_kafka_message_t *message;
    struct lm_error why;
    unsigned attempts;
    bool truncate;       /* its headers */
    bool refused;        /* by the broker: waits for the timer */
    struct letter *next; /* in `waiting` */
};

struct co_letters {
    struct co_letters_options options;
    struct lm_kafka_producer *producer;
    struct letter *waiting, **waiting_tail; /* not with the producer */
    size_t count;                           /* letters not confirmed yet */
    size_t refused_count;
    bool silent; /* said so */
    uv_timer_t timer;
    struct lm_log_limit limit;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

static void drop(struct letter *letter)
{
    letter->letters->count--;
    rd_kafka_message_destroy(letter->message);
    free(letter);
}

static void wait_in_line(struct letter *letter)
{
    struct co_letters *letters = letter->letters;
    letter->next = NULL;
    *letters->waiting_tail = letter;
    letters->waiting_tail = &letter->next;
}

static int add_text(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    return rd_kafka_header_add(headers, name, -1, value, -1) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : -1;
}

static int add_number(rd_kafka_headers_t *headers, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    return add_text(headers, name, text);
}

static const char *const position_headers[] = {"dlq.topic", "dlq.partition", "dlq.offset", "dlq.timestamp"};
#define POSITION_COUNT (sizeof(position_headers) / sizeof(position_headers[0]))

static bool is_position(const char *name)
{
    for (size_t i = 0; i < POSITION_COUNT; i++) {
        if (strcmp(name, position_headers[i]) == 0)
            return true;
    }
    return false;
}

/* The originals, all of them or as many as fit into a few KiB, and what says where a record put back first
 * stood. NULL without memory. */
static rd_kafka_headers_t *original_headers(const struct letter *letter)
{
    rd_kafka_headers_t *theirs, *copy;
    const char *name;
    const void *value;
    size_t size, position_bytes = 0, other_bytes = 0;

    if (rd_kafka_message_headers(letter->message, &theirs) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return rd_kafka_headers_new(10);
    if (!letter->truncate)
        return rd_kafka_headers_copy(theirs);
    copy = rd_kafka_headers_new(16);
    for (size_t i = 0; copy != NULL && rd_kafka_header_get_all(theirs, i, &name, &value, &size) == 0; i++) {
        size_t *kept = is_position(name) ? &position_bytes : &other_bytes;
        *kept += strlen(name) + size;
        if (*kept <= TRUNCATED_HEADERS_MAX)
            (void)rd_kafka_header_add(copy, name, -1, value, (ssize_t)size);
    }
    return copy;
}

/* Where it stood, unless it came back from a dead-letter topic and says so already. Headers that only look so
 * are not kept: put back with them the record would be taken for one of its producer's repeats. */
static int add_position(rd_kafka_headers_t *headers, const rd_kafka_message_t *message)
{
    struct co_replay replay;
    rd_kafka_timestamp_type_t type;

    if (co_replay_read(message, &replay))
        return 0;
    for (size_t i = 0; i < POSITION_COUNT; i++)
        (void)rd_kafka_header_remove(headers, position_headers[i]);
    if (add_text(headers, "dlq.topic", rd_kafka_topic_name(message->rkt)) != 0 ||
        add_number(headers, "dlq.partition", message->partition) != 0 ||
        add_number(headers, "dlq.offset", message->offset) != 0 ||
        add_number(headers, "dlq.timestamp", rd_kafka_message_timestamp(message, &type)) != 0)
        return -1;
    return 0;
}

static int add_reason(rd_kafka_headers_t *headers, const struct letter *letter)
{
    static const char *const mine[] = {"dlq.error.class", "dlq.error.message", "dlq.sqlstate", "dlq.attempts",
                                       "dlq.consumer"};

    for (size_t i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
        (void)rd_kafka_header_remove(headers, mine[i]);
    if (add_text(headers, "dlq.error.class", letter->why.kind) != 0 ||
        add_text(headers, "dlq.error.message", letter->why.text) != 0 ||
        add_text(headers, "dlq.sqlstate", letter->why.sqlstate) != 0 ||
        add_number(headers, "dlq.attempts", co_replay_attempts(letter->message) + letter->attempts) != 0 ||
        add_text(headers, "dlq.consumer", letter->letters->options.consumer) != 0 ||
        (letter->truncate && add_text(headers, "dlq.headers", "truncated") != 0))
        return -1;
    return 0;
}

/* 0: with the producer. 1: not now. -1: refused for good, *error says why. */
static int try_to_send(struct letter *letter, struct lm_error *error)
{
    const rd_kafka_message_t *message = letter->message;
    char topic[TOPIC_MAX + 5];
    rd_kafka_headers_t *headers = original_headers(letter);
    int outcome;

    if (headers == NULL || add_position(headers, message) != 0 || add_reason(headers, letter) != 0) {
        if (headers != NULL)
            rd_kafka_headers_destroy(headers);
        return 1;
    }
    (void)snprintf(topic, sizeof(topic), "%s.dlq", rd_kafka_topic_name(message->rkt));
    struct lm_kafka_message out = {.topic = topic,
                                   .partition = RD_KAFKA_PARTITION_UA,
                                   .key = message->key,
                                   .key_len = message->key_len,
                                   .value = message->payload,
                                   .value_len = message->len,
                                   .headers = headers,
                                   .opaque = letter};
    outcome = lm_kafka_producer_send(letter->letters->producer, &out, error);
    rd_kafka_headers_destroy(headers);
    return outcome;
}

static void on_timer(uv_timer_t *timer);

static const char *what_to_do(const struct letter *letter, const struct lm_error *error)
{
    if (strcmp(error->kind, "unknown_topic") == 0)
        return "Make the topic (logmill-ctl topics create)";
    if (strcmp(error->kind, "too_large") != 0)
        return "Mend what it says";
    return letter->message->len + letter->message->key_len + OWN_HEADERS_MAX >
                   letter->letters->options.max_bytes
               ? "Raise dlq_max_bytes and start the consumer again"
               : "Raise the topic's max.message.bytes";
}

/* The dead-letter topic will not have it as it is: with fewer headers, or later, when somebody has mended the
 * topic. */
static void refused(struct letter *letter, const struct lm_error *error)
{
    struct co_letters *letters = letter->letters;
    char reason[768];

    if (!letter->truncate && strcmp(error->kind, "too_large") == 0) {
        letter->truncate = true;
        wait_in_line(letter);
    } else {
        letter->refused = true;
        letters->refused_count++;
        wait_in_line(letter);
        (void)snprintf(reason, sizeof(reason),
                       "topic %s.dlq refuses a dead letter (%s/%d offset %lld): %s. %s; nothing of this "
                       "partition moves on before",
                       rd_kafka_topic_name(letter->message->rkt), rd_kafka_topic_name(letter->message->rkt),
                       (int)letter->message->partition, (long long)letter->message->offset, error->text,
                       what_to_do(letter, error));
        lm_log_limited(&letters->limit, LM_LOG_AGAIN_MS, LM_LOG_ERROR, "dead_letter", "%s", reason);
        letters->options.state(reason, letters->options.context);
    }
    if (!uv_is_active((uv_handle_t *)&letters->timer))
        (void)uv_timer_start(&letters->timer, on_timer, letter->refused ? RESEND_MS : 0, 0);
}

static void all_well(struct co_letters *letters)
{
    if (letters->refused_count == 0 && !letters->silent)
        return;
    letters->refused_count = 0;
    letters->silent = false;
    letters->options.state(NULL, letters->options.context);
}

/* Its batch was dropped: whoever has the partition now reads the record again. Kept, such letters would pile
 * up with every rebalance while the dead-letter topic is missing. */
static void give_up(struct letter *letter)
{
    struct co_letters *letters = letter->letters;
    struct co_batch *batch = letter->batch;

    drop(letter);
    if (letters->count == 0)
        all_well(letters);
    batch->letters_pending--;
    letters->options.confirmed(batch, letters->options.context);
}

static void send_waiting(struct co_letters *letters)
{
    struct letter *line = letters->waiting, *letter;
    struct lm_error error;
    int outcome = 0;

    letters->waiting = NULL;
    letters->waiting_tail = &letters->waiting;
    while ((letter = line) != NULL) {
        line = letter->next;
        if (letter->batch->state == CO_BATCH_DONE) {
            give_up(letter);
        } else if (letter->refused) {
            wait_in_line(letter);
        } else {
            outcome = outcome == 1 ? 1 : try_to_send(letter, &error);
            if (outcome == 1)
                wait_in_line(letter);
            else if (outcome < 0)
                refused(letter, &error);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct co_letters *letters = timer->data;
    for (struct letter *letter = letters->waiting; letter != NULL; letter = letter->next)
        letter->refused = false;
    send_waiting(letters);
}

static void on_room(void *context)
{
    send_waiting(context);
}

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct letter *letter = opaque;
    struct co_letters *letters = context;
    struct co_batch *batch = letter->batch;

    if (letters->closing) {
        drop(letter);
        return;
    }
    if (error != NULL) {
        refused(letter, error);
        return;
    }
    all_well(letters);
    drop(letter);
    batch->letters_pending--;
    letters->options.confirmed(batch, letters->options.context);
}

int co_letters_open(const struct co_letters_options *options, struct co_letters **out, struct lm_error *error)
{
    struct co_letters *letters = calloc(1, sizeof(*letters));
    if (letters == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the dead letters");
    letters->options = *options;
    letters->waiting_tail = &letters->waiting;
    struct lm_kafka_producer_options producer = {.loop = options->loop,
                                                 .brokers = options->brokers,
                                                 .properties = options->properties,
                                                 .max_message_bytes = options->max_bytes,
                                                 .metrics = options->metrics,
                                                 .delivered = on_delivered,
                                                 .room = on_room,
                                                 .context = letters};
    if (lm_kafka_producer_open(&producer, &letters->producer, error) != 0) {
        free(letters);
        return -1;
    }
    (void)uv_timer_init(options->loop, &letters->timer);
    letters->timer.data = letters;
    *out = letters;
    return 0;
}

int co_letters_send(struct co_letters *letters, struct co_batch *batch, rd_kafka_message_t *message,
                    const struct lm_error *why, unsigned attempts)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    if (letter == NULL)
        return -1;
    *letter = (struct letter){
        .letters = letters, .batch = batch, .message = message, .why = *why, .attempts = attempts};
    letters->count++;
    batch->letters_pending++;
    batch->letter_bytes += message->len + message->key_len;
    wait_in_line(letter);
    send_waiting(letters);
    return 0;
}

void co_letters_tick(struct co_letters *letters)
{
    int64_t since_us = lm_kafka_producer_stalled_since(letters->producer);

    if (since_us == 0 || lm_clock_mono_us() - since_us < SILENT_US || letters->refused_count > 0 ||
        letters->silent)
        return;
    letters->silent = true;
    letters->options.state(
        "the brokers do not confirm dead letters; trying on. Nothing of the partitions they are "
        "of moves on before",
        letters->options.context);
}

static void timer_closed(uv_handle_t *handle)
{
    struct co_letters *letters = handle->data;
    void (*closed)(void *context) = letters->closed;
    void *context = letters->closed_context;

    free(letters);
    closed(context);
}

static void producer_closed(void *context)
{
    struct co_letters *letters = context;
    for (struct letter *letter = letters->waiting, *next; letter != NULL; letter = next) {
        next = letter->next;
        drop(letter);
    }
    uv_close((uv_handle_t *)&letters->timer, timer_closed);
}

void co_letters_close(struct co_letters *letters, unsigned deadline_ms, void (*closed)(void *context),
                      void *context)
{
    letters->closing = true;
    letters->closed = closed;
    letters->closed_context = context;
    (void)uv_timer_stop(&letters->timer);
    lm_kafka_producer_close(letters->producer, deadline_ms, producer_closed, letters);
}
