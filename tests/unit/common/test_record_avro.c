/* Our hand-written Avro against itself, against the schema, and against avro-c as an independent writer and
 * reader. */
#include "tests/unit/common/record_fixture.h"

#include "common/record/avro_reader.h"

#include <avro.h>
#include <math.h>

static const char every_field[] =
    "{\"timestamp\":1700000000123456,\"category\":\"tagged\",\"level\":\"FATAL\",\"log_type\":\"FRONTEND\","
    "\"service\":\"shop\",\"environment\":\"staging\",\"message\":\"m "
    "\\uac00\",\"host\":\"h\",\"component\":\"c\","
    "\"module\":\"mo\",\"event_type\":\"e\",\"user_id\":\"u\",\"session_id\":\"s\",\"trace_id\":\"t\",\"span_"
    "id\":\"p\","
    "\"error_type\":\"x\",\"error_code\":\"E1\",\"stack_trace\":\"at\",\"http_status\":503,\"endpoint\":\"/"
    "a\","
    "\"method\":\"GET\",\"duration_ms\":12.5,\"client_ip\":\"::1\",\"page_path\":\"/p\",\"browser\":\"b\","
    "\"device\":\"d\",\"tags\":[\"x\",\"yy\"],\"metadata\":{\"k\":[1]},\"source\":-9223372036854775808,"
    "\"sequence\":7}";

static void make_record(struct fixture *f, const char *json)
{
    struct lm_error error;

    if (lm_record_decode_json(json, strlen(json), &f->arena, &f->record, &error) != 0 ||
        lm_record_complete(&f->record, f->record.has_category ? f->record.category : LM_RAW, 5, &f->arena,
                           &error) != 0)
        fail_msg("%s", error.text);
}

static char *json_of(struct fixture *f, const struct lm_record *record)
{
    struct lm_buffer buffer;

    lm_buffer_init(&buffer, 1 << 20);
    lm_record_write_json(record, &buffer);
    char *text = lm_arena_copy(&f->arena, buffer.data, buffer.len);
    lm_buffer_free(&buffer);
    return text;
}

static void encode(struct fixture *f, const char *json)
{
    make_record(f, json);
    lm_buffer_clear(&f->buffer);
    assert_int_equal(lm_record_encode(&f->record, &f->buffer), 0);
}

static int decode_bytes(struct fixture *f, const void *data, size_t len, struct lm_record *record)
{
    /* Exactly as many bytes as there are, so that a read behind them is seen. */
    void *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    lm_error_clear(&f->error);
    int result = lm_record_decode_avro(NULL, copy, len, &f->arena, record, &f->error);
    if (result == 0) { /* the slices must outlive the copy */
        free(copy);
        result = lm_record_decode_avro(NULL, data, len, &f->arena, record, &f->error);
    } else {
        free(copy);
    }
    return result;
}

static void the_fingerprint_is_that_of_the_schema(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        lm_avro_canonical_form(lm_record_schema->text, lm_record_schema->len, &f->buffer, &f->error), 0);
    assert_int_equal(lm_avro_fingerprint(f->buffer.data, f->buffer.len), lm_record_fingerprint());
}

static void what_is_encoded_is_decoded(void **state)
{
    static const char *const cases[] = {
        every_field, "{\"message\":\"m\"}",
        "{\"message\":\"m\",\"host\":\"\",\"tags\":[\"\"],\"timestamp\":-62135596800000000}"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lm_record decoded;
        encode(f, cases[i]);
        assert_memory_equal(f->buffer.data, "\xC3\x01", 2);
        assert_int_equal(decode_bytes(f, f->buffer.data, f->buffer.len, &decoded), 0);
        assert_true(decoded.has_category && decoded.has_timestamp);
        assert_string_equal(json_of(f, &decoded), json_of(f, &f->record));
        assert_int_equal(decoded.text[LM_HOST].data == NULL, f->record.text[LM_HOST].data == NULL);
    }
}

