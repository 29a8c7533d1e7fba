#include "common/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void delays_stay_within_the_doubling_window_and_the_cap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 500; seed++) {
        struct lm_backoff backoff;
        lm_backoff_init(&backoff, 100, 30000, seed);
        uint64_t high = 100;
        for (unsigned n = 1; n < 80; n++) {
            high = high * 2 < 30000 ? high * 2 : 30000;
            assert_in_range(lm_backoff_next(&backoff), 100, high);
            assert_int_equal(backoff.attempt, n);
        }
    }
}

static void delays_are_spread_over_the_whole_window(void **state)
{
    (void)state;
    struct lm_backoff backoff;
    lm_backoff_init(&backoff, 1, 1000, 42);
    for (unsigned n = 0; n < 20; n++)
        (void)lm_backoff_next(&backoff);
    unsigned quarters[4] = {0};
    for (unsigned n = 0; n < 4000; n++)
        quarters[(lm_backoff_next(&backoff) - 1) / 250]++;
    for (unsigned q = 0; q < 4; q++)
        assert_in_range(quarters[q], 850, 1150);
}

static void after_reset_the_next_delay_is_short_again(void **state)
{
    (void)state;
    struct lm_backoff backoff;
    lm_backoff_init(&backoff, 10, 100000, 7);
    for (unsigned n = 0; n < 20; n++)
        (void)lm_backoff_next(&backoff);
    lm_backoff_reset(&backoff);
    assert_int_equal(backoff.attempt, 0);
    assert_in_range(lm_backoff_next(&backoff), 10, 20);
}

static void seed_zero_takes_different_seeds(void **state)
{
    (void)state;
    struct lm_backoff a, b;
    lm_backoff_init(&a, 1, 1000, 0);
    lm_backoff_init(&b, 1, 1000, 0);
    assert_true(a.seed != b.seed);
}

static void impossible_bounds_are_raised(void **state)
{
    (void)state;
    struct lm_backoff backoff;
    lm_backoff_init(&backoff, 0, 0, 3);
    assert_int_equal(lm_backoff_next(&backoff), 1);
    lm_backoff_init(&backoff, 500, 20, 3);
    assert_int_equal(lm_backoff_next(&backoff), 500);
    lm_backoff_init(&backoff, UINT32_MAX, UINT32_MAX, 3);
    assert_true(lm_backoff_next(&backoff) == UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_stay_within_the_doubling_window_and_the_cap),
        cmocka_unit_test(delays_are_spread_over_the_whole_window),
        cmocka_unit_test(after_reset_the_next_delay_is_short_again),
        cmocka_unit_test(seed_zero_takes_different_seeds),
        cmocka_unit_test(impossible_bounds_are_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
