#include "tests/unit/common/record_fixture.h"

#include "common/json_scan.h"
#include "common/record/record_names.h"
#include "failing_alloc.h"

#include <math.h>

/* Decodes a copy of exactly as many bytes as there are, so that a read behind them is seen. */
static int decode_bytes(struct fixture *f, const char *text, size_t len)
{
    char *copy = lm_arena_alloc(&f->arena, len);

    memcpy(copy, text, len);
    lm_error_clear(&f->error);
    return lm_record_decode_json(copy, len, &f->arena, &f->record, &f->error);
}

static struct lm_record *decode(struct fixture *f, const char *text)
{
    if (decode_bytes(f, text, strlen(text)) != 0)
        fail_msg("%s: %s", text, f->error.text);
    return &f->record;
}

static void assert_poison(struct fixture *f, const char *text, const char *kind)
{
    if (decode_bytes(f, text, strlen(text)) == 0)
        fail_msg("accepted: %s", text);
    assert_int_equal(f->error.decision, LM_DEAD_LETTER);
    assert_string_equal(f->error.kind, kind);
}

static void our_own_names_fill_every_field(void **state)
{
    struct fixture *f = *state;
    const struct lm_record *r = decode(
        f, "{\"timestamp\":1700000000123456,\"category\":\"summary\",\"level\":\"ERROR\",\"log_type\":"
           "\"FRONTEND\","
           "\"service\":\"shop\",\"environment\":\"staging\",\"message\":\"a \\\"b\\\"\",\"host\":\"h\","
           "\"component\":\"c\",\"module\":\"m\",\"event_type\":\"e\",\"user_id\":\"u\",\"session_id\":\"s\","
           "\"trace_id\":\"t\",\"span_id\":\"p\",\"error_type\":\"x\",\"error_code\":\"E1\",\"stack_trace\":"
           "\"at\","
           "\"http_status\":503,\"endpoint\":\"/"
           "a\",\"method\":\"GET\",\"duration_ms\":12.5,\"client_ip\":\"::1\","
           "\"page_path\":\"/p\",\"browser\":\"b\",\"device\":\"d\",\"tags\":[\"x\",\"y\"],"
           "\"metadata\":{\"k\":[1]},\"source\":-5,\"sequence\":7}");

    assert_int_equal(r->timestamp_us, 1700000000123456);
    assert_true(r->has_timestamp && r->has_category && r->has_http_status && r->has_duration);
    assert_int_equal(r->category, LM_SUMMARY);
    assert_int_equal(r->level, LM_ERROR);
    static const char *const texts[LM_TEXT_COUNT] = {
        "FRONTEND", "shop", "staging", "a \"b\"", "h",  "c",   "m",   "e",  "u", "s", "t",
        "p",        "x",    "E1",      "at",      "/a", "GET", "::1", "/p", "b", "d", "{\"k\":[1]}"};
    for (int i = 0; i < LM_TEXT_COUNT; i++)
        assert_slice(r->text[i], texts[i]);
    assert_int_equal(r->http_status, 503);
    assert_true(r->duration_ms == 12.5);
    assert_int_equal(r->tag_count, 2);
    assert_slice(r->tags[1], "y");
    assert_true(r->has_source && r->has_sequence);
    assert_int_equal(r->source, -5);
    assert_int_equal(r->sequence, 7);
}

static void what_is_written_is_read_back(void **state)
{
    struct fixture *f = *state;
    const char *text =
        "{\"timestamp\":-1,\"level\":\"WARN\",\"service\":\"\\uac00\\n\",\"message\":\"m\",\"duration_ms\":0."
        "1,"
        "\"tags\":[\"\",\"b\"],\"metadata\":{\"n\":18446744073709551615},\"source\":-9223372036854775808}";

    lm_record_write_json(decode(f, text), &f->buffer);
    char *first = lm_arena_copy(&f->arena, f->buffer.data, f->buffer.len);
    lm_buffer_clear(&f->buffer);
    lm_record_write_json(decode(f, first), &f->buffer);
    assert_string_equal(lm_buffer_text(&f->buffer), first);
    assert_non_null(strstr(first, "\"metadata\":{\"n\":18446744073709551615}"));
    assert_non_null(strstr(first, "\"source\":-9223372036854775808"));
}

