#include "producer/gateway/ingest.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/record/record_avro.h"
#include "common/record/record_json.h"
#include "producer/gateway/body.h"
#include "producer/gateway/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)16 << 20)
#define RECORD_MAX ((size_t)1000000) /* leaves the broker's 1 MiB room for key and framing */
#define DEADLINE_TICK_MS 250
#define STALLED_US (10 * LM_SECOND_US)
#define MAX_SEQUENCE (INT64_MAX / 2) /* room to number the records of a body from there on */

struct gw_ingest {
    const struct gw_config *config;
    struct lm_kafka_producer *producer;
    uv_timer_t deadlines;
    char *topics[LM_CATEGORY_COUNT];
    struct gw_request *requests; /* under way, for deadlines and for one request a source */
    char trouble[160];
    struct lm_counter *accepted, *rejected, *refused_full;
    void (*closed)(void *context);
    void *closed_context;
};

struct gw_request {
    struct gw_ingest *ingest;
    struct lm_http_request *http; /* NULL once answered or abandoned */
    struct gw_request *previous, *next;
    enum gw_answer answer;
    int64_t deadline_us;
    bool sending;      /* still reading the body: not to be finished by an early acknowledgement */
    bool has_source;   /* `source` is of this request until all its records are acknowledged */
    bool has_sequence; /* header or query named the stream: its records are numbered from `sequence` on */
    int64_t source, sequence;
    size_t outstanding; /* published, not yet acknowledged */
    size_t accepted;
    struct gw_rejections rejections;
};

/* What comes back with an acknowledgement. */
struct gw_sent {
    struct gw_request *request;
    size_t index;
};

static void unlink_request(struct gw_request *request)
{
    if (request->previous) {
        request->previous->next = request->next;
    } else {
        request->ingest->requests = request->next;
    }
    if (request->next) {
        request->next->previous = request->previous;
    }
}

/* Frees it when nobody will come back to it: neither the client nor the broker. */
static void release(struct gw_request *request)
{
    if (!request->http && request->outstanding == 0 && !request->sending) {
        unlink_request(request);
        gw_rejections_free(&request->rejections);
        free(request);
    }
}

static void reject(struct gw_request *request, size_t index, const char *reason)
{
    gw_reject(&request->rejections, index, reason);
    lm_counter_add(request->ingest->rejected, 1);
}

static void finish_if_complete(struct gw_request *request)
{
    if (request->outstanding > 0 || request->sending) {
        return;
    }
    if (request->http) {
        gw_reply_result(request->http, request->answer, request->accepted, &request->rejections);
        request->http = NULL;
    }
    release(request);
}

static void reply_unavailable(struct gw_request *request, const char *message)
{
    if (request->http) {
        gw_reply_unavailable(request->http, message);
        request->http = NULL;
    }
}

static void on_abandoned(struct lm_http_request *http, void *context)
{
    struct gw_request *request = context;

    (void)http;
    request->http = NULL;
    release(request);
}

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct gw_sent *sent = opaque;
    struct gw_request *request = sent->request;

    (void)context;
    request->outstanding--;
    if (!error) {
        request->accepted++;
        lm_counter_add(request->ingest->accepted, 1);
    } else if (strcmp(error->kind, "unknown_topic") == 0) {
        reply_unavailable(request, "the category has no topic: create it with `logmill-ctl topics create`");
    } else if (error->decision == LM_DEAD_LETTER) {
        reject(request, sent->index, error->text);
    } else {
        reply_unavailable(request, "the gateway is stopping: the records were not acknowledged");
    }
    free(sent);
    finish_if_complete(request);
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_ingest *ingest = timer->data;
    int64_t now = lm_clock_mono_us();
    struct gw_request *next;

    for (struct gw_request *request = ingest->requests; request; request = next) {
        next = request->next;
        if (request->http && now >= request->deadline_us) {
            reply_unavailable(
                request,
                "Kafka did not acknowledge the records in time; they stay queued and may still arrive");
            release(request);
        }
    }
}

/* Publishes one record. 1: taken; 0: rejected and noted; -1: the queue is full or memory is short. */
static int publish(struct gw_request *request, const struct lm_record *record, size_t index,
                   struct lm_buffer *value)
{
    struct gw_ingest *ingest = request->ingest;
    struct lm_kafka_message message = {
        .topic = ingest->topics[record->category],
        .partition = RD_KAFKA_PARTITION_UA,
        .timestamp_ms = 0,
    };
    struct lm_error error;
    struct gw_sent *sent;
    char key[17];
    int taken;

