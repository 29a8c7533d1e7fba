/* Canonical form and fingerprints by Apache's vectors; values of other writers, written by avro-c. */
#include "tests/unit/common/record_fixture.h"

#include "common/record/avro_datum.h"
#include "failing_alloc.h"

#include <avro.h>
#include <math.h>

/* ---- canonical form ---- */

static void assert_canonical(struct fixture *f, const char *schema, size_t len, const char *expected)
{
    lm_buffer_clear(&f->buffer);
    if (lm_avro_canonical_form(schema, len, &f->buffer, &f->error) != 0)
        fail_msg("%.*s: %s", (int)len, schema, f->error.text);
    assert_string_equal(lm_buffer_text(&f->buffer), expected);
}

/* <<INPUT text, or <<INPUT lines up to INPUT; <<canonical text; <<fingerprint number. */
static void apaches_schema_vectors_pass(void **state)
{
    struct fixture *f = *state;
    size_t len, schemas = 0, fingerprints = 0;
    char *file = read_data_file("conformance/avro/schema-tests.txt", &len);

    if (file == NULL)
        skip();
    char *input = NULL, *rest = file, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strcmp(line, "<<INPUT") == 0) {
            input = rest;
            char *end = strstr(rest, "\nINPUT\n");
            assert_non_null(end);
            *end = '\0';
            rest = end + strlen("\nINPUT\n");
        } else if (strncmp(line, "<<INPUT ", 8) == 0) {
            input = line + 8;
        } else if (strncmp(line, "<<canonical ", 12) == 0) {
            assert_canonical(f, input, strlen(input), line + 12);
            schemas++;
        } else if (strncmp(line, "<<fingerprint ", 14) == 0) {
            uint64_t expected = (uint64_t)strtoll(line + 14, NULL, 10);
            assert_int_equal(lm_avro_fingerprint(f->buffer.data, f->buffer.len), expected);
            fingerprints++;
        }
    }
    assert_int_equal(schemas, 34);
    assert_int_equal(fingerprints, 26);
    free(file);
}

static void apaches_single_object_message_is_read(void **state)
{
    struct fixture *f = *state;
    size_t schema_len, message_len = 0;
    char *schema = read_data_file("conformance/avro/messageV1/test_schema.avsc", &schema_len);
    char *message =
        schema != NULL ? read_data_file("conformance/avro/messageV1/test_message.bin", &message_len) : NULL;

    if (message == NULL)
        skip();
    struct lm_schema_set *set = lm_schema_set_new();
    uint64_t fingerprint;
    assert_int_equal(lm_record_decode_avro(set, message, message_len, &f->arena, &f->record, &f->error), -1);
    assert_int_equal(f->error.decision, LM_RETRY);
    assert_string_equal(f->error.kind, "unknown_schema");
    assert_int_equal(lm_schema_set_add(set, schema, schema_len, &fingerprint, &f->error), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal((unsigned char)message[2 + i], (fingerprint >> (8 * i)) & 0xFF);
    assert_int_equal(lm_record_decode_avro(set, message, message_len, &f->arena, &f->record, &f->error), 0);
    assert_int_equal(f->record.tag_count, 2);
    assert_slice(f->record.tags[0], "dog_lover");
    assert_slice(f->record.tags[1], "cat_hater");
    assert_slice(f->record.text[LM_METADATA], "{\"id\":42,\"name\":\"Bill\"}");
    lm_schema_set_free(set);
    free(schema);
    free(message);
}

static const char defined_twice[] =
    "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"fixed\","
    "\"name\":\"a\",\"size\":1}}]}";

static void bad_schemas_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{",
        "5",
        "true",
        "\"unknown\"",
        "{\"type\":\"record\"}",
        "{\"type\":\"record\",\"name\":\"a\"}",
        "{\"type\":\"record\",\"name\":\"a b\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"a.\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"1x\",\"type\":\"int\"}]}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\"}]}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":\"b\"}]}",
        "{\"type\":\"enum\",\"name\":\"a\"}",
        "{\"type\":\"enum\",\"name\":\"a\",\"symbols\":[1]}",
        "{\"type\":\"enum\",\"name\":\"a\",\"symbols\":[\"\\\"\"]}",
        "{\"type\":\"fixed\",\"name\":\"a\"}",
        "{\"type\":\"fixed\",\"name\":\"a\",\"size\":-1}",
        "{\"type\":\"array\"}",
        "{\"type\":\"map\",\"values\":7}",
        "[\"int\",[\"long\"]]",
        "{\"type\":\"int\",\"type\":\"int\"}",
        defined_twice,
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (lm_avro_canonical_form(cases[i], strlen(cases[i]), &f->buffer, &f->error) == 0)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(f->error.decision, LM_DEAD_LETTER);
        assert_string_equal(f->error.kind, "schema");
    }
    lm_buffer_clear(&f->buffer);
    for (int i = 0; i < 100; i++)
        lm_buffer_append_text(&f->buffer, "{\"type\":\"array\",\"items\":");
    lm_buffer_append_text(&f->buffer, "\"int\"");
    for (int i = 0; i < 100; i++)
        lm_buffer_append_char(&f->buffer, '}');
    struct lm_buffer out;
    lm_buffer_init(&out, 1 << 20);
    assert_int_equal(lm_avro_canonical_form(f->buffer.data, f->buffer.len, &out, &f->error), -1);
    assert_string_equal(f->error.kind, "schema");
    lm_buffer_free(&out);
}