static void names_of_others_are_understood(void **state)
{
    struct fixture *f = *state;
    const struct lm_record *r;

    r = decode(
        f, "{\"@timestamp\":1700000000.123456,\"log\":\"line\\n\",\"stream\":\"stderr\"}"); /* Fluent Bit */
    assert_int_equal(r->timestamp_us, 1700000000123456);
    assert_slice(r->text[LM_MESSAGE], "line");
    assert_slice(r->text[LM_METADATA], "{\"stream\":\"stderr\"}");
    r = decode(
        f,
        "{\"timestamp\":\"2026-03-18T05:35:20.123456789Z\",\"message\":\"v\",\"host\":\"h\"}"); /* Vector */
    assert_int_equal(r->timestamp_us, 1773812120123456);
    r = decode(f,
               "{\"level\":50,\"time\":1700000000123,\"pid\":1,\"hostname\":\"h\",\"msg\":\"p\"}"); /* pino */
    assert_int_equal(r->level, LM_ERROR);
    assert_int_equal(r->timestamp_us, 1700000000123000);
    assert_slice(r->text[LM_HOST], "h");
    r = decode(
        f, "{\"timeUnixNano\":\"1544712660300000999\",\"severityNumber\":17,\"body\":\"b\",\"traceId\":\"t\","
           "\"spanId\":\"s\",\"service.name\":\"x\"}"); /* OTLP, flattened */
    assert_int_equal(r->timestamp_us, 1544712660300001);
    assert_int_equal(r->level, LM_ERROR);
    assert_slice(r->text[LM_MESSAGE], "b");
    assert_slice(r->text[LM_TRACE_ID], "t");
    assert_slice(r->text[LM_SERVICE], "x");
    r = decode(f,
               "{\"timestamp\":\"2026-03-18 05:35:20.123 UTC\",\"error_severity\":\"LOG\",\"message\":\"m\","
               "\"state_code\":\"42P01\"}"); /* PostgreSQL's jsonlog */
    assert_int_equal(r->timestamp_us, 1773812120123000);
    assert_slice(r->text[LM_ERROR_CODE], "42P01");
    r = decode(f, "{\"application_error_code\":\"E7\",\"http_status_code\":\"404\",\"browser_name\":\"B\","
                  "\"device_type\":\"mobile\",\"severity\":\"critical\",\"ts\":1700000000,\"msg\":\"m\"}");
    assert_slice(r->text[LM_ERROR_CODE], "E7");
    assert_int_equal(r->http_status, 404);
    assert_slice(r->text[LM_BROWSER], "B");
    assert_slice(r->text[LM_DEVICE], "mobile");
    assert_int_equal(r->level, LM_LEVEL_FATAL);
    assert_int_equal(r->timestamp_us, 1700000000000000);
}

static void times_of_others_go_by_magnitude(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"1700000000", 1700000000000000},
                 {"1700000000123", 1700000000123000},
                 {"1700000000123456", 1700000000123456},
                 {"1700000000123456789", 1700000000123457},
                 {"\"1700000000.5\"", 1700000000500000},
                 {"1.7e9", 1700000000000000},
                 {"-1", -1000000},
                 {"\"1970-01-01T09:00:01+09:00\"", 1000000},
                 {"\"1970-01-01 09:00:01.5 KST\"", 1500000}};
    struct fixture *f = *state;
    char text[128];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "{\"ts\":%s,\"msg\":\"m\"}", cases[i].text);
        assert_int_equal(decode(f, text)->timestamp_us, cases[i].us);
    }
    assert_false(decode(f, "{\"ts\":0,\"msg\":\"m\"}")->has_timestamp);
    assert_false(decode(f, "{\"ts\":\"10/Oct/2000:13:55:36 -0700\",\"msg\":\"m\"}")->has_timestamp);
    assert_slice(f->record.text[LM_METADATA], "{\"ts\":\"10/Oct/2000:13:55:36 -0700\"}");
}

static void our_name_wins_and_the_loser_is_kept(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"msg\":\"theirs\",\"message\":\"ours\",\"log\":\"third\"}");
    assert_slice(f->record.text[LM_MESSAGE], "ours");
    assert_slice(f->record.text[LM_METADATA], "{\"msg\":\"theirs\",\"log\":\"third\"}");
    decode(f, "{\"log\":\"third\",\"msg\":\"theirs\"}");
    assert_slice(f->record.text[LM_MESSAGE], "theirs");
    assert_slice(f->record.text[LM_METADATA], "{\"log\":\"third\"}");
    decode(f, "{\"message\":\"\",\"msg\":\"theirs\"}");
    assert_slice(f->record.text[LM_MESSAGE], "theirs");
    decode(f, "{\"timestamp\":null,\"ts\":1,\"message\":\"m\"}");
    assert_int_equal(f->record.timestamp_us, 1000000);
    assert_slice(f->record.text[LM_METADATA], NULL);
    /* What does not fit leaves what was there alone. */
    decode(f, "{\"severity_text\":\"WARN\",\"severity\":\"odd\",\"ts\":5,\"time\":\"never\",\"msg\":\"m\"}");
    assert_int_equal(f->record.level, LM_WARN);
    assert_int_equal(f->record.timestamp_us, 5000000);
    assert_slice(f->record.text[LM_METADATA], "{\"severity\":\"odd\",\"time\":\"never\"}");
}