static void every_truncation_is_refused(void **state)
{
    struct fixture *f = *state;
    struct lm_record decoded;

    encode(f, every_field);
    for (size_t len = 2; len < f->buffer.len; len++) {
        assert_int_equal(decode_bytes(f, f->buffer.data, len, &decoded), -1);
        assert_int_equal(f->error.decision, LM_DEAD_LETTER);
        assert_string_equal(f->error.kind, "truncated");
    }
    lm_buffer_append_char(&f->buffer, 'x');
    assert_int_equal(decode_bytes(f, f->buffer.data, f->buffer.len, &decoded), -1);
    assert_string_equal(f->error.kind, "trailing_bytes");
}

/* A datum up to the message, then what the case says, as bytes. */
static void bad_bytes_are_named_by_kind(void **state)
{
#define HEAD "\0\0\2\0\0\0\2m"
#define NONE_TO_TAGS                                                                                         \
    "\0\0\0\0\0\0\0\0\0\0\0"                                                                                 \
    "\0"                                                                                                     \
    "\0\0"                                                                                                   \
    "\0"                                                                                                     \
    "\0\0\0\0"
    static const struct {
        const char *bytes;
        size_t len;
        const char *kind;
    } cases[] = {
#define CASE(text, kind) {text, sizeof(text) - 1, kind}
        CASE(HEAD NONE_TO_TAGS "\0\0\0\0", NULL),
        CASE(HEAD NONE_TO_TAGS "\2\2a\0\0\0\0", NULL),
        CASE(HEAD NONE_TO_TAGS "\1\4\2a\0\0\0\0", NULL),     /* a block of -1 with its 2 bytes */
        CASE(HEAD NONE_TO_TAGS "\2\2a\2\2b\0\0\0\0", NULL),  /* two blocks */
        CASE(HEAD NONE_TO_TAGS "\1\6\2a\0\0\0\0", "length"), /* 3 bytes said, 2 there */
        CASE(HEAD NONE_TO_TAGS "\1\1\2a\0\0\0\0", "length"), /* -1 bytes */
        CASE(HEAD NONE_TO_TAGS "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\2\0\0\0\0",
             "truncated"), /* INT64_MIN items */
        CASE(HEAD NONE_TO_TAGS "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0",
             "truncated"), /* INT64_MAX items */
        CASE("\0\10\2\0\0\0\2m" NONE_TO_TAGS "\0\0\0\0", "enum_index"),
        CASE("\0\1\2\0\0\0\2m" NONE_TO_TAGS "\0\0\0\0", "enum_index"),
        CASE("\0\0\12\0\0\0\2m" NONE_TO_TAGS "\0\0\0\0", "enum_index"),
        CASE(HEAD "\4" NONE_TO_TAGS, "union_index"),
        CASE(HEAD "\1" NONE_TO_TAGS, "union_index"),
        CASE("\0\0\2\1", "length"),
        CASE("\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", "length"),
        CASE("\0\0\2\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1", "truncated"),
        CASE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", "undecodable"),
        CASE("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", "undecodable"),
        CASE(HEAD "\0\0\0\0\0\0\0\0\0\0\0"
                  "\2\x80\x80\x80\x80\x20",
             "undecodable"), /* http_status 2^32 */
        CASE("", "truncated"),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lm_record record;
        void *copy = malloc(cases[i].len > 0 ? cases[i].len : 1);
        memcpy(copy, cases[i].bytes, cases[i].len);
        lm_error_clear(&f->error);
        int result = lm_record_decode_datum(copy, cases[i].len, &f->arena, &record, &f->error);
        free(copy);
        if (strcmp(f->error.kind, cases[i].kind != NULL ? cases[i].kind : "") != 0 ||
            (result == 0) != (cases[i].kind == NULL))
            fail_msg("case %zu: %s %s", i, f->error.kind, f->error.text);
    }
}

static void a_full_arena_is_not_the_records_fault(void **state)
{
    struct fixture *f = *state;
    struct lm_arena none;
    struct lm_record record;

    encode(f, every_field);
    lm_arena_init(&none, 0);
    assert_int_equal(lm_record_decode_avro(NULL, f->buffer.data, f->buffer.len, &none, &record, &f->error),
                     -1);
    assert_int_equal(f->error.decision, LM_RETRY);
    lm_arena_free(&none);
    struct lm_buffer small;
    lm_buffer_init(&small, 20);
    assert_int_equal(lm_record_encode(&f->record, &small), -1);
    lm_buffer_free(&small);
}

