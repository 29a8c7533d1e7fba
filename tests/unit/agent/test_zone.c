/* Local times, DST and calendar arithmetic. */
#include "agent/understand/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void only_names_of_the_database_and_offsets_are_zones(void **state)
{
    (void)state;
    assert_true(ag_zone_known("Asia/Seoul"));
    assert_true(ag_zone_known("UTC"));
    assert_true(ag_zone_known("+09:00"));
    assert_false(ag_zone_known(""));
    assert_false(ag_zone_known("Mars/Olympus"));
    assert_false(ag_zone_known("/etc/localtime"));
    assert_false(ag_zone_known("../zoneinfo/Asia/Seoul"));
    assert_false(ag_zone_known("Asia/Seoul'; drop"));
}

static void local_time_and_instant_are_inverse(void **state)
{
    static const char *const names[] = {
        "Asia/Seoul", "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "America/Sao_Paulo"};

    (void)state;
    for (size_t z = 0; z < sizeof names / sizeof *names; z++) {
        struct ag_zone *zone = ag_zone_new(names[z]);
        assert_non_null(zone);
        for (int64_t us = -2 * 365 * AG_DAY; us < 60 * 365 * AG_DAY;
             us += 7 * AG_DAY + 13 * AG_HOUR + 17 * AG_SECOND + 1) {
            struct ag_local local = ag_zone_local(zone, us);
            int64_t back = ag_zone_instant(zone, &local);
            /* An hour that exists twice is its first. */
            assert_true(back == us || back == us - AG_HOUR || back == us - AG_HOUR / 2);
            assert_in_range(local.weekday, 1, 7);
        }
        ag_zone_free(zone);
    }
}

static void a_skipped_hour_is_the_moment_clocks_jump(void **state)
{
    struct ag_zone *zone = ag_zone_new("America/New_York");
    struct ag_local skipped = {.year = 2026, .month = 3, .day = 8, .hour = 2, .minute = 30};
    struct ag_local three = {.year = 2026, .month = 3, .day = 8, .hour = 3};

    (void)state;
    assert_int_equal(ag_zone_instant(zone, &skipped), ag_zone_instant(zone, &three));
    ag_zone_free(zone);
}

static void weekdays_and_floors_are_right(void **state)
{
    struct ag_zone *zone = ag_zone_new("Asia/Seoul");
    int64_t now = INT64_C(1773812120000000);
    char text[40];

    (void)state;
    assert_int_equal(ag_zone_local(zone, now).weekday, 3);
    ag_zone_format(zone, ag_zone_floor(zone, now, 'w'), text);
    assert_string_equal(text, "2026-03-16T00:00:00+09:00");
    ag_zone_format(zone, ag_zone_floor(zone, now, 'q'), text);
    assert_string_equal(text, "2026-01-01T00:00:00+09:00");
    ag_zone_format(zone, ag_zone_add(zone, now, 'M', -13), text);
    assert_string_equal(text, "2025-02-18T14:35:20+09:00");
    ag_zone_format(zone, now + 5, text);
    assert_string_equal(text, "2026-03-18T14:35:20.000005+09:00");
    ag_zone_free(zone);
}

static void adding_months_never_leaves_the_month_arrived_at(void **state)
{
    struct ag_zone *zone = ag_zone_new("Europe/Berlin");

    (void)state;
    for (int month = 1; month <= 12; month++) {
        struct ag_local last = {.year = 2024, .month = month, .day = 31, .hour = 12};
        int64_t us = ag_zone_instant(zone, &last);
        for (int n = -30; n <= 30; n++) {
            struct ag_local from = ag_zone_local(zone, us);
            struct ag_local to = ag_zone_local(zone, ag_zone_add(zone, us, 'M', n));
            int months = (to.year - from.year) * 12 + to.month - from.month;
            assert_int_equal(months, n);
            assert_true(to.day <= from.day);
            assert_int_equal(to.hour, 12);
        }
    }
    ag_zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_names_of_the_database_and_offsets_are_zones),
        cmocka_unit_test(local_time_and_instant_are_inverse),
        cmocka_unit_test(a_skipped_hour_is_the_moment_clocks_jump),
        cmocka_unit_test(weekdays_and_floors_are_right),
        cmocka_unit_test(adding_months_never_leaves_the_month_arrived_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