/* ---- values of other writers ---- */

struct other {
    struct lm_schema_set *set;
    uint64_t fingerprint;
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
};

static void other_open(struct fixture *f, struct other *other, const char *schema)
{
    other->set = lm_schema_set_new();
    assert_non_null(other->set);
    if (lm_schema_set_add(other->set, schema, strlen(schema), &other->fingerprint, &f->error) != 0)
        fail_msg("%s", f->error.text);
    if (avro_schema_from_json_length(schema, strlen(schema), &other->schema) != 0)
        fail_msg("avro-c: %s", avro_strerror());
    other->class = avro_generic_class_from_schema(other->schema);
    assert_int_equal(avro_generic_value_new(other->class, &other->value), 0);
}

static void other_close(struct other *other)
{
    avro_value_decref(&other->value);
    avro_value_iface_decref(other->class);
    avro_schema_decref(other->schema);
    lm_schema_set_free(other->set);
}

/* The value as avro-c writes it, as a single object, into the fixture's buffer. */
static void other_write(struct fixture *f, struct other *other)
{
    static char bytes[1 << 16];
    avro_writer_t writer = avro_writer_memory(bytes, sizeof bytes);

    assert_int_equal(avro_value_write(writer, &other->value), 0);
    lm_buffer_clear(&f->buffer);
    lm_buffer_append(&f->buffer, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++)
        lm_buffer_append_char(&f->buffer, (char)(other->fingerprint >> (8 * i)));
    lm_buffer_append(&f->buffer, bytes, (size_t)avro_writer_tell(writer));
    avro_writer_free(writer);
}

static avro_value_t field_of(struct other *other, const char *name)
{
    avro_value_t field = {0};

    assert_int_equal(avro_value_get_by_name(&other->value, name, &field, NULL), 0);
    return field;
}

/* An older build: fewer fields, levels in another order, one level more, a field renamed since, one unknown
 * here. */
static const char older[] =
    "{\"type\":\"record\",\"name\":\"LogRecord\",\"namespace\":\"io.logmill\",\"fields\":["
    "{\"name\":\"level\",\"type\":{\"type\":\"enum\",\"name\":\"Level\",\"symbols\":[\"TRACE\",\"FATAL\","
    "\"ERROR\",\"ODD\"]}},"
    "{\"name\":\"text\",\"aliases\":[\"nothing\",\"message\"],\"type\":\"string\"},"
    "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"duration_ms\",\"type\":[\"null\",\"float\",\"double\"]},"
    "{\"name\":\"http_status\",\"type\":[\"int\",\"null\"]},"
    "{\"name\":\"service\",\"type\":\"bytes\"},"
    "{\"name\":\"shard\",\"type\":\"long\"},"
    "{\"name\":\"labels\",\"type\":{\"type\":\"map\",\"values\":\"boolean\"}},"
    "{\"name\":\"digest\",\"type\":{\"type\":\"fixed\",\"name\":\"Digest\",\"size\":2}},"
    "{\"name\":\"seen\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"again\",\"type\":[\"null\",\"LogRecord\"]}]}";

