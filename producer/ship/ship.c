#include "producer/ship/ship.h"

#include "common/clock.h"
#include "common/log.h"
#include "producer/ship/standard_input.h"
#include "producer/ship/tail.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 4096
#define SCAN_US LM_SECOND_US /* how often globs are looked at */
#define SAVE_US LM_SECOND_US /* and positions written */
#define PROGRESS_US (5 * LM_SECOND_US)
#define STALLED_US (10 * LM_SECOND_US)
#define COMPLAINT_MS 30000

enum ship_state { SHIP_READING, SHIP_DRAINING, SHIP_CLOSING, SHIP_CLOSED };

struct ship {
    struct lm_service *service;
    const struct sh_config *config;
    enum ship_state state;
    struct sh_output output;
    struct sh_positions *positions;
    struct sh_standard_input *standard;
    struct sh_tail *tails[MAX_FILES];
    size_t tail_count;
    const char *const *paths;
    size_t path_count;
    uv_timer_t timer;
    bool has_timer;
    struct lm_http_server *server;
    struct lm_admin *admin;
    struct lm_condition *kafka;
    struct lm_gauge *pending, *files;
    char host[256];
    int64_t scanned_us, saved_us, progress_us, draining_us;
    uint64_t progress_sent;
    unsigned open_handles; /* what ship_close waits for */
    struct lm_log_limit file_complaints, save_complaints;
    bool unread; /* a file that was named, or matched, could not be opened */
    bool complete;
};

static void change_state(struct ship *ship, enum ship_state state)
{
    static const char *const names[] = {"reading", "draining", "closing", "closed"};

    if (state > ship->state) {
        lm_log(LM_LOG_DEBUG, "ship", "%s → %s", names[ship->state], names[state]);
        ship->state = state;
    }
}

static void drop_tail(struct ship *ship, size_t index)
{
    sh_tail_free(ship->tails[index]);
    ship->tails[index] = ship->tails[--ship->tail_count];
}

static void complain(struct ship *ship, const struct lm_error *error)
{
    ship->unread = true;
    lm_log_limited(&ship->file_complaints, COMPLAINT_MS, LM_LOG_WARN, "ship", "%s", error->text);
}

/* Opens what is not open yet. 0, or -1 where it is there and cannot be opened. */
static int add_file(struct ship *ship, const char *path, struct lm_error *error)
{
    const struct sh_tail_options options = {&ship->service->loop, &ship->output, ship->positions, path,
                                            ship->config->follow};
    struct stat status;

    if (stat(path, &status) == 0) {
        for (size_t i = 0; i < ship->tail_count; i++) {
            if (sh_tail_is(ship->tails[i], status.st_dev, status.st_ino)) {
                return sh_tail_rename(ship->tails[i], path);
            }
        }
    }
    if (ship->tail_count == MAX_FILES) {
        return lm_error_set(error, LM_RETRY, "files",
                            "more than %d files match: %s and others are not read until some end", MAX_FILES,
                            path);
    }
    if (sh_tail_open(&options, &ship->tails[ship->tail_count], error) != 0) {
        return -1;
    }
    ship->tail_count++;
    return 0;
}

/* A pattern may match folders and sockets, which nobody meant, and what is gone by now. */
static void add_matches(struct ship *ship, const glob_t *found)
{
    struct lm_error error;
    struct stat status;

    for (size_t i = 0; i < found->gl_pathc; i++) {
        if (stat(found->gl_pathv[i], &status) == 0 && S_ISREG(status.st_mode) &&
            add_file(ship, found->gl_pathv[i], &error) != 0) {
            complain(ship, &error);
        }
    }
}

