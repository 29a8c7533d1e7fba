/* From rows to the answer: buckets, those without rows filled in, and what stands out among them. */
#include "tests/unit/agent/answer_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

/* The first three hours are empty, the day is not. */
static void what_is_said_of_a_series_is_of_all_of_it_however_few_are_shown(void **state)
{
    (void)state;
    const char *const rows[] = {"2026-03-17 05:00:00+00", "310"};
    struct asked *asked = ask_limited("count; series 3600; " DAY, rows, 2, 3);
    assert_int_equal(asked->answer.count, 3);
    assert_true(asked->answer.truncated);
    assert_int_equal(json_integer_value(cell(asked, 2, "count")), 0);
    assert_says(asked, "310 records on 2026-03-17");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_buckets_are_shown),
        cmocka_unit_test(behind_a_cut_nothing_is_filled),
        cmocka_unit_test(what_is_said_of_a_series_is_of_all_of_it_however_few_are_shown),
        cmocka_unit_test(ends_that_stick_out_are_marked_partial),
        cmocka_unit_test(groups_of_a_series_are_filled),
        cmocka_unit_test(days_follow_the_zones_clock_changes),
        cmocka_unit_test(busiest_and_quietest_count_empty_buckets),
        cmocka_unit_test(spike_stands_above_the_median),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
