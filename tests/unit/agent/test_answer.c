/*
 * From rows to the answer: types, filled buckets, what a ranking leaves out, sentences in both languages.
 * Rows are written here as PostgreSQL gives them; the statement is what the writer makes of the intent.
 */
#include "agent/answer/answer.h"
#include "agent/answer/table.h"
#include "common/clock.h"
#include "tests/unit/agent/intent_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct asked {
    struct lm_arena arena;
    struct ag_intent intent;
    struct ag_sql sql;
    struct ag_answer answer;
};

#define DAY "in 2026-03-17T00:00:00+09:00/2026-03-18T00:00:00+09:00"

/* `cells` as the statement's columns come, row after row. */
static struct asked *ask_limited(const char *spec, const char *const *cells, size_t count, int max_rows)
{
    struct asked *asked = calloc(1, sizeof *asked);
    assert_non_null(asked);
    lm_arena_init(&asked->arena, (size_t)16 << 20);
    assert_true(intent_spec_parse(spec, &asked->arena, &asked->intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                           .max_rows = max_rows,
                                           .max_rows_stated = max_rows != 100,
                                           .rows_since_us = INT64_MIN};
    struct lm_error error;
    if (ag_sql_write(&asked->intent, &context, &asked->arena, &asked->sql, &error) != 0) {
        fail_msg("%s: %s", spec, error.text);
    }
    assert_int_equal(count % asked->sql.column_count, 0);
    const struct ag_answer_input input = {
        &asked->intent, &asked->sql, {cells, count / asked->sql.column_count}, false};
    if (ag_answer_make(&input, &asked->arena, &asked->answer, &error) != 0) {
        fail_msg("%s: %s", spec, error.text);
    }
    return asked;
}

#define ASK(spec, ...)                                                                                       \
    ask_limited(spec, (const char *const[]){__VA_ARGS__},                                                    \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), 100)

static void done(struct asked *asked)
{
    ag_answer_free(&asked->answer);
    lm_arena_free(&asked->arena);
    free(asked);
}

static json_t *cell(const struct asked *asked, size_t row, const char *column)
{
    return json_object_get(json_array_get(asked->answer.results, row), column);
}

static const char *text(const struct asked *asked, size_t row, const char *column)
{
    const char *value = json_string_value(cell(asked, row, column));
    return value == NULL ? "" : value;
}

static bool warned(const struct asked *asked, const char *code, const char *words)
{
    size_t i = 0;
    json_t *warning = NULL;
    json_array_foreach(asked->answer.warnings, i, warning)
    {
        if (strcmp(json_string_value(json_object_get(warning, "code")), code) == 0 &&
            strstr(json_string_value(json_object_get(warning, "text")), words) != NULL) {
            return true;
        }
    }
    return false;
}

static void assert_says(const struct asked *asked, const char *words)
{
    if (strstr(asked->answer.insight, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", asked->answer.insight, words);
    }
}

static void count_is_a_number_with_thousands_in_the_sentence(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; where level in ERROR|FATAL; " DAY "; ko", "12345");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 12345);
    assert_string_equal(asked->answer.insight, "2026-03-17 하루 오류는 모두 12,345건입니다.");
    assert_string_equal(json_string_value(json_object_get(asked->answer.chart, "type")), "number");
    done(asked);
    asked = ASK("count; where level in ERROR|FATAL", "1");
    assert_string_equal(asked->answer.insight, "1 error from 2026-03-18 13:35:20 to 14:35:20.");
    done(asked);
}

static void nothing_found_is_said(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; where user_id in u9999; " DAY "; ko", "0");
    assert_string_equal(asked->answer.insight, "2026-03-17 하루 사용자 u9999 기록이 없습니다.");
    assert_true(warned(asked, "nothing_found", "\"u9999\""));
    assert_int_equal(asked->answer.count, 1);
    done(asked);
    asked = ask_limited("list; where message contains boom", NULL, 0, 100);
    assert_string_equal(asked->answer.insight,
                        "There are no matching records from 2026-03-18 13:35:20 to 14:35:20.");
    assert_true(warned(asked, "nothing_found", "\"boom\""));
    assert_true(json_is_null(asked->answer.chart));
    done(asked);
}

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

static void empty_buckets_are_shown(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; series 3600; " DAY, "2026-03-16 16:00:00+00", "5", "2026-03-17 05:00:00+00", "310");
    assert_int_equal(asked->answer.count, 24);
    assert_string_equal(text(asked, 0, "bucket"), "2026-03-17T00:00:00+09:00");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 0);
    assert_int_equal(json_integer_value(cell(asked, 1, "count")), 5);
    assert_int_equal(json_integer_value(cell(asked, 14, "count")), 310);
    assert_true(json_is_false(cell(asked, 14, "partial")));
    assert_says(asked, "315 records on 2026-03-17, the most at 2026-03-17 14:00–15:00: 310.");
    assert_string_equal(json_string_value(json_object_get(asked->answer.chart, "type")), "line");
    done(asked);
}