/* Looks what the arguments name now. In the first scan without --follow, naming nothing is an error. */
static int scan(struct ship *ship, bool first, struct lm_error *error)
{
    bool must = first && !ship->config->follow;

    for (size_t i = 0; i < ship->path_count; i++) {
        const char *path = ship->paths[i];
        glob_t found = {0};
        struct stat status;

        if (stat(path, &status) == 0) { /* also a name that looks like a pattern */
            if (add_file(ship, path, error) != 0) {
                if (must) {
                    return -1;
                }
                complain(ship, error);
            }
            continue;
        }
        switch (glob(path, GLOB_NOSORT, NULL, &found)) {
        case 0:
            add_matches(ship, &found);
            break;
        case GLOB_NOMATCH:
            if (must) {
                return lm_error_set(error, LM_FATAL, "file", "%s: no such file", path);
            }
            if (first) {
                lm_log(LM_LOG_WARN, "ship", "%s: nothing matches yet; it is read when it appears", path);
            }
            break;
        default:
            lm_error_set(error, LM_RETRY, "files", "%s cannot be searched for files", path);
            complain(ship, error);
            break;
        }
        globfree(&found);
    }
    return 0;
}

static void save_positions(struct ship *ship)
{
    struct lm_error error;

    if (ship->positions && sh_positions_save(ship->positions, &error) != 0) {
        lm_log_limited(&ship->save_complaints, COMPLAINT_MS, LM_LOG_ERROR, "ship", "%s", error.text);
    }
}

static bool inputs_done(const struct ship *ship)
{
    for (size_t i = 0; i < ship->tail_count; i++) {
        if (!sh_tail_done(ship->tails[i])) {
            return false;
        }
    }
    return !ship->standard || sh_standard_input_done(ship->standard);
}

static bool inputs_complete(const struct ship *ship)
{
    for (size_t i = 0; i < ship->tail_count; i++) {
        if (!sh_tail_complete(ship->tails[i])) {
            return false;
        }
    }
    return !ship->standard || sh_standard_input_complete(ship->standard);
}

static void report_kafka(struct ship *ship, int64_t now)
{
    int64_t since = lm_kafka_producer_stalled_since(ship->output.producer);
    const char *reason = NULL;

    if (ship->output.no_topic) {
        reason = "the topic does not exist: create it with `logmill-ctl topics create`";
    } else if (since && now - since > STALLED_US) {
        reason = "Kafka acknowledges nothing: are the brokers reachable?";
    }
    lm_condition_set(ship->kafka, reason);
}

static void report_progress(struct ship *ship, int64_t now)
{
    const struct sh_output *output = &ship->output;
    size_t pending = lm_kafka_producer_pending(output->producer);

    lm_gauge_set(ship->pending, (double)pending);
    lm_gauge_set(ship->files, (double)ship->tail_count);
    if (ship->kafka) {
        report_kafka(ship, now);
    }
    if (now - ship->progress_us >= PROGRESS_US) {
        if (output->sent != ship->progress_sent || (pending > 0 && !ship->config->follow)) {
            lm_log(LM_LOG_INFO, "ship", "%llu records sent, %zu not yet acknowledged by Kafka at %s",
                   (unsigned long long)output->sent, pending, ship->config->brokers);
        }
        ship->progress_sent = output->sent;
        ship->progress_us = now;
    }
}

static void close_all(struct ship *ship);

/* Whether the end waits in vain: the stop for stop_timeout, or nothing acknowledged for delivery_timeout. */
static bool gave_up(struct ship *ship, int64_t now)
{
    int64_t limit = ship->config->delivery_timeout * 1000;
    int64_t since = lm_kafka_producer_stalled_since(ship->output.producer);
    bool stalled = !ship->config->follow && limit != 0 && since != 0 && now - since >= limit;
    bool late = ship->state == SHIP_DRAINING && now - ship->draining_us >= ship->config->stop_timeout * 1000;

    if (stalled || late) {
        lm_log(
            LM_LOG_ERROR, "ship",
            "giving up with %zu records undelivered: Kafka at %s did not acknowledge them within %lld s. Is "
            "it reachable? Do the topics exist?",
            lm_kafka_producer_pending(ship->output.producer), ship->config->brokers,
            (long long)((stalled ? ship->config->delivery_timeout : ship->config->stop_timeout) / 1000));
    }
    return stalled || late;
}