static void avro_c_reads_what_we_encode(void **state)
{
    struct fixture *f = *state;
    avro_schema_t schema;
    avro_value_t value, field, branch;
    const char *text;
    size_t size;

    encode(f, every_field);
    assert_int_equal(avro_schema_from_json_length(lm_record_schema->text, lm_record_schema->len, &schema), 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    assert_int_equal(avro_generic_value_new(class, &value), 0);
    avro_reader_t reader = avro_reader_memory(f->buffer.data + 10, (int64_t)f->buffer.len - 10);
    assert_int_equal(avro_value_read(reader, &value), 0);
    char rest;
    assert_int_not_equal(avro_read(reader, &rest, 1), 0);
    char *json;
    assert_int_equal(avro_value_to_json(&value, 1, &json), 0);
    assert_non_null(
        strstr(json, "\"timestamp\": 1700000000123456, \"category\": \"tagged\", \"level\": \"FATAL\""));
    assert_non_null(strstr(json, "\"duration_ms\": {\"double\": 12.5}"));
    assert_non_null(strstr(json, "\"tags\": [\"x\", \"yy\"]"));
    assert_non_null(
        strstr(json, "\"source\": {\"long\": -9223372036854775808}, \"sequence\": {\"long\": 7}"));
    free(json);
    size_t count;
    const struct lm_record_field *fields = lm_record_fields(&count);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind != LM_FIELD_TEXT)
            continue;
        assert_int_equal(avro_value_get_by_name(&value, fields[i].name, &field, NULL), 0);
        if (fields[i].nullable)
            assert_int_equal(avro_value_get_current_branch(&field, &branch), 0);
        assert_int_equal(avro_value_get_string(fields[i].nullable ? &branch : &field, &text, &size), 0);
        assert_slice(f->record.text[fields[i].text], text);
    }
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
}

static void numbers_read_to_their_last_bit(void **state)
{
    static const struct {
        const char *bytes;
        int64_t value;
    } cases[] = {{"\0", 0},
                 {"\1", -1},
                 {"\2", 1},
                 {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1", INT64_MAX},
                 {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", INT64_MIN},
                 {"\x80\1", 64}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lm_avro_reader in;
        lm_avro_reader_init(&in, cases[i].bytes, i == 0 ? 1 : strlen(cases[i].bytes));
        assert_int_equal(lm_avro_long(&in), cases[i].value);
        assert_int_equal(lm_avro_reader_finish(&in, NULL), 0);
    }
}

/* With room for a word behind it a number is read another way than at the end. */
static void a_number_is_the_same_whatever_follows(void **state)
{
    char bytes[10 + sizeof(uint64_t)];

    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (uint64_t less = 0; less <= 1; less++) {
            uint64_t zigzag = (bit < 64 ? UINT64_C(1) << bit : 0) - less;
            size_t len = 0;
            memset(bytes, bit % 2 ? 0xFF : 0, sizeof bytes);
            for (uint64_t rest = zigzag; len == 0 || rest > 0; rest >>= 7)
                bytes[len++] = (char)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
            for (size_t size = len; size <= sizeof bytes; size++) {
                struct lm_avro_reader in;
                lm_avro_reader_init(&in, bytes, size);
                assert_int_equal(lm_avro_long(&in), (int64_t)((zigzag >> 1) ^ (0 - (zigzag & 1))));
                assert_int_equal(in.at - in.start, len);
                assert_null(in.fault);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_fingerprint_is_that_of_the_schema),
        FIXTURE_TEST(what_is_encoded_is_decoded),
        FIXTURE_TEST(every_truncation_is_refused),
        FIXTURE_TEST(bad_bytes_are_named_by_kind),
        FIXTURE_TEST(a_full_arena_is_not_the_records_fault),
        FIXTURE_TEST(avro_c_reads_what_we_encode),
        cmocka_unit_test(numbers_read_to_their_last_bit),
        cmocka_unit_test(a_number_is_the_same_whatever_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