static void behind_a_cut_nothing_is_filled(void **state)
{
    (void)state;
    const char *const rows[] = {"2026-03-16 16:00:00+00", "5", "2026-03-16 18:00:00+00", "6"};
    struct asked *asked = ask_limited("count; series 3600; " DAY, rows, 4, 100);
    struct lm_error error;
    ag_answer_free(&asked->answer);
    const struct ag_answer_input input = {&asked->intent, &asked->sql, {rows, 2}, true};
    assert_int_equal(ag_answer_make(&input, &asked->arena, &asked->answer, &error), 0);
    assert_true(asked->answer.truncated);
    assert_int_equal(asked->answer.count, 4); /* midnight to three */
    done(asked);
}

static void ends_that_stick_out_are_marked_partial(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("avg; series 1800", "2026-03-18 04:30:00+00", "10", "2", "2026-03-18 05:00:00+00", "12", "3");
    assert_int_equal(asked->answer.count, 3);
    assert_true(json_is_true(cell(asked, 0, "partial")));
    assert_true(json_is_false(cell(asked, 1, "partial")));
    assert_true(json_is_true(cell(asked, 2, "partial")));
    assert_true(json_is_null(cell(asked, 2, "avg_duration_ms")));
    assert_int_equal(json_integer_value(cell(asked, 2, "samples")), 0);
    done(asked);
}

static void groups_of_a_series_are_filled(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; series 1800; by service", "2026-03-18 04:30:00+00", "a", "1",
                              "2026-03-18 05:30:00+00", "b", "2");
    assert_int_equal(asked->answer.count, 6);
    assert_string_equal(text(asked, 1, "service"), "b");
    assert_int_equal(json_integer_value(cell(asked, 1, "count")), 0);
    assert_string_equal(text(asked, 4, "service"), "b");
    assert_int_equal(json_integer_value(cell(asked, 4, "count")), 2);
    done(asked);
}

static void days_follow_the_zones_clock_changes(void **state)
{
    (void)state;
    /* New York springs forward on 8 March 2026: that day has 23 hours. */
    struct asked *asked =
        ASK("count; series 86400; zone America/New_York; in 2026-03-07T05:00:00Z/2026-03-10T04:00:00Z",
            "2026-03-08 05:00:00+00", "7");
    assert_int_equal(asked->answer.count, 3);
    assert_string_equal(text(asked, 0, "bucket"), "2026-03-07T00:00:00-05:00");
    assert_string_equal(text(asked, 1, "bucket"), "2026-03-08T00:00:00-05:00");
    assert_int_equal(json_integer_value(cell(asked, 1, "count")), 7);
    assert_string_equal(text(asked, 2, "bucket"), "2026-03-09T00:00:00-04:00");
    assert_true(json_is_false(cell(asked, 1, "partial")));
    done(asked);
}

static void busiest_and_quietest_count_empty_buckets(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; busiest 3600; " DAY, "2026-03-16 16:00:00+00", "5", "2026-03-17 05:00:00+00", "310");
    assert_int_equal(asked->answer.count, 5);
    assert_string_equal(text(asked, 0, "bucket"), "2026-03-17T14:00:00+09:00");
    done(asked);
    asked = ASK("count; busiest 3600; order fewest; limit 1; " DAY, "2026-03-16 15:00:00+00", "5");
    assert_int_equal(asked->answer.count, 1);
    assert_string_equal(text(asked, 0, "bucket"), "2026-03-17T01:00:00+09:00");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 0);
    done(asked);
}