static void on_timer(uv_timer_t *timer)
{
    struct ship *ship = timer->data;
    int64_t now = lm_clock_mono_us();
    struct lm_error error;

    if (ship->state == SHIP_READING && ship->config->follow && now - ship->scanned_us >= SCAN_US) {
        ship->scanned_us = now;
        (void)!scan(ship, false, &error);
    }
    for (size_t i = ship->tail_count; i-- > 0;) {
        sh_tail_look(ship->tails[i], now);
        if (ship->config->follow && ship->state == SHIP_READING &&
            sh_tail_state(ship->tails[i]) == SH_TAIL_ENDED && sh_tail_done(ship->tails[i])) {
            drop_tail(ship, i);
        }
    }
    if (ship->standard) {
        sh_standard_input_look(ship->standard, now);
    }
    if (now - ship->saved_us >= SAVE_US) {
        ship->saved_us = now;
        save_positions(ship);
    }
    report_progress(ship, now);
    if (((!ship->config->follow || ship->state == SHIP_DRAINING || ship->standard) && inputs_done(ship)) ||
        gave_up(ship, now)) {
        close_all(ship);
    }
}

static void on_room(void *context)
{
    struct ship *ship = context;

    if (ship->state >= SHIP_CLOSING) {
        return;
    }
    for (size_t i = 0; i < ship->tail_count; i++) {
        sh_tail_resume(ship->tails[i]);
    }
    if (ship->standard) {
        sh_standard_input_resume(ship->standard);
    }
}

static int open_server(struct ship *ship, struct lm_metrics *metrics, struct lm_error *error)
{
    const struct lm_http_options options = {
        .loop = &ship->service->loop, .listen = ship->config->listen, .metrics = metrics};

    if (!*ship->config->listen) {
        return 0;
    }
    if (lm_http_server_open(&options, &ship->server, error) != 0 ||
        lm_admin_open(ship->server, metrics, &ship->admin, error) != 0) {
        return -1;
    }
    ship->kafka = lm_admin_condition(ship->admin, "kafka");
    return ship->kafka ? 0 : lm_error_set(error, LM_FATAL, "memory", "no memory to start");
}