static void the_last_of_equal_names_holds(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"message\":\"a\",\"message\":\"b\",\"\\u006dessage\":\"c\"}");
    assert_slice(f->record.text[LM_MESSAGE], "c");
    assert_slice(f->record.text[LM_METADATA], NULL);
}

static void unknown_fields_keep_their_text(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"message\":\"m\",\"n\":18446744073709551615,\"x\": 0.10 ,\"o\":{\"a\": [1,\t2]},\"z\":null,"
              "\"k\\n\":\"\\ud83d\\ude00\"}");
    assert_slice(f->record.text[LM_METADATA],
                 "{\"n\":18446744073709551615,\"x\":0.10,\"o\":{\"a\": [1,\t2]},\"z\":null,"
                 "\"k\\n\":\"\\ud83d\\ude00\"}");
    assert_int_equal(
        lm_json_check_object(f->record.text[LM_METADATA].data, f->record.text[LM_METADATA].len, &f->error),
        0);
}

static void unknown_fields_join_given_metadata(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"message\":\"m\",\"a\":1,\"metadata\":{\"b\":2},\"c\":3}");
    assert_slice(f->record.text[LM_METADATA], "{\"a\":1,\"c\":3,\"b\":2}");
    decode(f, "{\"message\":\"m\",\"a\":1,\"metadata\":\"{\\\"b\\\":\\\"x\\\\ny\\\"}\"}");
    assert_slice(f->record.text[LM_METADATA], "{\"a\":1,\"b\":\"x\\ny\"}");
    decode(f, "{\"message\":\"m\",\"a\":1,\"metadata\":{ }}");
    assert_slice(f->record.text[LM_METADATA], "{\"a\":1}");
    decode(f, "{\"message\":\"m\",\"metadata\":{\"b\": 2}}");
    assert_slice(f->record.text[LM_METADATA], "{\"b\": 2}");
}

static void more_unknown_fields_than_usual_fit(void **state)
{
    struct fixture *f = *state;

    lm_buffer_append_text(&f->buffer, "{\"message\":\"m\"");
    for (int i = 0; i < 500; i++)
        lm_buffer_printf(&f->buffer, ",\"k%d\":%d", i, i);
    lm_buffer_append_char(&f->buffer, '}');
    decode(f, lm_buffer_text(&f->buffer));
    struct lm_slice metadata = f->record.text[LM_METADATA];
    assert_int_equal(metadata.len, f->buffer.len - strlen("\"message\":\"m\","));
    assert_int_equal(lm_json_check_object(metadata.data, metadata.len, &f->error), 0);
}

static void values_of_other_kinds_go_under_metadata(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"message\":\"m\",\"host\":{\"name\":\"h\"},\"level\":\"odd\",\"category\":\"payment\","
              "\"source\":\"stderr\","
              "\"http_status\":\"fine\",\"duration_ms\":\"NaN\",\"tags\":{\"a\":1},\"status\":\"ok\",\"ip\":"
              "\"nowhere\"}");
    assert_slice(
        f->record.text[LM_METADATA],
        "{\"host\":{\"name\":\"h\"},\"level\":\"odd\",\"category\":\"payment\",\"source\":\"stderr\","
        "\"http_status\":\"fine\",\"duration_ms\":\"NaN\",\"tags\":{\"a\":1},\"status\":\"ok\",\"ip\":"
        "\"nowhere\"}");
    assert_int_equal(f->record.level, LM_INFO);
    assert_false(f->record.has_category || f->record.has_source || f->record.has_http_status ||
                 f->record.has_duration);
}