static void spike_stands_above_the_median(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; spike 1800; ko", "2026-03-18 04:30:00+00", "2",
                              "2026-03-18 05:00:00+00", "40", "2026-03-18 05:30:00+00", "2");
    assert_string_equal(text(asked, 0, "bucket"), "2026-03-18T14:00:00+09:00");
    assert_true(json_real_value(cell(asked, 0, "median")) == 2.0);
    assert_true(json_real_value(cell(asked, 0, "times_median")) == 20.0);
    assert_says(asked, "중앙값 2건의 20배입니다.");
    done(asked);
}

static void comparison_has_both_sides_difference_and_change(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; " DAY "; against 2026-03-16T00:00:00+09:00/2026-03-17T00:00:00+09:00; ko", "150", "100");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 150);
    assert_int_equal(json_integer_value(cell(asked, 0, "previous_count")), 100);
    assert_int_equal(json_integer_value(cell(asked, 0, "difference")), 50);
    assert_true(json_real_value(cell(asked, 0, "change")) == 0.5);
    assert_says(asked, "50건(50%) 늘었습니다.");
    done(asked);
    asked = ASK("error_rate; against 2026-03-18T12:35:20+09:00/2026-03-18T13:35:20+09:00", "0.02", "0");
    assert_true(json_is_null(cell(asked, 0, "change")));
    assert_says(asked, "Up by 2 percentage points.");
    done(asked);
}

static void what_is_to_be_confirmed_is_answered_yes_or_no_where_both_sides_are_known(void **state)
{
#define AGAINST "against 2026-03-16T00:00:00+09:00/2026-03-17T00:00:00+09:00; "
    (void)state;
    struct asked *asked = ASK("count; " DAY "; " AGAINST "claim more; ko", "150", "100");
    assert_int_equal(strncmp(asked->answer.insight, "예. ", strlen("예. ")), 0);
    assert_says(asked, "50건(50%) 늘었습니다.");
    done(asked);
    asked = ASK("count; " DAY "; " AGAINST "claim less; ko", "150", "150");
    assert_int_equal(strncmp(asked->answer.insight, "아니요. ", strlen("아니요. ")), 0);
    done(asked);
    asked = ASK("count; " DAY "; " AGAINST "claim more", "90", "100");
    assert_int_equal(strncmp(asked->answer.insight, "No: 90", 6), 0);
    done(asked);
    asked = ASK("p 0.95; " DAY "; " AGAINST "claim more", "412.5", NULL);
    assert_int_equal(
        strncmp(asked->answer.insight, "No", 2) == 0 || strncmp(asked->answer.insight, "Yes", 3) == 0, 0);
    done(asked);
#undef AGAINST
}

static void things_asked_for_at_once_are_named_by_their_words(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; part errors count; part people distinct user_id; part slow p 0.95; where 1 level in "
            "ERROR|FATAL; where 3 service in pay; " DAY,
            "12", "3", NULL);
    assert_int_equal(json_integer_value(cell(asked, 0, "errors")), 12);
    assert_int_equal(json_integer_value(cell(asked, 0, "people")), 3);
    assert_true(json_is_null(cell(asked, 0, "slow")));
    assert_says(asked, "errors: 12, people: 3, slow: no value, on 2026-03-17.");
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

static void log_text_in_a_sentence_is_quoted_cut_and_harmless(void **state)
{
    (void)state;
    struct lm_buffer out;
    lm_buffer_init(&out, 4096);
    ag_put_quoted(&out,
                  "a\"b\n\x1b[31mred http://evil.example/\xe2\x80\xae"
                  "end and much more of it",
                  40);
    assert_string_equal(lm_buffer_text(&out), "\"a'b\\n\\x1B[31mred http: //evil.example/?end and …\"");
    lm_buffer_clear(&out);
    ag_put_name(&out, "payment-service");
    assert_string_equal(lm_buffer_text(&out), "payment-service");
    lm_buffer_clear(&out);
    ag_put_name(&out, "[x](http://y)");
    assert_string_equal(lm_buffer_text(&out), "\"[x](http: //y)\"");
    lm_buffer_clear(&out);
    ag_put_name(&out, "https://evil.example");
    assert_string_equal(lm_buffer_text(&out), "\"https: //evil.example\"");
    lm_buffer_free(&out);
}

