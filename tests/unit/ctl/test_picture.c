/* The picture of an answer at several widths. */
#include "ctl/ask/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVICES                                                                                             \
    "\"columns\":[{\"name\":\"service\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"integer\"}],"    \
    "\"results\":[{\"service\":\"결제\",\"count\":1200},{\"service\":\"order-service\",\"count\":300},"    \
    "{\"service\":null,\"count\":1}]"

/* Freed by the caller. */
static char *draw(const char *json, size_t columns, bool colour, bool as_table)
{
    struct ct_terminal terminal = {.columns = columns, .colour = colour};
    json_t *answer = json_loads(json, 0, NULL);
    struct lm_buffer out;

    assert_non_null(answer);
    lm_buffer_init(&out, 1 << 20);
    assert_int_equal(ct_picture_append(answer, &terminal, as_table, &out), 0);
    json_decref(answer);
    char *text = lm_buffer_detach(&out, NULL);
    assert_non_null(text);
    return text;
}

static void shows(const char *json, size_t columns, const char *expected)
{
    char *text = draw(json, columns, false, false);
    assert_string_equal(text, expected);
    free(text);
}

static void bars_grow_with_the_terminal_and_vanish_where_it_is_narrow(void **state)
{
    static const char json[] =
        "{" SERVICES ",\"chart\":{\"type\":\"bar\",\"x\":\"service\",\"y\":[\"count\"]}}";
    (void)state;

    shows(json, 34,
          "service        count\n"
          "결제           1,200  ████████████\n"
          "order-service    300  ███\n"
          "–                  1  ▏\n");
    shows(json, 24,
          "service        count\n"
          "결제           1,200\n"
          "order-service    300\n"
          "–                  1\n");
    shows(json, 19,
          "service       count\n"
          "결제          1,200\n"
          "order-servi…    300\n"
          "–                 1\n");
}

static void a_table_names_what_does_not_fit_and_leaves_out_what_is_empty(void **state)
{
    static const char json[] =
        "{\"columns\":[{\"name\":\"created_at\",\"type\":\"timestamp\"},{\"name\":\"level\",\"type\":"
        "\"string\"},"
        "{\"name\":\"host\",\"type\":\"string\"},{\"name\":\"message\",\"type\":\"string\"},"
        "{\"name\":\"duration_ms\",\"type\":\"number\",\"unit\":\"ms\"},{\"name\":\"tags\",\"type\":"
        "\"array\"}],"
        "\"results\":[{\"created_at\":\"2026-03-18T14:00:05.1234+09:00\",\"level\":\"ERROR\",\"host\":null,"
        "\"message\":\"a message that is rather long, so that it must be cut\",\"duration_ms\":12.345,"
        "\"tags\":[\"a\"]}],\"chart\":null}";
    (void)state;

    shows(json, 66,
          "created_at               level  message                duration_ms\n"
          "2026-03-18 14:00:05.123  ERROR  a message that is ra…         12.3\n"
          "not shown: tags\n");
    shows(json, 0,
          "created_at               level  message                                                "
          "duration_ms  tags\n"
          "2026-03-18 14:00:05.123  ERROR  a message that is rather long, so that it must be cut         "
          "12.3  [\"a\"]\n");
    shows(json, 30,
          "created_at   2026-03-18 14:00:05.123\n"
          "level        ERROR\n"
          "message      a message that is rather long, so that it must be cut\n"
          "duration_ms  12.3\n"
          "tags         [\"a\"]\n");
}

static void numbers_are_shown_by_their_unit(void **state)
{
    shows("{\"columns\":[{\"name\":\"error_rate\",\"type\":\"number\",\"unit\":\"ratio\"},"
          "{\"name\":\"difference\",\"type\":\"integer\"},{\"name\":\"change\",\"type\":\"number\",\"unit\":"
          "\"ratio\"},"
          "{\"name\":\"big\",\"type\":\"integer\"},{\"name\":\"none\",\"type\":\"number\"}],"
          "\"results\":[{\"error_rate\":0.12345,\"difference\":-1600,\"change\":0.5,"
          "\"big\":\"9007199254740993\",\"none\":null}],\"chart\":{\"type\":\"number\",\"y\":[\"error_rate\"]"
          "}}",
          80,
          "error_rate  12.3%\n"
          "difference  -1,600\n"
          "change      +50%\n"
          "big         9007199254740993\n");
    (void)state;
}

static void lines_are_sparklines_on_one_scale(void **state)
{
    static const char json[] =
        "{\"columns\":[{\"name\":\"bucket\",\"type\":\"timestamp\"},{\"name\":\"service\",\"type\":"
        "\"string\"},"
        "{\"name\":\"count\",\"type\":\"integer\"},{\"name\":\"partial\",\"type\":\"boolean\"}],\"results\":["
        "{\"bucket\":\"2026-03-18T14:00:00+09:00\",\"service\":\"a\",\"count\":0,\"partial\":true},"
        "{\"bucket\":\"2026-03-18T14:00:00+09:00\",\"service\":\"결제\",\"count\":6,\"partial\":true},"
        "{\"bucket\":\"2026-03-18T15:00:00+09:00\",\"service\":\"a\",\"count\":3,\"partial\":false},"
        "{\"bucket\":\"2026-03-18T16:00:00+09:00\",\"service\":\"a\",\"count\":1,\"partial\":false}],"
        "\"chart\":{\"type\":\"line\",\"x\":\"bucket\",\"y\":[\"count\"],\"series\":\"service\"}}";
    (void)state;

    shows(json, 60,
          "a     ▁▅▃  max 3\n"
          "결제  █    max 6\n"
          "2026-03-18 14:00 … 2026-03-18 16:00: 3 buckets, those at the ends not whole\n");
}