static int open_output(struct ship *ship, struct lm_metrics *metrics, struct lm_error *error)
{
    const struct sh_config *config = ship->config;
    struct sh_output *output = &ship->output;

    output->config = config;
    lm_arena_init(&output->arena, 16 << 20);
    lm_buffer_init(&output->value, 4 << 20);
    output->records = lm_counter(metrics, "logmill_ship_records_total", NULL, "Records sent to Kafka.");
    output->bytes = lm_counter(metrics, "logmill_ship_bytes_total", NULL, "Bytes of their text.");
    output->refused = lm_counter(metrics, "logmill_ship_refused_total", NULL, "Records refused for good.");
    ship->pending = lm_gauge(metrics, "logmill_ship_pending", NULL, "Records not yet acknowledged.");
    ship->files = lm_gauge(metrics, "logmill_ship_files", NULL, "Files open.");
    if (gethostname(ship->host, sizeof(ship->host) - 1) != 0) {
        ship->host[0] = '\0';
    }
    output->host = *config->host ? config->host : ship->host;
    if (asprintf(&output->topic, "%s%s", config->topic_prefix,
                 lm_category_name((enum lm_category)config->category)) < 0) {
        output->topic = NULL;
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    return lm_kafka_producer_open(
        &(struct lm_kafka_producer_options){
            .loop = &ship->service->loop,
            .brokers = config->brokers,
            .properties = &config->kafka,
            .max_messages = (size_t)config->queue_records,
            .max_bytes = (size_t)config->queue_bytes,
            .metrics = metrics,
            .delivered = sh_output_delivered,
            .room = on_room,
            .context = output,
        },
        &output->producer, error);
}

/* Standard input where nothing, or "-", is named. */
static int open_inputs(struct ship *ship, struct lm_error *error)
{
    if (ship->path_count == 0 || (ship->path_count == 1 && strcmp(ship->paths[0], "-") == 0)) {
        ship->path_count = 0;
        return sh_standard_input_open(&ship->service->loop, &ship->output, &ship->standard, error);
    }
    if (sh_positions_open(ship->config->positions, &ship->positions, error) != 0) {
        return -1;
    }
    return scan(ship, true, error);
}

int ship_open(const struct ship_options *options, struct ship **out, struct lm_error *error)
{
    struct ship *ship = calloc(1, sizeof(*ship));

    *out = ship;
    if (!ship) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    ship->service = options->service;
    ship->service->cut_status = EXIT_FAILURE; /* until everything has arrived */
    ship->config = options->config;
    ship->paths = options->paths;
    ship->path_count = options->path_count;
    if (open_output(ship, options->metrics, error) != 0 || open_server(ship, options->metrics, error) != 0 ||
        open_inputs(ship, error) != 0) {
        return -1;
    }
    ship->scanned_us = ship->saved_us = ship->progress_us = lm_clock_mono_us();
    uv_timer_init(&ship->service->loop, &ship->timer);
    ship->timer.data = ship;
    ship->has_timer = true;
    uv_timer_start(&ship->timer, on_timer, 1, (uint64_t)ship->config->poll_interval);
    return 0;
}

static void one_closed(void *context)
{
    struct ship *ship = context;

    if (--ship->open_handles == 0) {
        change_state(ship, SHIP_CLOSED);
        lm_service_release(ship->service);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

static bool everything_arrived(const struct ship *ship)
{
    const struct sh_output *output = &ship->output;

    return inputs_complete(ship) && output->lost == 0 && output->acknowledged == output->sent &&
           (ship->config->follow || !ship->unread);
}

static void report_end(struct ship *ship)
{
    const struct sh_output *output = &ship->output;

    ship->complete = everything_arrived(ship);
    lm_log(ship->complete ? LM_LOG_INFO : LM_LOG_ERROR, "ship",
           "%s: %llu records acknowledged by Kafka, %llu lost",
           ship->complete ? "everything has arrived" : "not everything has arrived",
           (unsigned long long)output->acknowledged, (unsigned long long)output->lost);
}

/* The producer is gone and every window is settled: the rest follows. */
static void on_producer_closed(void *context)
{
    struct ship *ship = context;

    ship->output.producer = NULL;
    save_positions(ship);
    if (ship->has_timer) { /* it got as far as reading */
        report_end(ship);
    }
    if (ship->standard) {
        ship->open_handles++;
        sh_standard_input_close(ship->standard, one_closed, ship);
        ship->standard = NULL;
    }
    one_closed(ship);
}

/* Nothing more is read; what was read goes out as far as Kafka has room. */
static void stop_inputs(struct ship *ship)
{
    for (size_t i = 0; i < ship->tail_count; i++) {
        sh_tail_stop(ship->tails[i]);
    }
    if (ship->standard) {
        sh_standard_input_stop(ship->standard);
    }
}

static void close_all(struct ship *ship)
{
    if (ship->state >= SHIP_CLOSING) {
        return;
    }
    if (ship->output.producer) {
        stop_inputs(ship);
    }
    change_state(ship, SHIP_CLOSING);
    if (ship->has_timer) { /* else the start failed, and is abandoned */
        ship->service->cut_status = everything_arrived(ship) ? EXIT_SUCCESS : EXIT_FAILURE;
        lm_service_end_within(ship->service, 0);
    }
    ship->open_handles = 1; /* this function's own, given back below */
    if (ship->has_timer) {
        ship->open_handles++;
        uv_close((uv_handle_t *)&ship->timer, on_timer_closed);
    }
    if (ship->server) {
        ship->open_handles++;
        lm_http_server_close(ship->server, 1000, one_closed, ship);
        ship->server = NULL;
    }
    if (ship->output.producer) {
        ship->open_handles++;
        lm_kafka_producer_close(ship->output.producer, 0, on_producer_closed, ship);
    }
    one_closed(ship);
}

void ship_stop(struct ship *ship, bool now)
{
    if (now || !ship->has_timer) {
        close_all(ship);
        return;
    }
    if (ship->state == SHIP_READING) {
        change_state(ship, SHIP_DRAINING);
        ship->draining_us = lm_clock_mono_us();
        stop_inputs(ship);
    }
}

bool ship_complete(const struct ship *ship)
{
    return ship->complete;
}

void ship_free(struct ship *ship)
{
    if (!ship) {
        return;
    }
    while (ship->tail_count > 0) {
        drop_tail(ship, ship->tail_count - 1);
    }
    sh_positions_free(ship->positions);
    lm_admin_free(ship->admin);
    lm_arena_free(&ship->output.arena);
    lm_buffer_free(&ship->output.value);
    free(ship->output.topic);
    free(ship);
}