    lm_buffer_clear(value);
    value->failed = false;
    if (lm_record_encode(record, value) != 0) {
        reject(request, index, "too_large: a record holds at most 1,000,000 bytes");
        return 0;
    }
    sent = malloc(sizeof(*sent));
    if (!sent) {
        return -1;
    }
    *sent = (struct gw_sent){request, index};
    message.value = value->data;
    message.value_len = value->len;
    message.opaque = sent;
    if (record->has_source) {
        snprintf(key, sizeof(key), "%016llx", (unsigned long long)record->source);
        message.key = key;
        message.key_len = sizeof(key) - 1;
    }
    taken = lm_kafka_producer_send(ingest->producer, &message, &error);
    if (taken == 0) {
        request->outstanding++;
        return 1;
    }
    free(sent);
    if (taken < 0) {
        reject(request, index, error.text);
        return 0;
    }
    return -1;
}

static bool source_is_busy(const struct gw_request *asking, int64_t source)
{
    for (const struct gw_request *other = asking->ingest->requests; other; other = other->next) {
        if (other != asking && other->has_source && other->source == source) {
            return true;
        }
    }
    return false;
}

/* Numbers the record in the request's stream. False: that stream is busy, and nothing was published yet. */
static bool settle_stream(struct gw_request *request, struct lm_record *record, size_t index)
{
    if (request->has_sequence) {
        record->source = request->source;
        record->sequence = request->sequence + (int64_t)index;
        record->has_source = record->has_sequence = true;
    } else if (record->has_source && !request->has_source) {
        if (request->outstanding == 0 && source_is_busy(request, record->source)) {
            return false;
        }
        request->has_source = true;
        request->source = record->source;
    }
    return true;
}

static void reply_busy(struct lm_http_request *http)
{
    gw_reply_error(http, 409, "source_busy",
                   "another request of this source is under way: send one after the other");
}

enum take { TAKE_MORE, TAKE_FULL, TAKE_BUSY };

/* One record of the body: decoded, completed, published. FULL: the queue is, or memory. */
static enum take take_record(struct gw_request *request, struct lm_slice text, size_t index,
                             const enum lm_category *category, struct lm_arena *arena,
                             struct lm_buffer *value)
{
    struct lm_record record;
    struct lm_error error;
    char reason[sizeof(error.kind) + sizeof(error.text) + 2];

    lm_arena_reset(arena);
    if (lm_record_decode_json(text.data, text.len, arena, &record, &error) == 0) {
        enum lm_category target = category ? *category : record.has_category ? record.category : LM_RAW;

        if (!settle_stream(request, &record, index)) {
            return TAKE_BUSY;
        }
        if (lm_record_complete(&record, target, lm_clock_wall_us(), arena, &error) == 0) {
            record.category = target;
            record.has_category = true;
            return publish(request, &record, index, value) < 0 ? TAKE_FULL : TAKE_MORE;
        }
    }
    if (error.decision != LM_DEAD_LETTER) {
        return TAKE_FULL;
    }
    snprintf(reason, sizeof(reason), "%s: %s", error.kind, error.text);
    reject(request, index, reason);
    return TAKE_MORE;
}

/* Nothing more of the body is published; what was stays on its way. */
static void refuse_rest(struct gw_request *request, enum take why)
{
    struct gw_ingest *ingest = request->ingest;

    if (why == TAKE_BUSY) {
        reply_busy(request->http);
    } else if (request->outstanding > 0 &&
               request->outstanding == lm_kafka_producer_pending(ingest->producer)) {
        gw_reply_error(request->http, 413, "too_many_records",
                       "the body holds more records than the queue to Kafka: send it in parts");
    } else {
        lm_counter_add(ingest->refused_full, 1);
        gw_reply_unavailable(request->http, "the queue to Kafka is full: send the whole request again later");
    }
    request->http = NULL;
    release(request);
}

static void take_body(struct gw_request *request, struct gw_split *split, const enum lm_category *category)
{
    struct lm_arena arena;
    struct lm_buffer value;
    struct lm_slice text;
    size_t index = 0;
    enum take taken = TAKE_MORE;

    lm_arena_init(&arena, ARENA_MAX);
    lm_buffer_init(&value, RECORD_MAX);
    request->sending = true;
    while (taken == TAKE_MORE && gw_split_next(split, &text) > 0) {
        taken = take_record(request, text, index++, category, &arena, &value);
    }
    request->sending = false;
    lm_buffer_free(&value);
    lm_arena_free(&arena);
    if (taken == TAKE_MORE) {
        finish_if_complete(request);
    } else {
        refuse_rest(request, taken);
    }
}