static void set_older(struct other *other, int level)
{
    avro_value_t branch, element, field;

    field = field_of(other, "level");
    avro_value_set_enum(&field, level);
    field = field_of(other, "text");
    avro_value_set_string(&field, "hello \"x\"");
    field = field_of(other, "timestamp");
    avro_value_set_long(&field, 1700000000123);
    field = field_of(other, "duration_ms");
    avro_value_set_branch(&field, 1, &branch);
    avro_value_set_float(&branch, 1.5f);
    field = field_of(other, "http_status");
    avro_value_set_branch(&field, 0, &branch);
    avro_value_set_int(&branch, 404);
    field = field_of(other, "service");
    avro_value_set_bytes(&field, "shop", 4);
    field = field_of(other, "shard");
    avro_value_set_long(&field, INT64_MAX);
    field = field_of(other, "labels");
    avro_value_add(&field, "a", &element, NULL, NULL);
    avro_value_set_boolean(&element, 1);
    field = field_of(other, "digest");
    avro_value_set_fixed(&field, "\x01\xff", 2);
    field = field_of(other, "seen");
    avro_value_set_long(&field, 1500000);
    field = field_of(other, "again");
    avro_value_set_branch(&field, 0, &branch);
    avro_value_set_null(&branch);
}

static void another_writers_fields_are_mapped_by_name(void **state)
{
    static const enum lm_level levels[] = {LM_DEBUG, LM_LEVEL_FATAL, LM_ERROR};
    struct fixture *f = *state;
    struct other other;

    other_open(f, &other, older);
    for (int level = 0; level < 4; level++) {
        set_older(&other, level);
        other_write(f, &other);
        if (lm_record_decode_avro(other.set, f->buffer.data, f->buffer.len, &f->arena, &f->record,
                                  &f->error) != 0)
            fail_msg("%s", f->error.text);
        assert_int_equal(f->record.level, level < 3 ? levels[level] : LM_INFO);
        assert_slice(f->record.text[LM_MESSAGE], "hello \"x\"");
        assert_int_equal(f->record.timestamp_us, 1700000000123000);
        assert_true(f->record.has_duration && f->record.duration_ms == 1.5);
        assert_int_equal(f->record.http_status, 404);
        assert_slice(f->record.text[LM_SERVICE], "shop");
        assert_false(f->record.has_category);
        assert_slice(f->record.text[LM_METADATA],
                     level < 3
                         ? "{\"shard\":9223372036854775807,\"labels\":{\"a\":true},\"digest\":\"\\\\x01ff\","
                           "\"seen\":\"1970-01-01T00:00:01.5Z\",\"again\":null}"
                         : "{\"level\":\"ODD\",\"shard\":9223372036854775807,\"labels\":{\"a\":true},"
                           "\"digest\":\"\\\\x01ff\",\"seen\":\"1970-01-01T00:00:01.5Z\",\"again\":null}");
        assert_int_equal(lm_record_complete(&f->record, LM_RAW, 1, &f->arena, &f->error), 0);
        assert_slice(f->record.text[LM_ENVIRONMENT], "production");
        avro_value_reset(&other.value);
    }
    other_close(&other);
}

static void odd_values_of_other_writers_are_kept_or_named(void **state)
{
    struct fixture *f = *state;
    struct other other;
    avro_value_t branch, field;

    other_open(f, &other, older);
    set_older(&other, 0);
    field = field_of(&other, "duration_ms");
    avro_value_set_branch(&field, 2, &branch);
    avro_value_set_double(&branch, NAN);
    other_write(f, &other);
    assert_int_equal(
        lm_record_decode_avro(other.set, f->buffer.data, f->buffer.len, &f->arena, &f->record, &f->error), 0);
    assert_false(f->record.has_duration);
    assert_non_null(strstr(f->record.text[LM_METADATA].data, "\"duration_ms\":\"NaN\""));
    field = field_of(&other, "timestamp");
    avro_value_set_long(&field, INT64_MAX);
    other_write(f, &other);
    assert_int_equal(
        lm_record_decode_avro(other.set, f->buffer.data, f->buffer.len, &f->arena, &f->record, &f->error),
        -1);
    assert_string_equal(f->error.kind, "timestamp");
    field = field_of(&other, "text");
    avro_value_set_string(&field, "\xff");
    other_write(f, &other);
    assert_int_equal(
        lm_record_decode_avro(other.set, f->buffer.data, f->buffer.len, &f->arena, &f->record, &f->error),
        -1);
    assert_string_equal(f->error.kind, "utf8");
    other_close(&other);
}

