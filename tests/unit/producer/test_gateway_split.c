/* Finding the records in a body: every form, and faults that stay with their record. */
#include "producer/gateway/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The records found, joined by '|'; "ERROR" where the body cannot be read. */
static void assert_split(enum gw_form form, const char *body, const char *expected)
{
    struct gw_split split;
    struct lm_error error;
    struct lm_slice record;
    char found[1024] = "";

    if (gw_split_open(&split, form, body, strlen(body), &error) != 0) {
        assert_int_equal(error.decision, LM_DEAD_LETTER);
        assert_string_equal("ERROR", expected);
        return;
    }
    while (gw_split_next(&split, &record) > 0) {
        size_t used = strlen(found);
        assert_true(used + record.len + 2 < sizeof(found));
        if (used) {
            found[used++] = '|';
        }
        memcpy(found + used, record.data, record.len);
        found[used + record.len] = '\0';
    }
    assert_string_equal(found, expected);
}

static void one_object_is_one_record(void **state)
{
    (void)state;
    assert_split(GW_ONE, " {\"a\":1} ", "{\"a\":1}");
    assert_split(GW_ONE, "[1]", "ERROR");
    assert_split(GW_ONE, "", "ERROR");
    assert_split(GW_ONE, "\xef\xbb\xbf{}", "{}");
}

static void logs_are_found_wherever_they_stand_in_the_object(void **state)
{
    (void)state;
    assert_split(GW_LOGS, "{\"logs\":[{\"a\":1},{\"b\":2}]}", "{\"a\":1}|{\"b\":2}");
    assert_split(GW_LOGS, "{\"meta\":{\"logs\":[9]},\"n\":3, \"logs\" : [ {\"a\":\"]}\"} ]}",
                 "{\"a\":\"]}\"}");
    assert_split(GW_LOGS, "[{\"a\":1}]", "{\"a\":1}");
    assert_split(GW_LOGS, "{\"logs\":[]}", "");
    assert_split(GW_LOGS, "{\"logs\":{}}", "ERROR");
    assert_split(GW_LOGS, "{\"lines\":[]}", "ERROR");
    assert_split(GW_LOGS, "{\"logs\"", "ERROR");
    assert_split(GW_LOGS, "text", "ERROR");
}

static void a_stream_may_be_an_array_lines_or_objects_without_anything_between(void **state)
{
    (void)state;
    assert_split(GW_STREAM, "{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}", "{\"a\":1}|{\"b\":2}|{\"c\":3}");
    assert_split(GW_STREAM, "{\"a\":1}{\"b\":2}", "{\"a\":1}|{\"b\":2}");
    assert_split(GW_STREAM, "[{\"a\":1}\n,{\"b\":[2,{}]}]", "{\"a\":1}|{\"b\":[2,{}]}");
    assert_split(GW_STREAM, "{\"a\":\n  1\n}\n", "{\"a\":\n  1\n}");
    assert_split(GW_STREAM, "hello", "ERROR");
}

static void a_fault_inside_a_record_stays_with_it(void **state)
{
    (void)state;
    assert_split(GW_STREAM, "{\"a\":\"\\u0000\"}\n{\"b\":\xff}\n{\"c\":3}",
                 "{\"a\":\"\\u0000\"}|{\"b\":\xff}|{\"c\":3}");
    assert_split(GW_STREAM, "[{\"a\":1},nonsense,{\"b\":2}]", "{\"a\":1}|nonsense|{\"b\":2}");
    assert_split(GW_STREAM, "nonsense\n{\"a\":1}", "nonsense|{\"a\":1}");
    assert_split(GW_STREAM, "[{\"a\":\"x\ny\"},{\"b\":2}]", "{\"a\":\"x\ny\"}|{\"b\":2}");
    assert_split(GW_STREAM, "{\"a\":1}\nnonsense\n{\"b\":2}", "{\"a\":1}|nonsense|{\"b\":2}");
}

static void an_open_bracket_or_quote_ends_with_its_line(void **state)
{
    (void)state;
    assert_split(GW_STREAM, "{\"a\":\"open}\n{\"b\":2}\n", "{\"a\":\"open}|{\"b\":2}");
    assert_split(GW_STREAM, "{\"a\":\"open\n{\"b\":\"}\"}\n{\"c\":\"x\"}",
                 "{\"a\":\"open|{\"b\":\"}\"}|{\"c\":\"x\"}");
    assert_split(GW_STREAM, "{\"a\":{\n{\"b\":2}\n", "{\"a\":{|{\"b\":2}");
    assert_split(GW_STREAM, "{\"a\":1}\n{\"cut", "{\"a\":1}|{\"cut");
    assert_split(GW_STREAM, "{\"a\":1}}\n{\"b\":2}", "{\"a\":1}|}|{\"b\":2}");
}

static void hostile_brackets_do_not_cost_a_pass_a_line(void **state)
{
    const size_t len = 400000;
    char *body = malloc(len + 1);
    struct gw_split split;
    struct lm_error error;
    struct lm_slice record;
    size_t records = 0;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < len; i += 2) {
        memcpy(body + i, "{\n", 2);
    }
    assert_int_equal(gw_split_open(&split, GW_STREAM, body, len, &error), 0);
    while (gw_split_next(&split, &record) > 0) {
        records++;
    }
    assert_int_equal(records, len / 2);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object_is_one_record),
        cmocka_unit_test(logs_are_found_wherever_they_stand_in_the_object),
        cmocka_unit_test(a_stream_may_be_an_array_lines_or_objects_without_anything_between),
        cmocka_unit_test(a_fault_inside_a_record_stays_with_it),
        cmocka_unit_test(an_open_bracket_or_quote_ends_with_its_line),
        cmocka_unit_test(hostile_brackets_do_not_cost_a_pass_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