static void numbers_have_three_significant_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *said;
    } cases[] = {{0, "0"},
                 {5, "5"},
                 {1234.5, "1,230"},
                 {999.6, "1,000"},
                 {99.95, "100"},
                 {4.2666, "4.27"},
                 {-0.001234, "-0.00123"},
                 {1234567, "1,230,000"},
                 {0.5, "0.5"},
                 {1e-7, "1e-07"},
                 {12.0, "12"},
                 {0.0999999, "0.1"}};
    struct lm_buffer out;
    lm_buffer_init(&out, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lm_buffer_clear(&out);
        ag_put_number(&out, cases[i].value);
        assert_string_equal(lm_buffer_text(&out), cases[i].said);
    }
    lm_buffer_clear(&out);
    ag_put_count(&out, -1234567);
    assert_string_equal(lm_buffer_text(&out), "-1,234,567");
    lm_buffer_free(&out);
}

static void particles_follow_the_last_sound(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum ag_particle particle;
        const char *said;
    } cases[] = {
        {"오류", AG_EUN_NEUN, "오류는"},
        {"기록", AG_EUN_NEUN, "기록은"},
        {"서비스", AG_I_GA, "서비스가"},
        {"패턴", AG_I_GA, "패턴이"},
        {"310건", AG_EURO_RO, "310건으로"},
        {"서울", AG_EURO_RO, "서울로"},
        {"4.27%", AG_EURO_RO, "4.27%로"},
        {"412 ms", AG_EURO_RO, "412 ms로"},
        {"payment-service", AG_I_GA, "payment-service가"},
        {"timeout", AG_I_GA, "timeout이"},
        {"Chrome", AG_I_GA, "Chrome이"},
        {"mobile", AG_EURO_RO, "mobile로"},
        {"mobile", AG_I_GA, "mobile이"},
        {"PaymentGatewayTimeout", AG_I_GA, "PaymentGatewayTimeout이"},
        {"NullPointerException", AG_I_GA, "NullPointerException이"},
        {"LockTimeoutError", AG_I_GA, "LockTimeoutError가"},
        {"URL", AG_EUN_NEUN, "URL은"},
        {"API", AG_EUN_NEUN, "API는"},
        {"WARN", AG_EUN_NEUN, "WARN은"},
        {"ERROR", AG_EUN_NEUN, "ERROR는"},
        {"web-03", AG_I_GA, "web-03이"},
        {"web-02", AG_I_GA, "web-02가"},
        {"p95", AG_EUN_NEUN, "p95는"},
        {"p50", AG_EUN_NEUN, "p50은"},
        {"u1", AG_EURO_RO, "u1로"},
        {"404", AG_I_GA, "404가"},
        {"365건(53.6%)", AG_EURO_RO, "365건(53.6%)으로"},
        {"\"결제 승인 지연\"", AG_I_GA, "\"결제 승인 지연\"이"},
        {"stock", AG_EUL_REUL, "stock을"},
        {"gateway", AG_GWA_WA, "gateway와"},
    };
    struct lm_buffer out;
    lm_buffer_init(&out, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lm_buffer_clear(&out);
        lm_buffer_append_text(&out, cases[i].word);
        ag_put_particle(&out, cases[i].particle);
        assert_string_equal(lm_buffer_text(&out), cases[i].said);
    }
    lm_buffer_free(&out);
}

