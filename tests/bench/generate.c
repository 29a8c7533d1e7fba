/*
 * logmill-generate: N log records into a topic, the same ones for the same seed, for benches and chaos tests.
 * With --nul-every N one record in N has a message that cannot be stored, with --refused-every N a log_type
 * REFUSED, for a constraint to refuse; both carry their number in the header x-n.
 * About 310 bytes as Avro, 24 fields. Record i goes to partition i % P and carries its number within the
 * partition in metadata ("n", from 0), so that a test can tell lost from doubled. With --sources S each
 * partition has S ordered streams (source, sequence); the stream of a record depends on its number only, so
 * that sending again repeats exactly. With --live a record's time is when it was handed to Kafka; what
 * --linger-ms collects leaves in one request. Services are --services made-up ones or those of
 * --service-names, levels all five or, with --levels 3, INFO, WARN and ERROR as 7 : 2 : 1.
 */
#include "common/buffer.h"
#include "common/clock.h"
#include "common/kafka/kafka_producer.h"
#include "common/record/record_avro.h"
#include "common/record/record_json.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct generator {
    const char *brokers, *topic, *service_names; /* names: separated by commas, or NULL */
    char *linger_ms;                             /* NULL: as the producer has it */
    int64_t count, from, seed, base_us, step_us, rate;
    int32_t partitions;
    int sources, services, levels;
    bool json, live;

    uv_loop_t loop;
    uv_timer_t timer; /* for --rate */
    struct lm_kafka_producer *producer;
    int64_t nul_every, refused_every;
    struct lm_arena arena;
    struct lm_buffer value;
    int64_t next, delivered, failed, started_us;
};

static const char *const hosts[] = {"web-1", "web-2", "web-3", "db-1", "cache-1"};
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
static const char *const components[] = {"http", "db", "cache", "queue", "scheduler"};
static const char *const errors[] = {"TimeoutError", "ConnectionError", "ValueError"};

/* splitmix64 of seed and number: every record on its own, whatever was made before it. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct lm_slice text(struct lm_arena *arena, const char *format, ...) LM_PRINTF(2, 3);

static struct lm_slice text(struct lm_arena *arena, const char *format, ...)
{
    char buffer[256];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    return (struct lm_slice){lm_arena_copy(arena, buffer, (size_t)len), (size_t)len};
}

static struct lm_slice fixed(const char *value)
{
    return (struct lm_slice){value, strlen(value)};
}

/* One of the names of a list separated by commas. */
static struct lm_slice listed(const char *names, unsigned nth)
{
    while (nth-- > 0)
        names = strchr(names, ',') + 1;
    return (struct lm_slice){names, strcspn(names, ",")};
}

static enum lm_level level_of(const struct generator *g, unsigned kind)
{
    if (g->levels == 3)
        return kind < 70 ? LM_INFO : kind < 90 ? LM_WARN : LM_ERROR;
    return kind < 10   ? LM_DEBUG
           : kind < 85 ? LM_INFO
           : kind < 94 ? LM_WARN
           : kind < 99 ? LM_ERROR
                       : LM_LEVEL_FATAL;
}