static void every_truncation_of_another_writer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct other other;

    other_open(f, &other, older);
    set_older(&other, 2);
    other_write(f, &other);
    for (size_t len = 2; len < f->buffer.len; len++) {
        void *copy = malloc(len);
        memcpy(copy, f->buffer.data, len);
        assert_int_equal(lm_record_decode_avro(other.set, copy, len, &f->arena, &f->record, &f->error), -1);
        assert_int_equal(f->error.decision, LM_DEAD_LETTER);
        assert_string_equal(f->error.kind, "truncated");
        free(copy);
    }
    lm_buffer_append_char(&f->buffer, 0);
    assert_int_equal(
        lm_record_decode_avro(other.set, f->buffer.data, f->buffer.len, &f->arena, &f->record, &f->error),
        -1);
    assert_string_equal(f->error.kind, "trailing_bytes");
    other_close(&other);
}

static void hostile_data_end_quickly(void **state)
{
    static const struct {
        const char *schema, *bytes;
        size_t len;
        const char *kind;
    } cases[] = {
        /* 2^62 nulls in ten bytes; a list that never ends; indexes and lengths below zero. */
        {"{\"type\":\"array\",\"items\":\"null\"}", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\0", 11,
         "length"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}}",
         "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\0", 11, "length"},
        {"{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"n\",\"type\":\"L\"}]}", "", 0, "depth"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "\1\1", 2, "length"},
        {"[\"null\"]", "\1", 1, "union_index"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "\0", 1, "enum_index"},
        {"\"boolean\"", "\2", 1, "undecodable"},
        {"\"int\"", "\x80\x80\x80\x80\x20", 5, "undecodable"},
        {"\"string\"", "\2\0", 2, "nul"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":9223372036854775807}", "x", 1, "truncated"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct lm_avro_type *type;
        assert_int_equal(
            lm_avro_schema_parse(cases[i].schema, strlen(cases[i].schema), &f->arena, &type, &f->error), 0);
        struct lm_buffer out;
        lm_buffer_init(&out, SIZE_MAX / 2);
        assert_int_equal(lm_avro_datum_write_json(type, cases[i].bytes, cases[i].len, &out, &f->error), -1);
        assert_string_equal(f->error.kind, cases[i].kind);
        lm_buffer_free(&out);
    }
}

static void a_schema_may_be_added_again(void **state)
{
    struct fixture *f = *state;
    struct lm_schema_set *set = lm_schema_set_new();
    uint64_t first, second, own;

    assert_int_equal(lm_schema_set_add(set, older, strlen(older), &first, &f->error), 0);
    assert_int_equal(lm_schema_set_add(set, older, strlen(older), &second, &f->error), 0);
    assert_int_equal(first, second);
    assert_int_equal(lm_schema_set_add(set, lm_record_schema->text, lm_record_schema->len, &own, &f->error),
                     0);
    assert_int_equal(own, lm_record_fingerprint());
    assert_int_equal(lm_schema_set_add(set, "\"string\"", 8, NULL, &f->error), -1);
    assert_string_equal(f->error.kind, "schema");
    lm_schema_set_free(set);
    lm_schema_set_free(NULL);
}

static void without_memory_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct other other;
    unsigned nth = 0;
    bool struck;

    other_open(f, &other, older);
    set_older(&other, 1);
    other_write(f, &other);
    do {
        struct lm_arena arena;
        lm_arena_init(&arena, 1 << 20);
        failing_alloc_after(++nth);
        struct lm_schema_set *set = lm_schema_set_new();
        int result = set == NULL ? -1 : lm_schema_set_add(set, older, strlen(older), NULL, &f->error);
        if (set != NULL && result != 0)
            assert_int_equal(f->error.decision, LM_RETRY);
        if (result == 0)
            result = lm_record_decode_avro(set, f->buffer.data, f->buffer.len, &arena, &f->record, &f->error);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        assert_int_equal(result == 0, !struck);
        if (set != NULL && result != 0)
            assert_int_equal(f->error.decision, LM_RETRY);
        lm_schema_set_free(set);
        lm_arena_free(&arena);
    } while (struck);
    assert_true(nth > 3);
    other_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(apaches_schema_vectors_pass),
        FIXTURE_TEST(apaches_single_object_message_is_read),
        FIXTURE_TEST(bad_schemas_are_refused),
        FIXTURE_TEST(another_writers_fields_are_mapped_by_name),
        FIXTURE_TEST(odd_values_of_other_writers_are_kept_or_named),
        FIXTURE_TEST(every_truncation_of_another_writer_is_refused),
        FIXTURE_TEST(hostile_data_end_quickly),
        FIXTURE_TEST(a_schema_may_be_added_again),
        FIXTURE_TEST(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
