/* From rows to the answer: types, what a ranking leaves out, what is cut, what must not be answered. */
#include "agent/answer/table.h"
#include "tests/unit/agent/answer_fixture.h"
#include "tests/unit/agent/intent_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ranking_leaves_null_out_and_counts_it(void **state)
{
    (void)state;
    /* endpoint, count, total, without_value */
    struct asked *asked = ASK("count; by endpoint; rank; ko", "/a", "60", "100", "10", "/b", "30", "100",
                              "10", NULL, "10", "100", "10");
    assert_int_equal(asked->answer.count, 2);
    assert_true(warned(asked, "without_value", "endpoint가 없는 기록 10건"));
    assert_says(asked, "/a가 60건(전체 90건의 66.7%)으로 가장 많습니다. 다음은 /b 30건입니다.");
    done(asked);
    asked = ASK("count; by endpoint", "/a", "60", "100", "/b", "30", "100", NULL, "10", "100");
    assert_int_equal(asked->answer.count, 3);
    assert_true(json_is_null(cell(asked, 2, "endpoint")));
    assert_null(cell(asked, 0, "total"));
    assert_says(asked, "Of 2 endpoints, /a has the most records: 60 (60% of 100)");
    done(asked);
}

static void one_row_more_than_shown_means_truncated(void **state)
{
    (void)state;
    const char *const rows[] = {"a", "3", "6", "b", "2", "6", "c", "1", "6"};
    struct asked *asked = ask_limited("count; by service", rows, 9, 2);
    assert_true(asked->answer.truncated);
    assert_int_equal(asked->answer.count, 2);
    done(asked);
    const char *const tied[] = {"a", "3", "8", "b", "3", "8", "c", "2", "8"};
    asked = ask_limited("count; by service; rank; limit 1", tied, 9, 100);
    assert_false(asked->answer.truncated);
    assert_int_equal(asked->answer.count, 1);
    assert_true(warned(asked, "tie", "tie"));
    done(asked);
}

static void too_few_samples_are_left_out_and_named(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("p 0.95; by endpoint; rank", "/a", "100.5", "400", "0", "/rare", "9000", "3", "0");
    assert_int_equal(asked->answer.count, 1);
    assert_true(warned(asked, "few_samples", "/rare"));
    done(asked);
}

static void cells_have_the_type_of_their_column(void **state)
{
    (void)state;
    char huge[9001];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    memcpy(huge + AG_MAX_CELL - 1, "가", 3); /* the cut falls into a character */
    const char *row[] = {"2026-03-18 05:34:45.5+00",
                         "ERROR",
                         "api",
                         huge,
                         "production",
                         "raw",
                         "BACKEND",
                         NULL,
                         NULL,
                         NULL,
                         NULL,
                         "IOError",
                         NULL,
                         "GET",
                         "/a",
                         "503",
                         "NaN",
                         "u1",
                         NULL,
                         NULL,
                         NULL,
                         "10.0.0.1",
                         NULL,
                         NULL,
                         NULL,
                         "{slow,\"a \\\"b\\\"\",NULL,\"NULL\"}",
                         "{\"big\": 9007199254740993, \"n\": [1, 12345678901234567]}",
                         NULL};
    struct asked *asked = ask_limited("list", row, sizeof row / sizeof *row, 100);
    assert_string_equal(text(asked, 0, "created_at"), "2026-03-18T14:34:45.500000+09:00");
    assert_int_equal(json_integer_value(cell(asked, 0, "http_status")), 503);
    assert_true(json_is_null(cell(asked, 0, "duration_ms")));
    assert_true(json_is_null(cell(asked, 0, "host")));
    const json_t *tags = cell(asked, 0, "tags");
    assert_int_equal(json_array_size(tags), 4);
    assert_string_equal(json_string_value(json_array_get(tags, 1)), "a \"b\"");
    assert_true(json_is_null(json_array_get(tags, 2)));
    assert_string_equal(json_string_value(json_array_get(tags, 3)), "NULL");
    const json_t *metadata = cell(asked, 0, "metadata");
    assert_string_equal(json_string_value(json_object_get(metadata, "big")), "9007199254740993");
    assert_string_equal(json_string_value(json_array_get(json_object_get(metadata, "n"), 1)),
                        "12345678901234567");
    const char *message = text(asked, 0, "message");
    assert_int_equal(strlen(message), AG_MAX_CELL - 1 + strlen("…"));
    assert_true(warned(asked, "cells_cut", "8 KiB"));
    done(asked);
}