static void interpretation_names_window_zone_and_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *said;
    } cases[] = {
        {"count; where level in ERROR|FATAL; where service in payment-service; by endpoint; rank; limit "
         "5; " DAY "; ko",
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 레벨이 ERROR 또는 FATAL이고 서비스가 "
         "payment-service인 기록의 수를 "
         "엔드포인트별로 구해 상위 5개를 보여 줍니다."},
        {"count; by endpoint; order fewest; rank; limit 5; " DAY "; ko",
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 기록의 수를 엔드포인트별로 구해 하위 5개를 "
         "보여 줍니다."},
        {"list; where message contains timeout; where service not_in web; ko",
         "2026-03-18 13:35:20부터 14:35:20까지(Asia/Seoul) 메시지에 \"timeout\"이 들어 있고 서비스가 web이 "
         "아닌 기록을 최신 것부터 "
         "보여 줍니다."},
        {"error_rate; by service; series 3600; " DAY,
         "The error rate (errors over all) of records, by service, for every hour, from 2026-03-17 00:00 to "
         "2026-03-18 00:00 "
         "(Asia/Seoul)."},
        {"p 0.5 0.95; where duration_ms > 500; where http_status between 500|599; zone UTC",
         "The duration's p50 and p95 over records with duration above 500 ms and status code from 500 to "
         "599, from 2026-03-18 "
         "04:35:20 to 05:35:20 (UTC)."},
        {"count; silent 900; " DAY, "Any service silent for more than 15 minutes at the end, among records, "
                                    "from 2026-03-17 00:00 to 2026-03-18 00:00 "
                                    "(Asia/Seoul)."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked *asked = calloc(1, sizeof *asked);
        assert_non_null(asked);
        lm_arena_init(&asked->arena, (size_t)1 << 20);
        assert_true(intent_spec_parse(cases[i].spec, &asked->arena, &asked->intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
        struct lm_error error;
        assert_int_equal(ag_sql_write(&asked->intent, &context, &asked->arena, &asked->sql, &error), 0);
        assert_string_equal(ag_interpretation(&asked->intent, &asked->sql, &asked->arena), cases[i].said);
        assert_non_null(ag_interpretation(&asked->intent, NULL, &asked->arena));
        done(asked);
    }
}

static void first_seen_names_the_moment(void **state)
{
    (void)state;
    struct asked *asked = ASK("first_seen; where error_type in NullPointerException; in all; ko",
                              "2026-02-11 07:39:04.25+00", "127");
    assert_string_equal(text(asked, 0, "first_seen"), "2026-02-11T16:39:04.250000+09:00");
    assert_says(asked, "처음은 2026-02-11 16:39:04이고, 모두 127건입니다.");
    done(asked);
    asked = ASK("last_seen; where error_type in X", NULL, "0");
    assert_says(asked, "There are no records with error type X ");
    done(asked);
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
        cmocka_unit_test(count_is_a_number_with_thousands_in_the_sentence),
        cmocka_unit_test(nothing_found_is_said),
        cmocka_unit_test(ranking_leaves_null_out_and_counts_it),
        cmocka_unit_test(alike_patterns_are_put_together_counted_together_and_said),
        cmocka_unit_test(one_row_more_than_shown_means_truncated),
        cmocka_unit_test(too_few_samples_are_left_out_and_named),
        cmocka_unit_test(empty_buckets_are_shown),
        cmocka_unit_test(behind_a_cut_nothing_is_filled),
        cmocka_unit_test(ends_that_stick_out_are_marked_partial),
        cmocka_unit_test(groups_of_a_series_are_filled),
        cmocka_unit_test(days_follow_the_zones_clock_changes),
        cmocka_unit_test(busiest_and_quietest_count_empty_buckets),
        cmocka_unit_test(spike_stands_above_the_median),
        cmocka_unit_test(comparison_has_both_sides_difference_and_change),
        cmocka_unit_test(what_is_to_be_confirmed_is_answered_yes_or_no_where_both_sides_are_known),
        cmocka_unit_test(things_asked_for_at_once_are_named_by_their_words),
        cmocka_unit_test(cells_have_the_type_of_their_column),
        cmocka_unit_test(a_list_as_long_as_asked_is_no_count),
        cmocka_unit_test(wrong_cells_are_an_error_and_not_an_answer),
        cmocka_unit_test(log_text_in_a_sentence_is_quoted_cut_and_harmless),
        cmocka_unit_test(numbers_have_three_significant_digits),
        cmocka_unit_test(particles_follow_the_last_sound),
        cmocka_unit_test(interpretation_names_window_zone_and_conditions),
        cmocka_unit_test(first_seen_names_the_moment),
        cmocka_unit_test(without_memory_there_is_no_answer_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