static void texts_may_be_numbers_and_numbers_texts(void **state)
{
    struct fixture *f = *state;

    decode(f, "{\"message\":{\"a\": "
              "1},\"user_id\":42,\"error_code\":500,\"http_status\":\"404\",\"duration_ms\":\"1.5\","
              "\"source\":\"18446744073709551615\",\"sequence\":\"9007199254740993\",\"tags\":[1,null,true,"
              "\"x\"]}");
    assert_slice(f->record.text[LM_MESSAGE], "{\"a\": 1}");
    assert_slice(f->record.text[LM_USER_ID], "42");
    assert_slice(f->record.text[LM_ERROR_CODE], "500");
    assert_int_equal(f->record.http_status, 404);
    assert_true(f->record.duration_ms == 1.5);
    assert_int_equal(f->record.source, -1);
    assert_int_equal(f->record.sequence, 9007199254740993);
    assert_int_equal(f->record.tag_count, 3);
    assert_slice(f->record.tags[0], "1");
    assert_slice(f->record.tags[2], "x");
    assert_int_equal(decode(f, "{\"msg\":\"m\",\"tags\":\"one\"}")->tag_count, 1);
    assert_slice(f->record.tags[0], "one");
    assert_int_equal(decode(f, "{\"msg\":\"m\",\"tags\":[]}")->tag_count, 0);
}

static void levels_come_as_numbers_too(void **state)
{
    static const struct {
        const char *json;
        int level; /* -1: unknown, so INFO and kept under metadata */
    } cases[] = {
        {"\"level\":10", LM_DEBUG},
        {"\"level\":30", LM_INFO},
        {"\"level\":40", LM_WARN},
        {"\"level\":60", LM_LEVEL_FATAL},
        {"\"level\":\"35\"", LM_INFO},
        {"\"level\":3", LM_ERROR},
        {"\"level\":7", LM_DEBUG},
        {"\"level\":8", -1},
        {"\"level\":1000", -1},
        {"\"level\":-1", -1},
        {"\"level\":2.5", -1},
        {"\"severity_number\":1", LM_DEBUG},
        {"\"severity_number\":24", LM_LEVEL_FATAL},
        {"\"severity_number\":13", LM_WARN},
        {"\"severity_number\":0", -1},
        {"\"severity_number\":25", -1},
        {"\"levelno\":50", LM_LEVEL_FATAL},
        {"\"levelno\":20", LM_INFO},
        {"\"PRIORITY\":\"4\"", LM_WARN},
        {"\"priority\":13", LM_INFO},
        {"\"priority\":\"high\"", -1},
        {"\"level\":\"INFO \"", LM_INFO},
        {"\"lvl\":\"warning\"", LM_WARN},
        {"\"level\":true", -1},
    };
    struct fixture *f = *state;
    char text[128];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "{\"msg\":\"m\",%s}", cases[i].json);
        decode(f, text);
        bool kept = f->record.text[LM_METADATA].data != NULL;
        if (f->record.level != (cases[i].level < 0 ? LM_INFO : (enum lm_level)cases[i].level) ||
            kept != (cases[i].level < 0))
            fail_msg("%s: %s", text, lm_level_name(f->record.level));
    }
}

static void bad_values_are_named_by_kind(void **state)
{
    struct fixture *f = *state;

    assert_poison(f, "", "json");
    assert_poison(f, "[]", "not_an_object");
    assert_poison(f, "5", "not_an_object");
    assert_poison(f, "{\"message\":\"m\"", "json");
    assert_poison(f, "{\"message\":\"m\"} x", "json");
    assert_poison(f, "{\"message\":\"m\"}{}", "json");
    assert_poison(f, "{\"message\":\"\\u0000\"}", "nul");
    assert_poison(f, "{\"message\":\"m\",\"a\":{\"b\":\"\\u0000\"}}", "nul");
    assert_poison(f, "{\"message\":\"m\",\"metadata\":\"{\\\"a\\\":\\\"\\\\u0000\\\"}\"}", "nul");
    assert_poison(f, "{\"message\":\"\xff\"}", "utf8");
    assert_poison(f, "{\"message\":\"\\ud800\"}", "utf8");
    assert_poison(f, "{\"message\":\"m\",\"metadata\":[1]}", "metadata");
    assert_poison(f, "{\"message\":\"m\",\"metadata\":\"text\"}", "metadata");
    assert_poison(f, "{\"message\":\"m\",\"timestamp\":\"infinity\"}", "timestamp");
    assert_poison(f, "{\"message\":\"m\",\"timestamp\":1e30}", "timestamp");
    assert_poison(f, "{\"message\":\"m\",\"timestamp\":true}", "timestamp");
    lm_buffer_append_text(&f->buffer, "{\"message\":\"m\",\"a\":");
    for (int i = 0; i < 64; i++)
        lm_buffer_append_char(&f->buffer, '[');
    assert_poison(f, lm_buffer_text(&f->buffer), "depth");
}