static void make(struct generator *g, int64_t i, struct lm_record *record)
{
    uint64_t state = (uint64_t)g->seed * 1000003 + (uint64_t)i;
    struct lm_arena *arena = &g->arena;
    struct lm_slice *field = record->text;
    uint64_t r = draw(&state);
    unsigned service = (unsigned)(r % (unsigned)g->services), kind = (unsigned)((r >> 8) % 100);
    int64_t n = i / g->partitions;

    lm_arena_reset(arena);
    lm_record_init(record);
    record->has_timestamp = true;
    record->timestamp_us = g->base_us + i * g->step_us + (int64_t)(draw(&state) % 1000);
    if (g->live)
        record->timestamp_us = lm_clock_wall_us();
    record->level = level_of(g, kind);
    field[LM_LOG_TYPE] = fixed("BACKEND");
    field[LM_SERVICE] =
        g->service_names ? listed(g->service_names, service) : text(arena, "service-%02u", service);
    field[LM_ENVIRONMENT] = fixed(r >> 20 & 1 ? "production" : "staging");
    field[LM_MESSAGE] = text(arena, "request %" PRId64 " of user u%u took %u ms on %s", n,
                             (unsigned)(r >> 24 & 0xfff), (unsigned)(r >> 40 & 0x3ff), hosts[r % 5]);
    field[LM_HOST] = fixed(hosts[r % 5]);
    field[LM_COMPONENT] = fixed(components[r >> 3 & 3]);
    field[LM_MODULE] = text(arena, "module_%u", (unsigned)(r >> 6 & 7));
    field[LM_EVENT_TYPE] = fixed("request");
    field[LM_USER_ID] = text(arena, "u%u", (unsigned)(r >> 24 & 0xfff));
    field[LM_SESSION_ID] = text(arena, "s%08x", (unsigned)(draw(&state) & 0xffffffff));
    field[LM_TRACE_ID] = text(arena, "%016" PRIx64 "%016" PRIx64, draw(&state), draw(&state));
    field[LM_SPAN_ID] = text(arena, "%016" PRIx64, draw(&state));
    field[LM_ENDPOINT] = text(arena, "/api/v1/orders/%u", (unsigned)(r >> 12 & 31));
    field[LM_METHOD] = fixed(methods[r >> 14 & 3]);
    field[LM_CLIENT_IP] =
        text(arena, "10.%u.%u.%u", (unsigned)(r & 255), (unsigned)(r >> 8 & 255), (unsigned)(r >> 16 & 255));
    field[LM_METADATA] = text(arena, "{\"n\":%" PRId64 ",\"region\":\"ap-%u\"}", n, (unsigned)(r & 3));
    if (record->level >= LM_ERROR) {
        field[LM_ERROR_TYPE] = fixed(errors[r % 3]);
        field[LM_ERROR_CODE] = text(arena, "E%u", (unsigned)(r & 15));
    }
    if (kind % 5 != 0) {
        record->has_duration = true;
        record->duration_ms = (double)(draw(&state) % 2000000) / 1000.0;
    }
    record->has_http_status = true;
    record->http_status = record->level >= LM_ERROR ? 500 : 200;
    if (g->sources > 0) {
        record->has_source = record->has_sequence = true;
        record->source = ((i % g->partitions) << 32) + n % g->sources;
        record->sequence = n;
    }
}

/* Makes some records what cannot be stored. True: this is one. */
static bool spoil(const struct generator *g, struct lm_record *record)
{
    uint64_t state = ~((uint64_t)g->seed * 1000003 + (uint64_t)g->next), r = draw(&state);

    if (g->nul_every > 0 && r % (uint64_t)g->nul_every == 0)
        record->text[LM_MESSAGE] = LM_SLICE("a\0b");
    else if (g->refused_every > 0 && r % (uint64_t)g->refused_every == 0)
        record->text[LM_LOG_TYPE] = LM_SLICE("REFUSED");
    else
        return false;
    return true;
}

/* True: there is room for more. */
static bool send_next(struct generator *g)
{
    struct lm_record record;
    struct lm_error error;
    struct lm_kafka_message message = {.topic = g->topic, .partition = (int32_t)(g->next % g->partitions)};
    rd_kafka_headers_t *headers = NULL;
    int outcome;

    make(g, g->next, &record);
    if (spoil(g, &record)) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%" PRId64, g->next);
        headers = rd_kafka_headers_new(1);
        (void)rd_kafka_header_add(headers, "x-n", -1, number, -1);
        message.headers = headers;
    }
    lm_buffer_clear(&g->value);
    if (g->json)
        lm_record_write_json(&record, &g->value);
    else if (lm_record_encode(&record, &g->value) != 0)
        g->value.failed = true;
    if (g->value.failed) {
        fputs("logmill-generate: a record cannot be encoded\n", stderr);
        exit(1);
    }
    message.value = g->value.data;
    message.value_len = g->value.len;
    outcome = lm_kafka_producer_send(g->producer, &message, &error);
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    if (outcome < 0) {
        fprintf(stderr, "logmill-generate: %s\n", error.text);
        exit(1);
    }
    g->next += outcome == 0;
    return outcome == 0;
}

static void on_closed(void *context)
{
    struct generator *g = context;
    uv_close((uv_handle_t *)&g->timer, NULL);
}

static void send_some(struct generator *g)
{
    int64_t upto = g->count;
    if (g->rate > 0) {
        int64_t due = g->from + (lm_clock_mono_us() - g->started_us) * g->rate / LM_SECOND_US;
        upto = due < upto ? due : upto;
    }
    while (g->next < upto && send_next(g))
        ;
}

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct generator *g = context;
    (void)opaque;
    if (error != NULL) {
        if (g->failed++ == 0)
            fprintf(stderr, "logmill-generate: not delivered: %s\n", error->text);
    } else {
        g->delivered++;
    }
    if (g->delivered + g->failed == g->count - g->from) {
        (void)uv_timer_stop(&g->timer);
        lm_kafka_producer_close(g->producer, 1000, on_closed, g);
    }
}

static void on_room(void *context)
{
    send_some(context);
}

static void on_timer(uv_timer_t *timer)
{
    send_some(timer->data);
}

