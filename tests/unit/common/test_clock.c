#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_S INT64_C(-62135596800)
#define LAST_S INT64_C(253402300799)

static bool parse(const char *text, int64_t *us)
{
    return lm_rfc3339_parse(text, strlen(text), us, NULL) == 0;
}

static int64_t parsed(const char *text)
{
    int64_t us = INT64_MIN;
    struct lm_error error;
    lm_error_clear(&error);
    if (lm_rfc3339_parse(text, strlen(text), &us, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    return us;
}

static const char *format(int64_t us)
{
    static char text[LM_RFC3339_SIZE];
    size_t len = lm_rfc3339_format(us, text);
    assert_int_equal(len, strlen(text));
    return text;
}

static void format_drops_trailing_zeros_of_the_fraction(void **state)
{
    (void)state;
    assert_string_equal(format(0), "1970-01-01T00:00:00Z");
    assert_string_equal(format(1), "1970-01-01T00:00:00.000001Z");
    assert_string_equal(format(-1), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(format(INT64_C(1773812120123400)), "2026-03-18T05:35:20.1234Z");
    assert_string_equal(format(INT64_C(1773812120100000)), "2026-03-18T05:35:20.1Z");
}

static void format_outside_the_years_clamps(void **state)
{
    (void)state;
    assert_string_equal(format(INT64_MIN), "0001-01-01T00:00:00Z");
    assert_string_equal(format(INT64_MAX), "9999-12-31T23:59:59.999999Z");
}

static void format_agrees_with_gmtime_and_parse_gives_it_back(void **state)
{
    (void)state;
    srandom(20261121);
    for (int i = 0; i < 300000; i++) {
        int64_t wide = (int64_t)(((uint64_t)random() << 31) ^ (uint64_t)random());
        /* Half of them near now, where leap years and month ends matter most. */
        int64_t seconds = i % 2 == 0 ? FIRST_S + wide % (LAST_S - FIRST_S + 1) : wide % 4102444800;
        int64_t micros = i % 3 == 0 ? 0 : random() % 1000000;
        time_t t = (time_t)seconds;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        char want[64];
        (void)snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)micros);
        int64_t us = seconds * LM_SECOND_US + micros;
        assert_true(parsed(want) == us);
        char *end = want + strlen(want) - 1;
        while (end[-1] == '0')
            end--;
        if (end[-1] == '.')
            end--;
        memcpy(end, "Z", 2);
        assert_string_equal(format(us), want);
    }
}

static void every_day_from_1600_to_2400_round_trips(void **state)
{
    (void)state;
    char last[LM_RFC3339_SIZE] = "";
    for (int64_t day = -135140; day < 157054; day++) {
        const char *text = format(day * LM_DAY_US);
        assert_true(strcmp(last, text) < 0);
        assert_true(parsed(text) == day * LM_DAY_US);
        memcpy(last, text, strlen(text) + 1);
    }
}

static void all_accepted_spellings_mean_the_same_instant(void **state)
{
    (void)state;
    static const char *const same[] = {
        "2026-03-18T05:35:20.123456Z",      "2026-03-18t05:35:20.123456z",
        "2026-03-18 05:35:20.123456",       "2026-03-18T14:35:20,123456+09:00",
        "2026-03-18T14:35:20.123456+0900",  "2026-03-18T14:35:20.123456+09",
        "2026-03-18T05:35:20.123456-00:00", "2026-03-17T20:05:20.123456-09:30",
        "2026-03-18T05:35:20.1234569999Z",  "2026-03-19T04:35:20.123456+23:00",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_true(parsed(same[i]) == INT64_C(1773812120123456));
}

static void a_leap_second_is_the_first_second_of_the_next_minute(void **state)
{
    (void)state;
    assert_true(parsed("2016-12-31T23:59:60Z") == parsed("2017-01-01T00:00:00Z"));
    assert_true(parsed("2016-12-31T23:59:60.5Z") == parsed("2017-01-01T00:00:00.5Z"));
    int64_t us;
    assert_false(parse("9999-12-31T23:59:60Z", &us));
}

static void what_is_no_time_is_refused_as_dead_letter(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-03-18",
        "2026-03-18T",
        "2026-03-18T05:35",
        "2026-03-18T05:35:2",
        "2026-03-18T05:35:20.",
        "2026-03-18T05:35:20.Z",
        "2026-03-18T05:35:20ZZ",
        "2026-03-18T05:35:20Z ",
        " 2026-03-18T05:35:20Z",
        "2026-3-18T05:35:20Z",
        "2026-13-18T05:35:20Z",
        "2026-00-18T05:35:20Z",
        "2026-02-29T05:35:20Z",
        "1900-02-29T05:35:20Z",
        "2026-04-31T05:35:20Z",
        "2026-03-00T05:35:20Z",
        "2026-03-18T24:00:00Z",
        "2026-03-18T05:60:00Z",
        "2026-03-18T05:35:61Z",
        "2026-03-18T05:35:20+",
        "2026-03-18T05:35:20+9",
        "2026-03-18T05:35:20+24:00",
        "2026-03-18T05:35:20+09:60",
        "2026-03-18T05:35:20+09:",
        "2026-03-18T05:35:20+09:0",
        "2026-03-18_05:35:20Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "infinity",
        "-infinity",
        "+026-03-18T05:35:20Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t us = 77;
        struct lm_error error;
        if (lm_rfc3339_parse(bad[i], strlen(bad[i]), &us, &error) != -1)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(error.decision, LM_DEAD_LETTER);
        assert_string_equal(error.kind, "timestamp");
        assert_true(us == 77);
    }
}

static void parse_never_reads_behind_the_length(void **state)
{
    (void)state;
    static const char text[] = "2026-03-18T05:35:20.123456+09:00";
    for (size_t len = 0; len < sizeof(text); len++) {
        /* An exact copy, so that ASan sees one byte too many. */
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        int64_t us;
        bool accepted = lm_rfc3339_parse(copy, len, &us, NULL) == 0;
        free(copy);
        bool whole = len == 19 || (len >= 21 && len <= 26) || len == 29 || len == 32;
        assert_int_equal(accepted, whole);
    }
}

static void leap_days_of_every_century_are_right(void **state)
{
    (void)state;
    int64_t us;
    assert_true(parse("2000-02-29T00:00:00Z", &us));
    assert_true(parse("2024-02-29T00:00:00Z", &us));
    assert_false(parse("2100-02-29T00:00:00Z", &us));
}

static void the_clocks_run_forward(void **state)
{
    (void)state;
    int64_t before = lm_clock_mono_us();
    int64_t first = (int64_t)time(NULL), wall = lm_clock_wall_us() / LM_SECOND_US, last = (int64_t)time(NULL);
    assert_true(first <= wall && wall <= last + 1); /* time() may be a tick behind */
    assert_true(lm_clock_mono_us() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_drops_trailing_zeros_of_the_fraction),
        cmocka_unit_test(format_outside_the_years_clamps),
        cmocka_unit_test(format_agrees_with_gmtime_and_parse_gives_it_back),
        cmocka_unit_test(every_day_from_1600_to_2400_round_trips),
        cmocka_unit_test(all_accepted_spellings_mean_the_same_instant),
        cmocka_unit_test(a_leap_second_is_the_first_second_of_the_next_minute),
        cmocka_unit_test(what_is_no_time_is_refused_as_dead_letter),
        cmocka_unit_test(parse_never_reads_behind_the_length),
        cmocka_unit_test(leap_days_of_every_century_are_right),
        cmocka_unit_test(the_clocks_run_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