/* A 64-bit source as it stands in message keys: up to 16 hex digits. */
static int parse_source(const char *text, int64_t *out)
{
    char *end;
    unsigned long long value;

    if (strlen(text) == 0 || strlen(text) > 16 || strspn(text, "0123456789abcdefABCDEF") != strlen(text)) {
        return -1;
    }
    errno = 0;
    value = strtoull(text, &end, 16);
    *out = (int64_t)value;
    return errno == 0 && *end == '\0' ? 0 : -1;
}

static int parse_sequence(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text && errno == 0 && *end == '\0' && *out >= 0 && *out <= MAX_SEQUENCE ? 0 : -1;
}

/* The stream that the whole request belongs to, by header or query parameter. 0, or -1 after a 400 was sent.
 */
static int read_stream(struct lm_http_request *http, struct gw_request *request)
{
    const char *source = lm_http_header(http, "Logmill-Source");
    const char *sequence = lm_http_header(http, "Logmill-Sequence");

    source = source ? source : lm_http_query(http, "source");
    sequence = sequence ? sequence : lm_http_query(http, "sequence");
    if (!source && !sequence) {
        return 0;
    }
    if (!source || !sequence || parse_source(source, &request->source) != 0 ||
        parse_sequence(sequence, &request->sequence) != 0) {
        gw_reply_error(
            http, 400, "bad_request",
            "Logmill-Source (up to 16 hex digits) and Logmill-Sequence (a number from 0) go together");
        return -1;
    }
    request->has_source = request->has_sequence = true;
    return 0;
}

static struct gw_request *new_request(struct gw_ingest *ingest, struct lm_http_request *http,
                                      enum gw_answer answer)
{
    struct gw_request *request = calloc(1, sizeof(*request));

    if (!request) {
        gw_reply_unavailable(http, "no memory for the request");
        return NULL;
    }
    request->ingest = ingest;
    request->answer = answer;
    request->deadline_us = lm_clock_mono_us() + ingest->config->delivery_timeout * 1000;
    if (read_stream(http, request) != 0) {
        free(request);
        return NULL;
    }
    if (request->has_source && source_is_busy(request, request->source)) {
        reply_busy(http);
        free(request);
        return NULL;
    }
    request->http = http;
    request->next = ingest->requests;
    if (request->next) {
        request->next->previous = request;
    }
    ingest->requests = request;
    return request;
}

static void refuse_body(struct lm_http_request *http, enum gw_body_result result)
{
    switch (result) {
    case GW_BODY_TOO_LARGE:
        gw_reply_error(http, 413, "too_large", "the body is larger than max_inflated when decompressed");
        break;
    case GW_BODY_UNSUPPORTED:
        gw_reply_error(http, 415, "unsupported_encoding",
                       "Content-Encoding is none of identity, gzip, deflate and zstd");
        break;
    case GW_BODY_NO_MEMORY:
        gw_reply_unavailable(http, "no memory for the body");
        break;
    default:
        gw_reply_error(http, 400, "bad_request", "the body is not what its Content-Encoding says");
        break;
    }
}

/* The common way of all routes. `category`: the only one allowed, NULL for what each record says (raw by
 * default). */
static void take(struct gw_ingest *ingest, struct lm_http_request *http, enum gw_form form,
                 enum gw_answer answer, const enum lm_category *category)
{
    struct lm_buffer inflated;
    struct gw_request *request;
    struct gw_split split;
    struct lm_error error;
    enum gw_body_result result;
    const char *body, *text;
    size_t len, text_len;

    body = lm_http_body(http, &len);
    lm_buffer_init(&inflated, (size_t)ingest->config->max_inflated);
    result = gw_body_decode(lm_http_header(http, "Content-Encoding"), body, len, &inflated, &text, &text_len);
    if (result != GW_BODY_OK) {
        refuse_body(http, result);
    } else if (gw_split_open(&split, form, text, text_len, &error) != 0) {
        gw_reply_error(http, 400, "bad_request", error.text);
    } else {
        request = new_request(ingest, http, answer);
        if (request) {
            lm_http_on_abandoned(http, on_abandoned, request);
            take_body(request, &split, category);
        }
    }
    lm_buffer_free(&inflated);
}

static void on_one(struct lm_http_request *http, void *context)
{
    take(context, http, GW_ONE, GW_ANSWER_ONE, NULL);
}

static void on_batch(struct lm_http_request *http, void *context)
{
    take(context, http, GW_LOGS, GW_ANSWER_BATCH, NULL);
}

static void on_ingest(struct lm_http_request *http, void *context)
{
    const char *name = lm_http_segment(http);
    enum lm_category category;

    if (!name || lm_category_parse(name, strlen(name), &category) != 0) {
        gw_reply_error(http, 404, "unknown_category",
                       "the category is none of raw, summary, training and tagged");
        return;
    }
    take(context, http, GW_STREAM, GW_ANSWER_INGEST, &category);
}

