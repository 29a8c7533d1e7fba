/*
 * Nanoseconds of CPU time a record: encoding, decoding and completing one of about 310 bytes with 24 fields
 * set, and its pattern. bench_record [RECORDS]
 */
#include "common/pattern/pattern.h"
#include "common/record/record_avro.h"
#include "common/record/record_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_RECORDS = 500000, ARENA_BYTES = 1 << 20, RECORDS_AN_ARENA = 500 };

static const char sample[] =
    "{\"timestamp\":1700000000123456,\"level\":\"ERROR\",\"service\":\"payment-api\",\"environment\":"
    "\"production\","
    "\"message\":\"timeout after 5200ms while charging order 1234567 at "
    "10.20.30.40:8443\",\"host\":\"node-17\","
    "\"component\":\"gateway\",\"module\":\"charge\",\"event_type\":\"charge_failed\",\"user_id\":\"u-"
    "883112\","
    "\"session_id\":\"s-7712aa\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":"
    "\"00f067aa0ba902b7\","
    "\"error_type\":\"TimeoutError\",\"error_code\":\"E5040\",\"http_status\":504,\"endpoint\":\"/api/v1/"
    "charge\","
    "\"method\":\"POST\",\"duration_ms\":5200.25,\"client_ip\":\"203.0.113.77\",\"tags\":[\"card\",\"eu\"],"
    "\"metadata\":{\"attempt\":3,\"bank\":\"north\"},\"source\":81985529216486895,\"sequence\":42}";

struct bench {
    struct lm_arena arena;
    struct lm_buffer avro, text;
    struct lm_record record;
    struct lm_error error;
};

static void fail(const char *what, const struct lm_error *error)
{
    fprintf(stderr, "bench_record: %s: %s\n", what, error->text);
    exit(1);
}

static void encode(struct bench *b)
{
    lm_buffer_clear(&b->avro);
    if (lm_record_encode(&b->record, &b->avro) != 0)
        fail("encode", &b->error);
}

static void decode_avro(struct bench *b)
{
    struct lm_record record;

    if (lm_record_decode_avro(NULL, b->avro.data, b->avro.len, &b->arena, &record, &b->error) != 0)
        fail("decode Avro", &b->error);
}

static void decode_avro_complete(struct bench *b)
{
    struct lm_record record;

    if (lm_record_decode_avro(NULL, b->avro.data, b->avro.len, &b->arena, &record, &b->error) != 0 ||
        lm_record_complete(&record, LM_RAW, 1, &b->arena, &b->error) != 0)
        fail("decode Avro", &b->error);
}

static void decode_json(struct bench *b)
{
    struct lm_record record;

    if (lm_record_decode_json(sample, sizeof sample - 1, &b->arena, &record, &b->error) != 0)
        fail("decode JSON", &b->error);
}

static void write_json(struct bench *b)
{
    lm_buffer_clear(&b->text);
    lm_record_write_json(&b->record, &b->text);
}

static void pattern(struct bench *b)
{
    (void)lm_pattern(b->record.text[LM_MESSAGE].data, b->record.text[LM_MESSAGE].len, &b->text);
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(const char *name, void (*step)(struct bench *), struct bench *b, long records)
{
    double start = cpu_ns();

    for (long i = 0; i < records; i++) {
        if (i % RECORDS_AN_ARENA == 0)
            lm_arena_reset(&b->arena);
        step(b);
    }
    double ns = (cpu_ns() - start) / (double)records;
    printf("%-22s %7.0f ns a record\n", name, ns);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct lm_arena kept;
    long records = argc > 1 ? atol(argv[1]) : DEFAULT_RECORDS;

    lm_arena_init(&b.arena, ARENA_BYTES);
    lm_arena_init(&kept, ARENA_BYTES);
    lm_buffer_init(&b.avro, ARENA_BYTES);
    lm_buffer_init(&b.text, ARENA_BYTES);
    if (lm_record_decode_json(sample, sizeof sample - 1, &kept, &b.record, &b.error) != 0 ||
        lm_record_complete(&b.record, LM_RAW, 1, &kept, &b.error) != 0)
        fail("sample", &b.error);
    encode(&b);
    printf("%zu bytes of Avro, %zu of JSON\n", b.avro.len, sizeof sample - 1);
    measure("encode Avro", encode, &b, records);
    measure("decode Avro", decode_avro, &b, records);
    measure("decode Avro, complete", decode_avro_complete, &b, records);
    measure("decode JSON", decode_json, &b, records);
    measure("write JSON", write_json, &b, records);
    measure("pattern", pattern, &b, records);
    lm_buffer_free(&b.text);
    lm_buffer_free(&b.avro);
    lm_arena_free(&kept);
    lm_arena_free(&b.arena);
    return 0;
}
