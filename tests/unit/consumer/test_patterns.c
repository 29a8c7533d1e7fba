#include "consumer/batch/patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_pattern_is_wanted_until_a_batch_that_brings_it_is_committed(void **state)
{
    struct co_patterns *patterns = co_patterns_new(100);
    (void)state;
    assert_true(co_patterns_wants(patterns, 5));
    assert_true(co_patterns_wants(patterns, 5));
    co_patterns_stored(patterns, 5);
    co_patterns_stored(patterns, 5);
    assert_false(co_patterns_wants(patterns, 5));
    assert_true(co_patterns_wants(patterns, 0));
    assert_true(co_patterns_wants(patterns, INT64_MIN));
    co_patterns_free(patterns);
}

static void beyond_the_bound_nothing_is_wanted(void **state)
{
    struct co_patterns *patterns = co_patterns_new(100);
    int taken = 0;
    (void)state;
    for (int64_t i = 0; i < 1000; i++) {
        taken += co_patterns_wants(patterns, i * 7919);
        co_patterns_stored(patterns, i * 7919);
    }
    assert_int_equal(taken, 100);
    co_patterns_free(patterns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_wanted_until_a_batch_that_brings_it_is_committed),
        cmocka_unit_test(beyond_the_bound_nothing_is_wanted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
