/* The expressions of time of the cases, to the second, and the canonical texts of windows. */
#include "agent/understand/time.h"
#include "agent/understand/understand.h"
#include "agent/understand/vocabulary.h"
#include "agent/understand/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1773812120000000) /* 2026-03-18T14:35:20+09:00 */

static int64_t at(const char *zone_name, int year, int month, int day, int hour, int minute, int second)
{
    struct ag_zone *zone = ag_zone_new(zone_name);
    struct ag_local local = {
        .year = year, .month = month, .day = day, .hour = hour, .minute = minute, .second = second};
    int64_t us;

    assert_non_null(zone);
    us = ag_zone_instant(zone, &local);
    ag_zone_free(zone);
    return us;
}

static void expect(const char *symbolic, const char *zone, int64_t now, int64_t from, int64_t to)
{
    int64_t got_from;
    int64_t got_to;
    struct lm_error error;

    assert_int_equal(ag_time_resolve(symbolic, zone, now, &got_from, &got_to, NULL, &error), 0);
    assert_int_equal(got_from, from);
    assert_int_equal(got_to, to);
}

static void expect_refused(const char *symbolic)
{
    int64_t from;
    int64_t to;
    struct lm_error error;

    assert_int_equal(ag_time_resolve(symbolic, "Asia/Seoul", NOW, &from, &to, NULL, &error), -1);
    assert_string_equal(error.kind, "bad_request");
}

static void rolling_windows_end_at_now(void **state)
{
    (void)state;
    expect("last 1 hour", "Asia/Seoul", NOW, NOW - AG_HOUR, NOW);
    expect("last 3 day", "Asia/Seoul", NOW, NOW - 3 * AG_DAY, NOW);
    expect("last 1 hour -1", "Asia/Seoul", NOW, NOW - 2 * AG_HOUR, NOW - AG_HOUR);
    expect("last 1 month", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 2, 18, 14, 35, 20), NOW);
}

static void calendar_units_start_on_the_zone_clock(void **state)
{
    (void)state;
    expect("day 0", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 3, 18, 0, 0, 0), NOW);
    expect("day -1", "UTC", NOW, at("UTC", 2026, 3, 17, 0, 0, 0), at("UTC", 2026, 3, 18, 0, 0, 0));
    expect("week -1", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 3, 9, 0, 0, 0),
           at("Asia/Seoul", 2026, 3, 16, 0, 0, 0));
    expect("month -1", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 2, 1, 0, 0, 0),
           at("Asia/Seoul", 2026, 3, 1, 0, 0, 0));
    expect("quarter -1", "Asia/Seoul", NOW, at("Asia/Seoul", 2025, 10, 1, 0, 0, 0),
           at("Asia/Seoul", 2026, 1, 1, 0, 0, 0));
    expect("day -1 so far", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 3, 17, 0, 0, 0),
           at("Asia/Seoul", 2026, 3, 17, 14, 35, 20));
    expect("day -1 20:00-28:00", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 3, 17, 20, 0, 0),
           at("Asia/Seoul", 2026, 3, 18, 4, 0, 0));
}

static void months_are_clipped_to_their_last_day(void **state)
{
    int64_t end_of_march = at("Asia/Seoul", 2026, 3, 31, 9, 0, 0);

    (void)state;
    expect("last 1 month", "Asia/Seoul", end_of_march, at("Asia/Seoul", 2026, 2, 28, 9, 0, 0), end_of_march);
    expect("month -1 so far", "Asia/Seoul", end_of_march, at("Asia/Seoul", 2026, 2, 1, 0, 0, 0),
           at("Asia/Seoul", 2026, 2, 28, 9, 0, 0));
}

static void a_day_has_23_or_25_hours_where_clocks_change(void **state)
{
    int64_t spring = at("America/New_York", 2026, 3, 9, 12, 0, 0);
    int64_t autumn = at("America/New_York", 2026, 11, 2, 12, 0, 0);
    int64_t from;
    int64_t to;
    struct lm_error error;

    (void)state;
    assert_int_equal(ag_time_resolve("day -1", "America/New_York", spring, &from, &to, NULL, &error), 0);
    assert_int_equal(to - from, 23 * AG_HOUR);
    assert_int_equal(ag_time_resolve("day -1", "America/New_York", autumn, &from, &to, NULL, &error), 0);
    assert_int_equal(to - from, 25 * AG_HOUR);
    /* Rolling days stay days of 24 hours. */
    expect("last 1 day", "America/New_York", spring, spring - AG_DAY, spring);
}