static void on_health(struct lm_http_request *http, void *context)
{
    gw_reply_health(http, gw_ingest_trouble(context));
}

int gw_ingest_routes(struct gw_ingest *ingest, struct lm_http_server *server, struct lm_error *error)
{
    size_t max = (size_t)ingest->config->max_body;
    const struct lm_http_route routes[] = {
        {"POST", "/api/v1/logs", max, on_one, ingest},
        {"POST", "/api/v1/logs/batch", max, on_batch, ingest},
        {"POST", "/v1/ingest/{category}", max, on_ingest, ingest},
        {"GET", "/health", 0, on_health, ingest},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (lm_http_server_route(server, &routes[i]) != 0) {
            return lm_error_set(error, LM_FATAL, "memory", "no memory for the routes");
        }
    }
    return 0;
}

const char *gw_ingest_trouble(struct gw_ingest *ingest)
{
    int64_t since = lm_kafka_producer_stalled_since(ingest->producer);
    int64_t waited = since ? lm_clock_mono_us() - since : 0;

    if (waited < STALLED_US) {
        return NULL;
    }
    snprintf(ingest->trouble, sizeof(ingest->trouble),
             "Kafka at %.60s has acknowledged nothing for %lld s: are the brokers reachable?",
             ingest->config->brokers, (long long)(waited / LM_SECOND_US));
    return ingest->trouble;
}

static void free_ingest(struct gw_ingest *ingest)
{
    for (size_t i = 0; i < LM_CATEGORY_COUNT; i++) {
        free(ingest->topics[i]);
    }
    free(ingest);
}

int gw_ingest_open(const struct gw_ingest_options *options, struct gw_ingest **out, struct lm_error *error)
{
    const struct gw_config *config = options->config;
    struct gw_ingest *ingest = calloc(1, sizeof(*ingest));

    if (!ingest) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    ingest->config = config;
    for (size_t i = 0; i < LM_CATEGORY_COUNT; i++) {
        if (asprintf(&ingest->topics[i], "%s%s", config->topic_prefix,
                     lm_category_name((enum lm_category)i)) < 0) {
            ingest->topics[i] = NULL;
            lm_error_set(error, LM_FATAL, "memory", "no memory to start");
            goto fail;
        }
    }
    ingest->accepted = lm_counter(options->metrics, "logmill_gateway_records_total", "outcome=\"accepted\"",
                                  "Records by what became of them.");
    ingest->rejected = lm_counter(options->metrics, "logmill_gateway_records_total", "outcome=\"rejected\"",
                                  "Records by what became of them.");
    ingest->refused_full = lm_counter(options->metrics, "logmill_gateway_overload_total", NULL,
                                      "Requests answered 503 because the queue to Kafka was full.");
    if (lm_kafka_producer_open(
            &(struct lm_kafka_producer_options){
                .loop = options->loop,
                .brokers = config->brokers,
                .properties = &config->kafka,
                .max_messages = (size_t)config->queue_records,
                .max_bytes = (size_t)config->queue_bytes,
                .metrics = options->metrics,
                .delivered = on_delivered,
                .context = ingest,
            },
            &ingest->producer, error) != 0) {
        goto fail;
    }
    uv_timer_init(options->loop, &ingest->deadlines);
    ingest->deadlines.data = ingest;
    uv_timer_start(&ingest->deadlines, on_tick, DEADLINE_TICK_MS, DEADLINE_TICK_MS);
    *out = ingest;
    return 0;

fail:
    free_ingest(ingest);
    return -1;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct gw_ingest *ingest = handle->data;
    void (*closed)(void *context) = ingest->closed;
    void *context = ingest->closed_context;

    free_ingest(ingest);
    closed(context);
}

static void on_producer_closed(void *context)
{
    struct gw_ingest *ingest = context;

    ingest->producer = NULL;
    uv_close((uv_handle_t *)&ingest->deadlines, on_timer_closed);
}

void gw_ingest_hurry(struct gw_ingest *ingest, unsigned within_ms)
{
    int64_t until = lm_clock_mono_us() + (int64_t)within_ms * 1000;

    if (ingest->closed && ingest->producer) {
        lm_kafka_producer_close(ingest->producer, within_ms, NULL, NULL);
    }
    for (struct gw_request *request = ingest->requests; request; request = request->next) {
        if (request->deadline_us > until) {
            request->deadline_us = until;
        }
    }
}

void gw_ingest_close(struct gw_ingest *ingest, unsigned deadline_ms, void (*closed)(void *context),
                     void *context)
{
    ingest->closed = closed;
    ingest->closed_context = context;
    lm_kafka_producer_close(ingest->producer, deadline_ms, on_producer_closed, ingest);
}
