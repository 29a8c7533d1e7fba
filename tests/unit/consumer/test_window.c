#include "common/clock.h"
#include "consumer/batch/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void times_outside_the_window_or_the_calendar_are_refused(void **state)
{
    static const struct co_window window = {7 * LM_DAY_US, LM_HOUR_US};
    const int64_t now = INT64_C(1700000000000000);
    static const struct {
        int64_t offset_us;
        const char *kind;
    } cases[] = {{0, ""},
                 {-7 * LM_DAY_US, ""},
                 {-7 * LM_DAY_US - 1, "time_window"},
                 {LM_HOUR_US, ""},
                 {LM_HOUR_US + 1, "time_window"}};
    struct lm_error error;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lm_error_clear(&error);
        int outcome = co_window_check(&window, now + cases[i].offset_us, now, &error);
        assert_int_equal(outcome, cases[i].kind[0] == 0 ? 0 : -1);
        assert_string_equal(error.kind, cases[i].kind);
    }
    assert_int_equal(co_window_check(&window, INT64_MAX, now, &error), -1);
    assert_string_equal(error.kind, "timestamp");
    assert_int_equal(co_window_check(&window, INT64_MIN, now, &error), -1);
    assert_string_equal(error.kind, "timestamp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_outside_the_window_or_the_calendar_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