static void absolute_windows_are_cut_at_now(void **state)
{
    (void)state;
    expect("2026-03-17T14:00:00+09:00/2026-03-17T15:00:00+09:00", "UTC", NOW,
           at("Asia/Seoul", 2026, 3, 17, 14, 0, 0), at("Asia/Seoul", 2026, 3, 17, 15, 0, 0));
    expect("2026-03-16T00:00:00+09:00/now", "Asia/Seoul", NOW, at("Asia/Seoul", 2026, 3, 16, 0, 0, 0), NOW);
    expect("2026-03-18T14:00:00+09:00/2026-03-18T18:00:00+09:00", "Asia/Seoul", NOW,
           at("Asia/Seoul", 2026, 3, 18, 14, 0, 0), NOW);
    expect("all", "Asia/Seoul", NOW, INT64_MIN, NOW);
}

static void texts_that_are_no_window_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "last",
                                      "last 0 hour",
                                      "last 1 parsec",
                                      "day 1",
                                      "day -1 25:00-24:00",
                                      "last 99999999999 year",
                                      "week",
                                      "day -1 so",
                                      "now/now",
                                      "2026-13-01T00:00:00Z/now",
                                      "2026-03-19T00:00:00Z/now",
                                      "last 1 hour 2",
                                      "day -1000000000 so far",
                                      "last 1000000 year -1000000"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(bad[i]);
}

/* -- the table of expressions
 * ------------------------------------------------------------------------------------------- */

static bool parse_local(const char *text, int64_t *us)
{
    int y, mo, d, h, mi, s;

    if (sscanf(text, "%d-%d-%dT%d:%d:%d", &y, &mo, &d, &h, &mi, &s) != 6)
        return false;
    *us = at("Asia/Seoul", y, mo, d, h, mi, s);
    return true;
}

static bool check_expression(const struct ag_vocabulary *vocabulary, const struct ag_catalogue *catalogue,
                             const char *language, const char *expression, int64_t from, int64_t to)
{
    char question[512];
    struct ag_understanding out;
    struct lm_arena arena;
    struct lm_error error;
    struct ag_question q = {.text = question, .zone = "Asia/Seoul", .now_us = NOW};
    bool good;

    snprintf(question, sizeof question, strcmp(language, "ko") == 0 ? "%s 에러 건수" : "error count %s",
             expression);
    q.len = strlen(question);
    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    assert_int_equal(ag_understand(&q, vocabulary, catalogue, &arena, &out, &error), 0);
    good = out.outcome == AG_UNDERSTOOD && out.intent.window.from_us == from && out.intent.window.to_us == to;
    if (!good)
        print_error("%s: %s, %s\n", expression, ag_outcome_name(out.outcome),
                    out.outcome == AG_UNDERSTOOD ? out.intent.window.symbolic : out.message);
    lm_arena_free(&arena);
    return good;
}

static void expressions_of_the_cases_come_out_to_the_second(void **state)
{
    const char *folder = getenv("LOGMILL_CASES_DIR");
    struct lm_error error;
    struct ag_vocabulary *vocabulary = ag_vocabulary_new(NULL, &error);
    struct ag_catalogue *catalogue = ag_catalogue_new();
    char path[1024];
    char line[1024];
    size_t wrong = 0;
    size_t count = 0;
    FILE *file;

    (void)state;
    assert_non_null(vocabulary);
    assert_non_null(catalogue);
    assert_int_equal(ag_catalogue_seal(catalogue), 0);
    snprintf(path, sizeof path, "%s/time_expressions.tsv", folder ? folder : LOGMILL_CASES);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *cells[6] = {line};
        int64_t from;
        int64_t to;
        for (int i = 1; i < 6 && cells[i - 1]; i++) {
            cells[i] = strchr(cells[i - 1], '\t');
            if (cells[i])
                *cells[i]++ = '\0';
        }
        /* "지금" alone is a point; as a filter it is the last minute, which its note says. */
        if (!cells[4] || !parse_local(cells[3], &from) || !parse_local(cells[4], &to) || from == to)
            continue;
        count++;
        wrong += !check_expression(vocabulary, catalogue, cells[0], cells[1], from, to);
    }
    ag_catalogue_free(catalogue);
    ag_vocabulary_free(vocabulary);
    if (!file) {
        print_message("%s is not there; set LOGMILL_CASES_DIR\n", path);
        skip();
    }
    fclose(file);
    assert_true(count >= 60);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_windows_end_at_now),
        cmocka_unit_test(calendar_units_start_on_the_zone_clock),
        cmocka_unit_test(months_are_clipped_to_their_last_day),
        cmocka_unit_test(a_day_has_23_or_25_hours_where_clocks_change),
        cmocka_unit_test(absolute_windows_are_cut_at_now),
        cmocka_unit_test(texts_that_are_no_window_are_refused),
        cmocka_unit_test(expressions_of_the_cases_come_out_to_the_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
