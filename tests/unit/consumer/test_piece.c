#include "consumer/batch/piece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void the_first_refusal_makes_pieces_of_a_whole_batch(void **state)
{
    (void)state;
    assert_true(co_piece_refused(CO_PIECE_WHOLE) < 1000);
    assert_int_equal(co_piece_refused(10000), co_piece_refused(CO_PIECE_WHOLE));
}

static void pieces_never_vanish_however_much_is_refused(void **state)
{
    size_t rows = CO_PIECE_WHOLE;
    (void)state;
    for (int i = 0; i < 100; i++)
        rows = co_piece_refused(rows);
    assert_in_range(rows, 2, 64);
}

static void batches_are_whole_again_when_nothing_is_refused_for_a_while(void **state)
{
    size_t rows = co_piece_refused(CO_PIECE_WHOLE), copied = 0;
    (void)state;
    while (rows < 10000) {
        copied += rows;
        rows = co_piece_passed(rows);
    }
    assert_in_range(copied, 10000, 100000);
    for (int i = 0; i < 100; i++)
        rows = co_piece_passed(rows);
    assert_int_equal(rows, CO_PIECE_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_refusal_makes_pieces_of_a_whole_batch),
        cmocka_unit_test(pieces_never_vanish_however_much_is_refused),
        cmocka_unit_test(batches_are_whole_again_when_nothing_is_refused_for_a_while)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
