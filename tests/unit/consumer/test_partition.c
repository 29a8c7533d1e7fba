#include "consumer/batch/partition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const bool allowed[7][7] = {
    /*                 locating beyond seeking running holding refused gone */
    /* locating   */ {false, true, true, false, false, false, true},
    /* beyond_end */ {true, false, false, false, false, false, true},
    /* seeking    */ {true, false, false, true, false, true, true},
    /* running    */ {true, false, false, false, true, true, true},
    /* holding    */ {true, false, false, true, false, false, true},
    /* refused    */ {false, false, false, false, false, false, true},
    /* gone       */ {false, false, false, false, false, false, false},
};

static void only_the_drawn_transitions_are_made(void **state)
{
    struct co_partition *partition = co_partition_new("logs.raw", 3, LM_RAW);
    (void)state;
    for (int from = 0; from < 7; from++) {
        for (int to = 0; to < 7; to++) {
            partition->state = (enum co_partition_state)from;
            int outcome = co_partition_change_state(partition, (enum co_partition_state)to);
            assert_int_equal(outcome, allowed[from][to] ? 0 : -1);
            assert_int_equal(partition->state, allowed[from][to] ? to : from);
        }
    }
    co_partition_unref(partition);
}

static void a_partition_lives_until_its_last_reference(void **state)
{
    struct co_partition *partition = co_partition_new("logs.raw", 3, LM_RAW);
    (void)state;
    assert_ptr_equal(co_partition_ref(partition), partition);
    co_partition_unref(partition);
    assert_string_equal(partition->topic, "logs.raw");
    assert_true(co_partition_empty(partition));
    co_partition_unref(partition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_drawn_transitions_are_made),
                                       cmocka_unit_test(a_partition_lives_until_its_last_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
