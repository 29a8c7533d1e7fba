/* Rows as CSV and NDJSON, byte for byte, and which of the two a client gets. */
#include "agent/run/export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char columns[] =
    "[{\"name\":\"text\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"integer\"},"
    "{\"name\":\"x\",\"type\":\"object\"}]";

static void expect(enum ag_format format, const char *rows, bool first, bool escape, const char *expected)
{
    struct lm_buffer out;
    json_t *shape = json_loads(columns, 0, NULL);
    json_t *data = json_loads(rows, 0, NULL);
    assert_non_null(data);
    lm_buffer_init(&out, 65536);
    ag_export_write(format, shape, data, first, escape, &out);
    assert_string_equal(lm_buffer_text(&out), expected);
    lm_buffer_free(&out);
    json_decref(data);
    json_decref(shape);
}

static void csv_has_a_header_once_and_crlf(void **state)
{
    (void)state;
    expect(AG_FORMAT_CSV, "[{\"text\":\"a\",\"n\":1,\"x\":null}]", true, true, "text,n,x\r\na,1,\r\n");
    expect(AG_FORMAT_CSV, "[{\"text\":\"a\",\"n\":1,\"x\":null}]", false, true, "a,1,\r\n");
    expect(AG_FORMAT_CSV, "[]", true, true, "text,n,x\r\n");
}

static void csv_quotes_what_would_break_a_line(void **state)
{
    (void)state;
    expect(AG_FORMAT_CSV, "[{\"text\":\"a,b\",\"n\":1,\"x\":{\"k\":\"v\"}}]", false, true,
           "\"a,b\",1,\"{\"\"k\"\":\"\"v\"\"}\"\r\n");
    expect(AG_FORMAT_CSV, "[{\"text\":\"\\\"\",\"n\":1,\"x\":[\"a\"]}]", false, true,
           "\"\"\"\",1,\"[\"\"a\"\"]\"\r\n");
    expect(AG_FORMAT_CSV, "[{\"text\":\"a\\nb\\rc\",\"n\":1,\"x\":null}]", false, true, "\"a\nb\rc\",1,\r\n");
}

static void csv_tells_an_empty_text_from_nothing(void **state)
{
    (void)state;
    expect(AG_FORMAT_CSV, "[{\"text\":\"\",\"n\":null,\"x\":null}]", false, true, "\"\",,\r\n");
}

static void csv_escapes_formulas_in_texts_and_never_in_numbers(void **state)
{
    static const char *const formulas[] = {"=1", "+1", "-1", "@a", "\\t=1", "\\r=1"};
    static const char *const plain[] = {"=1", "+1", "-1", "@a", "\t=1", "\r=1"};
    char rows[128];
    char expected[128];
    (void)state;
    for (size_t i = 0; i < sizeof(formulas) / sizeof(formulas[0]); i++) {
        snprintf(rows, sizeof(rows), "[{\"text\":\"%s\",\"n\":-1,\"x\":null}]", formulas[i]);
        snprintf(expected, sizeof(expected), "\"'%s\",-1,\r\n", plain[i]);
        expect(AG_FORMAT_CSV, rows, false, true, expected);
    }
    /* Beyond 2^53 a number is a string in JSON, and still a number. */
    expect(AG_FORMAT_CSV, "[{\"text\":\"=1\",\"n\":\"-9007199254740993\",\"x\":null}]", false, false,
           "=1,-9007199254740993,\r\n");
    expect(AG_FORMAT_CSV, "[{\"text\":\"a\",\"n\":\"-9007199254740993\",\"x\":null}]", false, true,
           "a,-9007199254740993,\r\n");
}

static void ndjson_is_one_object_a_line_and_never_changed(void **state)
{
    (void)state;
    expect(AG_FORMAT_NDJSON, "[{\"text\":\"=1\\n\",\"n\":1,\"x\":null},{\"text\":null,\"n\":2,\"x\":{}}]",
           true, true, "{\"text\":\"=1\\n\",\"n\":1,\"x\":null}\n{\"text\":null,\"n\":2,\"x\":{}}\n");
}

static void the_first_format_named_is_taken(void **state)
{
    (void)state;
    assert_int_equal(ag_export_accepted(NULL), AG_FORMAT_CSV);
    assert_int_equal(ag_export_accepted("*/*"), AG_FORMAT_CSV);
    assert_int_equal(ag_export_accepted("text/csv"), AG_FORMAT_CSV);
    assert_int_equal(ag_export_accepted("application/x-ndjson, text/csv"), AG_FORMAT_NDJSON);
    assert_int_equal(ag_export_accepted("text/csv, application/ndjson"), AG_FORMAT_CSV);
    assert_int_equal(ag_export_accepted("application/ndjson;q=0.9, */*"), AG_FORMAT_NDJSON);
    assert_int_equal(ag_export_accepted("application/json"), AG_FORMAT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_has_a_header_once_and_crlf),
        cmocka_unit_test(csv_quotes_what_would_break_a_line),
        cmocka_unit_test(csv_tells_an_empty_text_from_nothing),
        cmocka_unit_test(csv_escapes_formulas_in_texts_and_never_in_numbers),
        cmocka_unit_test(ndjson_is_one_object_a_line_and_never_changed),
        cmocka_unit_test(the_first_format_named_is_taken),
    };
    return cmocka_run_group_tests_name("export", tests, NULL, NULL) == 0 ? 0 : 1;
}
