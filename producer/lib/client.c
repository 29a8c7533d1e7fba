/*
 * A client: the application's threads encode into the queue, one background thread runs a loop with the Kafka
 * producer.
 *
 * The background thread owns the loop and the producer; the application's threads touch the queue and wake
 * the loop with uv_async_send, nothing else. Closing is a message like any other: a flag under the queue's
 * lock and a wake.
 */
#include "common/clock.h"
#include "common/kafka/kafka_producer.h"
#include "common/log.h"
#include "common/record/record_avro.h"
#include "producer/lib/event.h"
#include "producer/lib/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_RECORDS 100000
#define DEFAULT_BYTES ((size_t)64 << 20)
#define RECORD_MAX ((size_t)1000000) /* leaves the broker's 1 MiB room for key and framing */
#define ARENA_MAX ((size_t)4 << 20)

struct logmill {
    pid_t owner; /* a forked child has another */
    pthread_t thread;
    struct pl_queue queue;

    /* Under the queue's lock: the encoder's memory and the stream's counter. */
    struct lm_arena arena;
    struct lm_buffer encoded;
    int64_t sequence;

    /* Set before the thread starts, then constant. */
    struct pl_defaults defaults;
    enum logmill_category category;
    char *service, *environment, *log_type, *host, *brokers;
    char *topics[LM_CATEGORY_COUNT];
    char key[17];
    uint64_t reported_refused; /* refused records that a flush has told of; under the lock */
    int64_t close_by_us;       /* monotonic; written before `closing` is set under the lock */

    /* Background thread. */
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t deadline;
    struct lm_kafka_producer *producer;
    struct pl_entry *backlog; /* taken from the queue, not yet taken by the producer */
    struct lm_log_limit complaints;
    bool closing;          /* nothing more will come from the queue */
    bool producer_closing; /* nothing more goes to the producer */
};

static void close_handles(void *context)
{
    struct logmill *client = context;

    uv_close((uv_handle_t *)&client->wake, NULL);
    uv_close((uv_handle_t *)&client->deadline, NULL);
}

static unsigned left_ms(const struct logmill *client)
{
    int64_t left = (client->close_by_us - lm_clock_mono_us()) / 1000;

    return left > 0 ? (unsigned)left : 0;
}

/* The producer has everything, or the time is up: it drains what it holds and gives up on the rest. */
static void close_producer(struct logmill *client)
{
    client->producer_closing = true;
    uv_timer_stop(&client->deadline);
    while (client->backlog) {
        struct pl_entry *entry = client->backlog;
        client->backlog = entry->next_queued;
        pl_queue_end(&client->queue, entry, PL_LOST);
    }
    lm_kafka_producer_close(client->producer, left_ms(client), close_handles, client);
}

static void on_deadline(uv_timer_t *timer)
{
    close_producer(timer->data);
}

/* A library has no log of its own: losing records for good is said on standard error all the same. */
static void complain(struct logmill *client, const struct lm_error *error)
{
    lm_log_limited(&client->complaints, 10000, LM_LOG_ERROR, "liblogmill", "a record is lost: %s",
                   error->text);
}

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct logmill *client = context;
    enum pl_outcome outcome = PL_DELIVERED;

    if (error && error->decision == LM_DEAD_LETTER) {
        outcome = PL_REFUSED;
        complain(client, error);
    } else if (error) {
        outcome = PL_LOST;
    }
    pl_queue_end(&client->queue, opaque, outcome);
}

static void send_backlog(struct logmill *client)
{
    while (client->backlog) {
        struct pl_entry *entry = client->backlog;
        struct lm_kafka_message message = {
            .topic = client->topics[entry->category],
            .partition = RD_KAFKA_PARTITION_UA,
            .key = client->key,
            .key_len = sizeof(client->key) - 1,
            .value = entry->data,
            .value_len = entry->len,
            .opaque = entry,
        };
        struct lm_error error;
        int taken = lm_kafka_producer_send(client->producer, &message, &error);

        if (taken > 0) {
            return; /* on_room goes on */
        }
        client->backlog = entry->next_queued;
        if (taken < 0) {
            complain(client, &error);
            pl_queue_end(&client->queue, entry, PL_REFUSED);
        }
    }
}