static void values_on_a_topic_are_told_apart(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *kind;
    } cases[] = {{"", 0, "empty"},
                 {"hello", 5, "not_a_record"},
                 {"[{}]", 4, "not_a_record"},
                 {"\0\0\0\0\1x", 6, "no_registry"},
                 {"\xC3", 1, "undecodable"},
                 {"\xC3\x02", 2, "not_a_record"},
                 {"\xC3\x01\0\0", 4, "truncated"},
                 {"{", 1, "json"},
                 {"   ", 3, "not_a_record"}};
    struct fixture *f = *state;
    struct lm_schema_set *set = lm_schema_set_new();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            lm_record_decode(set, cases[i].bytes, cases[i].len, &f->arena, &f->record, &f->error), -1);
        assert_int_equal(f->error.decision, LM_DEAD_LETTER);
        assert_string_equal(f->error.kind, cases[i].kind);
    }
    assert_int_equal(lm_record_decode(set, " {\"msg\":\"m\"}\n", 13, &f->arena, &f->record, &f->error), 0);
    lm_schema_set_free(set);
}

/* The table that record_names.c must hold, for whoever changed the names. */
static void print_places(const struct lm_record_name *names, size_t count)
{
    uint8_t places[LM_RECORD_NAME_PLACES] = {0};

    for (size_t i = 0; i < count; i++) {
        size_t at = lm_record_name_start(names[i].name, names[i].len);
        while (places[at] != 0)
            at = (at + 1) % LM_RECORD_NAME_PLACES;
        places[at] = (uint8_t)(i + 1);
    }
    print_error("places of record_names.c:\n");
    for (size_t i = 0; i < LM_RECORD_NAME_PLACES; i++)
        print_error("%u,%s", places[i], i % 16 == 15 ? "\n" : " ");
}

static void the_table_of_names_is_sorted_and_found(void **state)
{
    size_t count, fields_count, own = 0;
    const struct lm_record_name *names = lm_record_names(&count);
    const struct lm_record_field *fields = lm_record_fields(&fields_count);

    (void)state;
    assert_true(count < UINT8_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(names[i].len, strlen(names[i].name));
        if (lm_record_name_find(names[i].name, names[i].len) != &names[i]) {
            print_places(names, count);
            fail_msg("%s is not found", names[i].name);
        }
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(names[i].name, names[j].name);
            assert_false(names[i].slot == names[j].slot && names[i].rank == names[j].rank);
        }
    }
    for (size_t i = 0; i < fields_count; i++) {
        const struct lm_record_name *name = lm_record_name_find(fields[i].name, strlen(fields[i].name));
        assert_non_null(name);
        assert_int_equal(name->rank, 0);
        own++;
    }
    assert_int_equal(own, LM_SLOT_COUNT);
    assert_null(lm_record_name_find("messag", 6));
    assert_null(lm_record_name_find("m", 1));
    assert_null(lm_record_name_find("application_ERROR_code", 22)); /* the same at both ends */
    assert_null(lm_record_name_find("", 0));
}

static void fluent_bit_bodies_decode(void **state)
{
    static const char *const files[] = {"json.body", "json_lines.body", "json_stream.body"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        char name[128];
        size_t len;
        snprintf(name, sizeof name, "conformance/fluent-bit/out_http_samples/%s", files[i]);
        char *body = read_data_file(name, &len);
        if (body == NULL)
            skip();
        struct lm_json_scan scan, inner;
        struct lm_json_value value;
        int64_t n = 0;
        lm_json_open(&scan, body, len);
        if (body[0] == '[') {
            assert_int_equal(lm_json_value(&scan, &value, &f->error), 0);
            lm_json_enter(&inner, &value);
        }
        while (body[0] == '[' ? lm_json_element(&inner, &value, &f->error) == 1
                              : lm_json_more(&scan) && lm_json_value(&scan, &value, &f->error) == 0) {
            assert_int_equal(
                lm_record_decode_json(value.raw.data, value.raw.len, &f->arena, &f->record, &f->error), 0);
            assert_slice(f->record.text[LM_MESSAGE], "hello world");
            assert_int_equal(f->record.timestamp_us, ++n * 1000000);
        }
        assert_int_equal(n, 2);
        free(body);
    }
}