static int parse(struct generator *g, int argc, char **argv)
{
    static const struct option options[] = {{"brokers", required_argument, NULL, 'b'},
                                            {"topic", required_argument, NULL, 't'},
                                            {"partitions", required_argument, NULL, 'p'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"nul-every", required_argument, NULL, 'N'},
                                            {"refused-every", required_argument, NULL, 'R'},
                                            {"base-us", required_argument, NULL, 'a'},
                                            {"step-us", required_argument, NULL, 'u'},
                                            {"sources", required_argument, NULL, 'S'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"services", required_argument, NULL, 'v'},
                                            {"service-names", required_argument, NULL, 'V'},
                                            {"levels", required_argument, NULL, 'L'},
                                            {"linger-ms", required_argument, NULL, 'g'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"live", no_argument, NULL, 'l'},
                                            {0}};
    int c;

    *g = (struct generator){.brokers = "localhost:9092",
                            .partitions = 4,
                            .count = 1000,
                            .seed = 1,
                            .step_us = 1000,
                            .services = 20,
                            .levels = LM_LEVEL_COUNT};
    g->base_us = lm_clock_wall_us() / LM_HOUR_US * LM_HOUR_US - LM_HOUR_US;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'b':
            g->brokers = optarg;
            break;
        case 't':
            g->topic = optarg;
            break;
        case 'p':
            g->partitions = (int32_t)strtol(optarg, NULL, 10);
            break;
        case 'n':
            g->count = strtoll(optarg, NULL, 10);
            break;
        case 'f':
            g->from = strtoll(optarg, NULL, 10);
            break;
        case 's':
            g->seed = strtoll(optarg, NULL, 10);
            break;
        case 'N':
            g->nul_every = strtoll(optarg, NULL, 10);
            break;
        case 'R':
            g->refused_every = strtoll(optarg, NULL, 10);
            break;
        case 'a':
            g->base_us = strtoll(optarg, NULL, 10);
            break;
        case 'u':
            g->step_us = strtoll(optarg, NULL, 10);
            break;
        case 'S':
            g->sources = (int)strtol(optarg, NULL, 10);
            break;
        case 'r':
            g->rate = strtoll(optarg, NULL, 10);
            break;
        case 'v':
            g->services = (int)strtol(optarg, NULL, 10);
            break;
        case 'V':
            g->service_names = optarg;
            g->services = 1;
            for (const char *comma = optarg; (comma = strchr(comma, ',')) != NULL; comma++)
                g->services++;
            break;
        case 'L':
            g->levels = (int)strtol(optarg, NULL, 10);
            break;
        case 'g':
            g->linger_ms = optarg;
            break;
        case 'j':
            g->json = true;
            break;
        case 'l':
            g->live = true;
            break;
        default:
            return -1;
        }
    }
    if (g->levels != 3 && g->levels != LM_LEVEL_COUNT)
        return -1;
    return g->topic == NULL || g->partitions < 1 || g->services < 1 || g->count <= g->from ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct generator g;
    struct lm_error error;

    if (parse(&g, argc, argv) != 0) {
        fputs("usage: logmill-generate --topic T [--brokers B] [--partitions P] [--count N] [--from I] "
              "[--seed S]\n"
              "       [--nul-every N] [--refused-every N]\n"
              "       [--base-us US] [--step-us US] [--sources N] [--services N]\n"
              "       [--service-names A,B,…] [--levels 3|5]\n"
              "       [--rate RECORDS/S] [--linger-ms MS] [--live] [--json]\n",
              stderr);
        return 2;
    }
    lm_arena_init(&g.arena, 1 << 20);
    lm_buffer_init(&g.value, 1 << 20);
    (void)uv_loop_init(&g.loop);
    (void)uv_timer_init(&g.loop, &g.timer);
    g.timer.data = &g;
    struct lm_config_map properties = {
        .names = (char *[]){"linger.ms"}, .values = &g.linger_ms, .count = g.linger_ms != NULL};
    struct lm_kafka_producer_options options = {.loop = &g.loop,
                                                .brokers = g.brokers,
                                                .properties = &properties,
                                                .delivered = on_delivered,
                                                .room = on_room,
                                                .context = &g};
    if (lm_kafka_producer_open(&options, &g.producer, &error) != 0) {
        fprintf(stderr, "logmill-generate: %s\n", error.text);
        return 1;
    }
    g.next = g.from;
    g.started_us = lm_clock_mono_us();
    (void)uv_timer_start(&g.timer, on_timer, 0, 5);
    (void)uv_run(&g.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&g.loop);
    lm_buffer_free(&g.value);
    lm_arena_free(&g.arena);
    printf("%" PRId64 " records, %" PRId64 " not delivered, %.1f s\n", g.delivered, g.failed,
           (double)(lm_clock_mono_us() - g.started_us) / 1e6);
    return g.failed > 0;
}