static void a_list_as_long_as_asked_is_no_count(void **state)
{
    (void)state;
    const char *row[28] = {"2026-03-18 05:34:45.5+00", "ERROR", "order-service", "boom"};
    struct asked *asked = ask_limited("list; limit 1", row, 28, 100);
    assert_string_equal(
        asked->answer.insight,
        "1 record from 2026-03-18 13:35:20 to 14:35:20, as many as were asked for. The first one "
        "shown: 2026-03-18 14:34:45, order-service, \"boom\".");
    done(asked);
    asked = ask_limited("list; limit 1; ko", row, 28, 100);
    assert_non_null(strstr(asked->answer.insight, "기록 1건을 청한 만큼 보여 줍니다."));
    done(asked);
    asked = ask_limited("list; limit 2", row, 28, 100);
    assert_non_null(strstr(asked->answer.insight, "1 record from 2026-03-18 13:35:20 to 14:35:20. "));
    done(asked);
}

static void wrong_cells_are_an_error_and_not_an_answer(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, (size_t)1 << 20);
    struct ag_intent intent;
    struct ag_sql sql;
    struct lm_error error;
    struct ag_answer answer;
    assert_true(intent_spec_parse("count", &arena, &intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
    assert_int_equal(ag_sql_write(&intent, &context, &arena, &sql, &error), 0);
    const char *const cells[] = {"many"};
    const struct ag_answer_input input = {&intent, &sql, {cells, 1}, false};
    assert_int_equal(ag_answer_make(&input, &arena, &answer, &error), -1);
    assert_string_equal(error.kind, "bad_rows");
    ag_answer_free(&answer);
    lm_arena_free(&arena);
}

static void without_memory_there_is_no_answer_and_no_leak(void **state)
{
    (void)state;
    const char *const cells[] = {"/a", "60", "100", "/b", "30", "100"};
    size_t refused = 0;
    for (size_t room = 0; room < 8192; room += 128) {
        struct lm_arena texts;
        struct lm_arena arena;
        lm_arena_init(&texts, (size_t)1 << 20);
        lm_arena_init(&arena, room);
        struct ag_intent intent;
        struct ag_sql sql;
        struct lm_error error;
        struct ag_answer answer;
        assert_true(intent_spec_parse("count; by endpoint", &texts, &intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
        assert_int_equal(ag_sql_write(&intent, &context, &texts, &sql, &error), 0);
        const struct ag_answer_input input = {&intent, &sql, {cells, 2}, false};
        if (ag_answer_make(&input, &arena, &answer, &error) != 0) {
            assert_string_equal(error.kind, "memory");
            refused++;
        }
        ag_answer_free(&answer);
        lm_arena_free(&arena);
        lm_arena_free(&texts);
    }
    assert_true(refused > 0 && refused < 60);
}

/* The statement's columns: pattern, count, total, without_value, sample. */
static void alike_patterns_are_put_together_counted_together_and_said(void **state)
{
    static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"};
    const char *cells[45];
    char patterns[8][64];
    (void)state;

    cells[0] = "disk <*> is full", cells[1] = "9", cells[2] = "26", cells[3] = "0",
    cells[4] = "disk 1 is full";
    for (size_t i = 0; i < 8; i++) {
        snprintf(patterns[i], sizeof patterns[i], "login has failed for %s", names[i]);
        const char **row = cells + 5 + 5 * i;
        row[0] = row[4] = patterns[i];
        row[1] = i == 0 ? "3" : "2";
        row[2] = "26";
        row[3] = "0";
    }
    struct asked *asked =
        ask_limited("count; by pattern; where level >= ERROR; rank; limit 2; " DAY, cells, 45, 100);
    assert_int_equal(asked->answer.count, 2);
    assert_string_equal(text(asked, 0, "pattern"), "login has failed for <*>");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 17);
    assert_string_equal(text(asked, 0, "sample"), "login has failed for alice");
    assert_int_equal(json_integer_value(cell(asked, 1, "count")), 9);
    assert_non_null(strstr(asked->answer.insight, "17 (65.4% of 26)"));
    assert_non_null(
        strstr(asked->answer.insight, " 8 patterns that differ in a name only were put together"));
    done(asked);
    /* Not among what is shown: not said. */
    cells[1] = "20";
    asked = ask_limited("count; by pattern; where level >= ERROR; rank; limit 1; ko; " DAY, cells, 45, 100);
    assert_string_equal(text(asked, 0, "pattern"), "disk <*> is full");
    assert_null(strstr(asked->answer.insight, "합치고"));
    done(asked);
    /* One fewer: each its own. */
    asked = ask_limited("count; by pattern; where level >= ERROR; rank; " DAY, cells, 40, 100);
    assert_int_equal(asked->answer.count, 8);
    done(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranking_leaves_null_out_and_counts_it),
        cmocka_unit_test(one_row_more_than_shown_means_truncated),
        cmocka_unit_test(too_few_samples_are_left_out_and_named),
        cmocka_unit_test(cells_have_the_type_of_their_column),
        cmocka_unit_test(a_list_as_long_as_asked_is_no_count),
        cmocka_unit_test(wrong_cells_are_an_error_and_not_an_answer),
        cmocka_unit_test(without_memory_there_is_no_answer_and_no_leak),
        cmocka_unit_test(alike_patterns_are_put_together_counted_together_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