/* The record inside OpenTelemetry's example; what its envelope means is the gateway's. */
static void an_otlp_log_record_is_understood(void **state)
{
    struct fixture *f = *state;
    size_t len;
    char *file = read_data_file("conformance/otlp/examples/logs.json", &len);

    if (file == NULL)
        skip();
    char *list = strstr(file, "\"logRecords\"");
    assert_non_null(list);
    char *record = strchr(list, '{');
    struct lm_json_scan scan;
    struct lm_json_value value;
    lm_json_open(&scan, record, strlen(record));
    assert_int_equal(lm_json_value(&scan, &value, &f->error), 0);
    assert_int_equal(lm_record_decode_json(value.raw.data, value.raw.len, &f->arena, &f->record, &f->error),
                     0);
    assert_int_equal(f->record.timestamp_us, 1544712660300000);
    assert_int_equal(f->record.level, LM_INFO);
    assert_slice(f->record.text[LM_TRACE_ID], "5B8EFFF798038103D269B633813FC60C");
    assert_slice(f->record.text[LM_SPAN_ID], "EEE19B7EC3C1B174");
    free(file);
}

/* The shapes that take most: one member and one element after another, as short as can be. */
static void twenty_times_the_value_is_room_enough(void **state)
{
    static const char *const items[][3] = {
        {"{\"tags\":[", "1,", "1]}"},         {"{\"tags\":[", "\"\\n\",", "1]}"},
        {"{", "\"\":0,", "\"\":0}"},          {"{", "\"\\n\":0,", "\"\":0}"},
        {"{", "\"log\":\"\\n\",", "\"\":0}"}, {"{", "\"\":0,\"tags\":\"\\n\",", "\"\":0}"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        lm_buffer_clear(&f->buffer);
        lm_buffer_append_text(&f->buffer, items[i][0]);
        for (int n = 0; n < 100000; n++)
            lm_buffer_append_text(&f->buffer, items[i][1]);
        lm_buffer_append_text(&f->buffer, items[i][2]);
        struct lm_arena arena;
        lm_arena_init(&arena, 20 * f->buffer.len + 65536);
        if (lm_record_decode_json(f->buffer.data, f->buffer.len, &arena, &f->record, &f->error) != 0)
            fail_msg("shape %zu: %s", i, f->error.text);
        lm_arena_free(&arena);
    }
}

static void without_memory_the_record_waits(void **state)
{
    static const char text[] =
        "{\"message\":\"a\\nb\",\"tags\":[\"x\"],\"a\":1,\"metadata\":\"{\\\"b\\\":2}\"}";
    struct fixture *f = *state;

    for (size_t room = 0; room < 400; room += 16) {
        struct lm_arena arena;
        lm_arena_init(&arena, room);
        if (lm_record_decode_json(text, sizeof text - 1, &arena, &f->record, &f->error) != 0)
            assert_int_equal(f->error.decision, LM_RETRY);
        lm_arena_free(&arena);
    }
    struct lm_arena arena;
    lm_arena_init(&arena, FIXTURE_ARENA);
    failing_alloc_after(1);
    int result = lm_record_decode_json(text, sizeof text - 1, &arena, &f->record, &f->error);
    failing_alloc_after(0);
    assert_int_equal(result, -1);
    assert_int_equal(f->error.decision, LM_RETRY);
    lm_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(our_own_names_fill_every_field),
        FIXTURE_TEST(what_is_written_is_read_back),
        FIXTURE_TEST(names_of_others_are_understood),
        FIXTURE_TEST(times_of_others_go_by_magnitude),
        FIXTURE_TEST(our_name_wins_and_the_loser_is_kept),
        FIXTURE_TEST(the_last_of_equal_names_holds),
        FIXTURE_TEST(unknown_fields_keep_their_text),
        FIXTURE_TEST(unknown_fields_join_given_metadata),
        FIXTURE_TEST(more_unknown_fields_than_usual_fit),
        FIXTURE_TEST(values_of_other_kinds_go_under_metadata),
        FIXTURE_TEST(texts_may_be_numbers_and_numbers_texts),
        FIXTURE_TEST(levels_come_as_numbers_too),
        FIXTURE_TEST(bad_values_are_named_by_kind),
        FIXTURE_TEST(values_on_a_topic_are_told_apart),
        cmocka_unit_test(the_table_of_names_is_sorted_and_found),
        FIXTURE_TEST(fluent_bit_bodies_decode),
        FIXTURE_TEST(an_otlp_log_record_is_understood),
        FIXTURE_TEST(twenty_times_the_value_is_room_enough),
        FIXTURE_TEST(without_memory_the_record_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
