/* What an operator types after `logmill-ctl dlq`. */
#include "common/clock.h"
#include "ctl/dlq/dlq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_place_names_where_letters_lie_or_where_their_records_came_from(void **state)
{
    static const struct {
        const char *text;
        struct ct_dlq_place place;
    } good[] = {
        {"raw", {"logs.raw", false, -1, 0, INT64_MAX - 1}},
        {"logs.raw", {"logs.raw", false, -1, 0, INT64_MAX - 1}},
        {"logs.raw.dlq", {"logs.raw", true, -1, 0, INT64_MAX - 1}},
        {"raw/3", {"logs.raw", false, 3, 0, INT64_MAX - 1}},
        {"a-b.dlq/0@12", {"a-b", true, 0, 12, 12}},
        {"a/2147483647@12-", {"a", false, INT32_MAX, 12, INT64_MAX - 1}},
        {"a/0@12-15", {"a", false, 0, 12, 15}},
    };
    static const char *const bad[] = {"",
                                      "/1",
                                      "raw/",
                                      "raw/x",
                                      "raw/-1",
                                      "raw/2147483648",
                                      "raw/1@",
                                      "raw/1@x",
                                      "raw/1@5-4",
                                      "raw/1@5-x",
                                      "raw/1@5 ",
                                      "raw/1x",
                                      "raw/1@99999999999999999999",
                                      "raw/1@1--2"};
    struct ct_dlq_place place;
    char long_name[300];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ct_dlq_place_parse(good[i].text, "logs.", &place), 0);
        assert_string_equal(place.topic, good[i].place.topic);
        assert_int_equal(place.lies, good[i].place.lies);
        assert_int_equal(place.partition, good[i].place.partition);
        assert_int_equal(place.first, good[i].place.first);
        assert_int_equal(place.last, good[i].place.last);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ct_dlq_place_parse(bad[i], "logs.", &place), -1);
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(ct_dlq_place_parse(long_name, "logs.", &place), -1);
}

static void a_time_is_an_instant_or_how_long_ago(void **state)
{
    const int64_t now = INT64_C(1800000000) * LM_SECOND_US;
    int64_t us;
    (void)state;

    assert_int_equal(ct_dlq_time_parse("2h", now, &us), 0);
    assert_int_equal(us, now - 2 * LM_HOUR_US);
    assert_int_equal(ct_dlq_time_parse("0s", now, &us), 0);
    assert_int_equal(us, now);
    assert_int_equal(ct_dlq_time_parse("1970-01-01T00:00:01Z", now, &us), 0);
    assert_int_equal(us, LM_SECOND_US);
    assert_int_equal(ct_dlq_time_parse("yesterday", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("2 h", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("999999d", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("", now, &us), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_names_where_letters_lie_or_where_their_records_came_from),
        cmocka_unit_test(a_time_is_an_instant_or_how_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
