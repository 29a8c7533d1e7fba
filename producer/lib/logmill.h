/*
 * liblogmill: sends log records to Logmill through Kafka.
 *
 *     struct logmill_options options = {.brokers = "kafka:9092", .service = "checkout"};
 *     struct logmill *log;
 *     char why[256];
 *
 *     if (logmill_open(&options, &log, why, sizeof(why)) != LOGMILL_OK) …
 *     struct logmill_field fields[] = {
 *         logmill_text("user_id", "u1234"),
 *         logmill_number("duration_ms", 12.5),
 *     };
 *     logmill_log(log, LOGMILL_INFO, "order placed", fields, 2);
 *     logmill_close(log, 5000);
 *
 * Promises. Logging never blocks: a record is encoded into a bounded queue that one background thread
 * empties; when the queue is full the record is dropped, the call says so and the drop is counted. A record
 * that logmill_flush reported as delivered was acknowledged by every in-sync replica. Each client is one
 * ordered stream with a random id, so that what the library sends twice is stored once. Trouble with the
 * brokers, and records lost for good, are said on standard error, one line every ten seconds at most.
 *
 * What it does not do: keep records over the end of the process. What is undelivered when logmill_close runs
 * out of time is lost and counted.
 *
 * Threads: every function but logmill_open and logmill_close may be called from any thread at any time, for
 * the same client too. After fork() the child must open a client of its own: logging to the parent's is
 * refused, and its statistics are zero. All texts are UTF-8. Nothing is kept of the arguments after a call
 * returns.
 */
#ifndef LOGMILL_H
#define LOGMILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LOGMILL_API __attribute__((visibility("default")))
#define LOGMILL_CHECKED __attribute__((warn_unused_result))
#else
#define LOGMILL_API
#define LOGMILL_CHECKED
#endif

struct logmill;

enum logmill_level { LOGMILL_DEBUG, LOGMILL_INFO, LOGMILL_WARN, LOGMILL_ERROR, LOGMILL_FATAL };

enum logmill_category { LOGMILL_RAW, LOGMILL_SUMMARY, LOGMILL_TRAINING, LOGMILL_TAGGED };

/* What the functions return; 0 is success. */
enum logmill_status {
    LOGMILL_OK = 0,
    LOGMILL_FULL = -1, /* the queue is full: the record was dropped and counted */
    LOGMILL_INVALID =
        -2, /* an argument is wrong: no message, text that is not UTF-8 or holds a NUL, over-long service … */
    LOGMILL_TIMEOUT = -3, /* the deadline passed first */
    LOGMILL_NOMEM = -4,   /* no memory: the record was dropped and counted */
    LOGMILL_CLOSED = -5,  /* called in a forked child, or the client is being closed */
    LOGMILL_FAILED =
        -6 /* opening failed, or the brokers refused records for good; see the text or the statistics */
};

/* A zeroed member means its default. */
struct logmill_options {
    const char *brokers;            /* "host:port[,host:port…]"; default localhost:9092 */
    const char *topic_prefix;       /* default "logs." */
    const char *service;            /* of records that name none; default "unknown" */
    const char *environment;        /* default "production" */
    const char *host;               /* default: the machine's name */
    const char *log_type;           /* default "BACKEND" */
    enum logmill_category category; /* of logmill_log; default raw */
    size_t queue_records;           /* bound of undelivered records; default 100,000 */
    size_t queue_bytes;             /* bound of their encoded size; default 64 MiB */
    const char *const *kafka; /* librdkafka properties: name, value, name, value, …, NULL; default none */
};

/* A field of a record. The names of the log record (host, component, user_id, trace_id, error_type,
 * http_status, duration_ms, …) fill it; "service", "environment" and "log_type" override the client's; "tag"
 * adds one tag and may repeat; every other name goes under metadata. */
struct logmill_field {
    const char *name;
    enum { LOGMILL_FIELD_TEXT, LOGMILL_FIELD_INTEGER, LOGMILL_FIELD_NUMBER, LOGMILL_FIELD_BOOLEAN } type;
    union {
        const char *text; /* NULL: the field is left out */
        int64_t integer;
        double number;
        bool boolean;
    } value;
};

static inline struct logmill_field logmill_text(const char *name, const char *value)
{
    struct logmill_field field = {name, LOGMILL_FIELD_TEXT, {0}};
    field.value.text = value;
    return field;
}

static inline struct logmill_field logmill_integer(const char *name, int64_t value)
{
    struct logmill_field field = {name, LOGMILL_FIELD_INTEGER, {0}};
    field.value.integer = value;
    return field;
}

static inline struct logmill_field logmill_number(const char *name, double value)
{
    struct logmill_field field = {name, LOGMILL_FIELD_NUMBER, {0}};
    field.value.number = value;
    return field;
}

static inline struct logmill_field logmill_boolean(const char *name, bool value)
{
    struct logmill_field field = {name, LOGMILL_FIELD_BOOLEAN, {0}};
    field.value.boolean = value;
    return field;
}

/* Counts since logmill_open; accepted = delivered + refused + lost + pending at every moment. */
struct logmill_stats {
    uint64_t accepted;  /* records taken into the queue */
    uint64_t delivered; /* acknowledged by all in-sync replicas */
    uint64_t dropped;   /* not accepted: queue full or no memory */
    uint64_t refused;   /* the brokers will never take them (too large, topic missing) */
    uint64_t lost;      /* given up when the client was closed */
    uint64_t pending;   /* in the queue or on their way */
    uint64_t pending_bytes;
};

/*
 * Starts a client and its background thread; does not wait for the brokers. `options` may be NULL. On failure
 * *out is NULL and `why` (may be NULL), of `why_size` bytes, holds a sentence. Blocks all signals in its
 * thread.
 */
LOGMILL_API int logmill_open(const struct logmill_options *options, struct logmill **out, char *why,
                             size_t why_size) LOGMILL_CHECKED;

/* Queues a record of the client's category, with the current time. `message` must not be empty. Never blocks
 * on the network. */
LOGMILL_API int logmill_log(struct logmill *client, enum logmill_level level, const char *message,
                            const struct logmill_field *fields, size_t field_count);

/* The same for another category, and for an event of another time: `timestamp_us` is microseconds since 1970,
 * 0 for now. */
LOGMILL_API int logmill_log_event(struct logmill *client, enum logmill_category category,
                                  enum logmill_level level, int64_t timestamp_us, const char *message,
                                  const struct logmill_field *fields, size_t field_count);

/*
 * Waits until everything accepted before the call is delivered or refused. LOGMILL_OK, LOGMILL_FAILED when
 * records were refused for good since the last flush that said so, or LOGMILL_TIMEOUT after `deadline_ms`:
 * the records stay queued.
 */
LOGMILL_API int logmill_flush(struct logmill *client, unsigned deadline_ms) LOGMILL_CHECKED;

/* Stops taking records, waits up to `deadline_ms` for what is pending, ends the thread and frees the client.
 * LOGMILL_OK, or LOGMILL_TIMEOUT when records were given up. NULL is allowed. No other call may be running.
 */
LOGMILL_API int logmill_close(struct logmill *client, unsigned deadline_ms);

/* The counts of this moment. */
LOGMILL_API void logmill_get_stats(struct logmill *client, struct logmill_stats *out);

/* "0.1.0". */
LOGMILL_API const char *logmill_version(void);

#ifdef __cplusplus
}
#endif

#endif