static void go_on(struct logmill *client)
{
    if (client->producer_closing) {
        return;
    }
    send_backlog(client);
    if (client->closing && !client->backlog) {
        close_producer(client);
    }
}

static void on_room(void *context)
{
    go_on(context);
}

static void on_wake(uv_async_t *wake)
{
    struct logmill *client = wake->data;
    struct pl_entry *taken, **end = &client->backlog;
    bool closing;

    taken = pl_queue_take_all(&client->queue, &closing);
    while (*end) {
        end = &(*end)->next_queued;
    }
    *end = taken;
    if (closing && !client->closing) {
        client->closing = true;
        uv_timer_start(&client->deadline, on_deadline, left_ms(client), 0);
    }
    go_on(client);
}

static void *run(void *argument)
{
    struct logmill *client = argument;

    uv_run(&client->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* The application's signals are the application's: none is delivered to this thread. */
static int start_thread(struct logmill *client)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&client->thread, NULL, run, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void free_client(struct logmill *client)
{
    if (!client) {
        return;
    }
    for (size_t i = 0; i < LM_CATEGORY_COUNT; i++) {
        free(client->topics[i]);
    }
    free(client->service);
    free(client->environment);
    free(client->log_type);
    free(client->host);
    free(client->brokers);
    lm_buffer_free(&client->encoded);
    lm_arena_free(&client->arena);
    free(client);
}

static const char *or_default(const char *value, const char *otherwise)
{
    return value && *value ? value : otherwise;
}

/* 0, or -1 without memory or randomness. */
static int set_constants(struct logmill *client, const struct logmill_options *options)
{
    char host[256] = "";

    client->owner = getpid();
    client->category = options->category;
    if (gethostname(host, sizeof(host) - 1) != 0) {
        host[0] = '\0';
    }
    client->service = strdup(or_default(options->service, "unknown"));
    client->environment = strdup(or_default(options->environment, "production"));
    client->log_type = strdup(or_default(options->log_type, "BACKEND"));
    client->host = strdup(or_default(options->host, host));
    client->brokers = strdup(or_default(options->brokers, "localhost:9092"));
    if (!client->service || !client->environment || !client->log_type || !client->host || !client->brokers) {
        return -1;
    }
    for (size_t i = 0; i < LM_CATEGORY_COUNT; i++) {
        if (asprintf(&client->topics[i], "%s%s", or_default(options->topic_prefix, "logs."),
                     lm_category_name((enum lm_category)i)) < 0) {
            client->topics[i] = NULL;
            return -1;
        }
    }
    if (getrandom(&client->defaults.source, sizeof(client->defaults.source), 0) !=
        (ssize_t)sizeof(client->defaults.source)) {
        return -1;
    }
    snprintf(client->key, sizeof(client->key), "%016llx", (unsigned long long)client->defaults.source);
    client->defaults.service = client->service;
    client->defaults.environment = client->environment;
    client->defaults.log_type = client->log_type;
    client->defaults.host = *client->host ? client->host : NULL;
    lm_arena_init(&client->arena, ARENA_MAX);
    lm_buffer_init(&client->encoded, RECORD_MAX);
    return 0;
}

/* The pass-through properties as the map that the producer takes; the texts stay the caller's. */
static int property_map(const char *const *properties, struct lm_config_map *map)
{
    size_t count = 0;

    *map = (struct lm_config_map){0};
    while (properties && properties[count]) {
        if (!properties[count + 1]) {
            errno = EINVAL;
            return -1;
        }
        count += 2;
    }
    if (count == 0) {
        return 0;
    }
    map->names = calloc(count / 2, sizeof(*map->names));
    map->values = calloc(count / 2, sizeof(*map->values));
    if (!map->names || !map->values) {
        errno = ENOMEM;
        return -1;
    }
    for (map->count = 0; map->count < count / 2; map->count++) {
        map->names[map->count] = (char *)properties[2 * map->count];
        map->values[map->count] = (char *)properties[2 * map->count + 1];
    }
    return 0;
}

static int open_loop(struct logmill *client, struct lm_error *error)
{
    if (uv_loop_init(&client->loop) != 0) {
        goto fail;
    }
    if (uv_async_init(&client->loop, &client->wake, on_wake) != 0) {
        goto fail_loop;
    }
    uv_timer_init(&client->loop, &client->deadline);
    client->wake.data = client;
    client->deadline.data = client;
    return 0;

fail_loop:
    uv_loop_close(&client->loop);
fail:
    return lm_error_set(error, LM_FATAL, "loop", "the event loop could not be made: too many open files?");
}

static int open_producer(struct logmill *client, const char *const *kafka, struct lm_error *error)
{
    struct lm_config_map properties;
    int result = -1;

    if (property_map(kafka, &properties) != 0) {
        lm_error_set(error, LM_FATAL, "options", "kafka: a property has no value, or no memory");
    } else {
        result = lm_kafka_producer_open(
            &(struct lm_kafka_producer_options){
                .loop = &client->loop,
                .brokers = client->brokers,
                .properties = &properties,
                .max_messages = client->queue.max_records,
                .max_bytes = client->queue.max_bytes,
                .max_message_bytes = RECORD_MAX,
                .delivered = on_delivered,
                .room = on_room,
                .context = client,
            },
            &client->producer, error);
    }
    free(properties.names);
    free(properties.values);
    return result;
}

int logmill_open(const struct logmill_options *options, struct logmill **out, char *why, size_t why_size)
{
    static const struct logmill_options defaults;
    struct lm_error error;
    struct logmill *client = NULL;

    *out = NULL;
    if (!options) {
        options = &defaults;
    }
    if (options->category > LOGMILL_TAGGED) {
        lm_error_set(&error, LM_FATAL, "options", "category %d is none of the four", (int)options->category);
        goto fail;
    }
    client = calloc(1, sizeof(*client));
    if (!client || set_constants(client, options) != 0) {
        lm_error_set(&error, LM_FATAL, "memory", "no memory for a client");
        goto fail;
    }
    if (pl_queue_init(&client->queue, options->queue_records ? options->queue_records : DEFAULT_RECORDS,
                      options->queue_bytes ? options->queue_bytes : DEFAULT_BYTES) != 0) {
        lm_error_set(&error, LM_FATAL, "memory", "no memory for the queue");
        goto fail;
    }
    if (open_loop(client, &error) != 0) {
        goto fail_queue;
    }
    if (open_producer(client, options->kafka, &error) != 0) {
        goto fail_loop;
    }
    if (start_thread(client) != 0) {
        lm_error_set(&error, LM_FATAL, "thread", "the background thread could not be started");
        goto fail_producer;
    }
    *out = client;
    return LOGMILL_OK;

fail_producer:
    lm_kafka_producer_close(client->producer, 0, NULL, NULL);
fail_loop:
    close_handles(client);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    uv_loop_close(&client->loop);
fail_queue:
    pl_queue_free(&client->queue);
fail:
    free_client(client);
    if (why && why_size > 0) {
        snprintf(why, why_size, "%s", error.text);
    }
    return LOGMILL_FAILED;
}

/* Under the queue's lock. */
static int enqueue(struct logmill *client, const struct pl_event *event)
{
    struct lm_record record;
    struct pl_entry *entry;
    int result;

    if (!pl_queue_has_room(&client->queue, 0)) {
        return LOGMILL_FULL; /* encoding it would be in vain */
    }
    lm_arena_reset(&client->arena);
    lm_buffer_clear(&client->encoded);
    result = pl_event_record(event, &client->defaults, &client->arena, &record);
    if (result != LOGMILL_OK) {
        return result;
    }
    record.sequence = client->sequence + 1;
    record.has_sequence = true;
    if (lm_record_encode(&record, &client->encoded) != 0) {
        return LOGMILL_INVALID; /* over RECORD_MAX */
    }
    if (!pl_queue_has_room(&client->queue, client->encoded.len)) {
        return LOGMILL_FULL;
    }
    entry = malloc(sizeof(*entry) + client->encoded.len);
    if (!entry) {
        return LOGMILL_NOMEM;
    }
    entry->category = event->category;
    entry->len = client->encoded.len;
    memcpy(entry->data, client->encoded.data, client->encoded.len);
    client->sequence++;
    pl_queue_push(&client->queue, entry);
    return LOGMILL_OK;
}

int logmill_log_event(struct logmill *client, enum logmill_category category, enum logmill_level level,
                      int64_t timestamp_us, const char *message, const struct logmill_field *fields,
                      size_t field_count)
{
    struct pl_event event = {
        .category = category,
        .level = level,
        .timestamp_us = timestamp_us ? timestamp_us : lm_clock_wall_us(),
        .message = message,
        .fields = fields,
        .field_count = field_count,
    };
    int result;

    if (getpid() != client->owner) {
        return LOGMILL_CLOSED;
    }
    pthread_mutex_lock(&client->queue.lock);
    result = client->queue.closing ? LOGMILL_CLOSED : enqueue(client, &event);
    if (result == LOGMILL_FULL || result == LOGMILL_NOMEM) {
        client->queue.stats.dropped++;
    }
    pthread_mutex_unlock(&client->queue.lock);
    if (result == LOGMILL_OK) {
        uv_async_send(&client->wake);
    }
    return result;
}

int logmill_log(struct logmill *client, enum logmill_level level, const char *message,
                const struct logmill_field *fields, size_t field_count)
{
    return logmill_log_event(client, client->category, level, 0, message, fields, field_count);
}

int logmill_flush(struct logmill *client, unsigned deadline_ms)
{
    bool refused;

    if (getpid() != client->owner) {
        return LOGMILL_CLOSED;
    }
    if (pl_queue_wait(&client->queue, deadline_ms) != 0) {
        return LOGMILL_TIMEOUT;
    }
    pthread_mutex_lock(&client->queue.lock);
    refused = client->queue.stats.refused > client->reported_refused;
    client->reported_refused = client->queue.stats.refused;
    pthread_mutex_unlock(&client->queue.lock);
    return refused ? LOGMILL_FAILED : LOGMILL_OK;
}

int logmill_close(struct logmill *client, unsigned deadline_ms)
{
    uint64_t lost;

    if (!client) {
        return LOGMILL_OK;
    }
    if (getpid() != client->owner) {
        return LOGMILL_CLOSED; /* the thread is the parent's; its memory goes with the child */
    }
    pthread_mutex_lock(&client->queue.lock);
    client->close_by_us = lm_clock_mono_us() + (int64_t)deadline_ms * 1000;
    client->queue.closing = true;
    pthread_mutex_unlock(&client->queue.lock);
    uv_async_send(&client->wake);
    pthread_join(client->thread, NULL);
    uv_loop_close(&client->loop);
    lost = client->queue.stats.lost; /* the other thread is gone */
    pl_queue_free(&client->queue);
    free_client(client);
    return lost > 0 ? LOGMILL_TIMEOUT : LOGMILL_OK;
}

void logmill_get_stats(struct logmill *client, struct logmill_stats *out)
{
    if (getpid() != client->owner) {
        *out = (struct logmill_stats){0}; /* whoever held the lock did not come along */
        return;
    }
    pthread_mutex_lock(&client->queue.lock);
    *out = client->queue.stats;
    pthread_mutex_unlock(&client->queue.lock);
}

const char *logmill_version(void)
{
    return LOGMILL_VERSION;
}