static void few_buckets_of_one_series_are_bars_and_any_answer_can_be_a_table(void **state)
{
    static const char json[] = "{\"columns\":[{\"name\":\"bucket\",\"type\":\"timestamp\"},{\"name\":"
                               "\"count\",\"type\":\"integer\"}],"
                               "\"results\":[{\"bucket\":\"2026-03-18T14:00:00+09:00\",\"count\":2},"
                               "{\"bucket\":\"2026-03-18T15:00:00+09:00\",\"count\":1}],"
                               "\"chart\":{\"type\":\"line\",\"x\":\"bucket\",\"y\":[\"count\"]}}";
    char *text;
    (void)state;

    shows(json, 35,
          "bucket            count\n"
          "2026-03-18 14:00      2  ██████████\n"
          "2026-03-18 15:00      1  █████\n");
    text = draw(json, 35, false, true);
    assert_string_equal(text, "bucket            count\n2026-03-18 14:00      2\n2026-03-18 15:00      1\n");
    free(text);
}

static void nothing_from_a_log_reaches_the_terminal_as_an_escape_sequence(void **state)
{
    static const char json[] =
        "{\"columns\":[{\"name\":\"level\",\"type\":\"string\"},{\"name\":\"bad\\u001b[2J\",\"type\":"
        "\"string\"},"
        "{\"name\":\"metadata\",\"type\":\"object\"},{\"name\":\"n\",\"type\":\"integer\"},"
        "{\"name\":\"at\",\"type\":\"timestamp\"}],"
        "\"results\":[{\"level\":\"\\u001b]0;x\\u0007\",\"bad\\u001b[2J\":\"\\u009b31m\\n\","
        "\"metadata\":{\"\\u001b[1m\":\"\\u202e\"},\"n\":\"\\u001b[3\",\"at\":\"2026-03-18T14:\\u001b[0m:"
        "00\"}],"
        "\"chart\":{\"type\":\"bar\",\"x\":\"level\",\"series\":\"bad\\u001b[2J\",\"y\":[\"n\"]}}";
    static const size_t widths[] = {0, 8, 40, 200};
    (void)state;

    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char *text = draw(json, widths[i], false, i % 2 == 0);
        for (const char *at = text; *at != '\0'; at++)
            assert_true((unsigned char)*at >= 0x20 || *at == '\n');
        assert_null(strstr(text, "\xc2\x9b"));
        assert_null(strstr(text, "\xe2\x80\xae"));
        free(text);
    }
}

static void colour_is_used_only_where_it_is_wanted(void **state)
{
    static const char json[] = "{\"columns\":[{\"name\":\"level\",\"type\":\"string\"}],"
                               "\"results\":[{\"level\":\"ERROR\"},{\"level\":\"INFO\"}],\"chart\":null}";
    char *text = draw(json, 40, true, false);
    (void)state;

    assert_string_equal(text, "\033[2mlevel\033[0m\n\033[31mERROR\033[0m\nINFO\n");
    free(text);
    shows(json, 40, "level\nERROR\nINFO\n");
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const cases[] = {"{}", "{\"results\":[]}", "{\"results\":1,\"columns\":[]}",
                                        "{\"results\":[],\"columns\":[{\"name\":1}]}"};
    struct ct_terminal terminal = {.columns = 80};
    struct lm_buffer out;
    (void)state;

    lm_buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *answer = json_loads(cases[i], 0, NULL);
        assert_int_equal(ct_picture_append(answer, &terminal, false, &out), -1);
        json_decref(answer);
    }
    shows("{\"results\":[],\"columns\":[]}", 80, "");
    free(draw("{\"results\":[1,null,[]],\"columns\":[{\"name\":\"a\",\"type\":\"string\"}]}", 80, false,
              false));
    lm_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_grow_with_the_terminal_and_vanish_where_it_is_narrow),
        cmocka_unit_test(a_table_names_what_does_not_fit_and_leaves_out_what_is_empty),
        cmocka_unit_test(numbers_are_shown_by_their_unit),
        cmocka_unit_test(lines_are_sparklines_on_one_scale),
        cmocka_unit_test(few_buckets_of_one_series_are_bars_and_any_answer_can_be_a_table),
        cmocka_unit_test(nothing_from_a_log_reaches_the_terminal_as_an_escape_sequence),
        cmocka_unit_test(colour_is_used_only_where_it_is_wanted),
        cmocka_unit_test(what_is_no_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
