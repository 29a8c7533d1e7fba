#include "consumer/batch/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A batch of `rows` of which row i is refused where refused(i): the row first refused, tried until a verdict.
 */
static enum co_blame judge(struct co_refusal *refusal, size_t rows, bool (*refused)(size_t row),
                           size_t *believed)
{
    size_t row = 0, tried = 0;

    while (!refused(row))
        row++;
    enum co_blame blame = co_refusal_judge(refusal, row, rows, believed);
    for (size_t before = rows; blame == CO_BLAME_SAMPLE; tried++) {
        size_t sample = co_refusal_sample(refusal, rows);
        assert_in_range(sample, 1, before - 1); /* each another, never the first */
        assert_false(co_refusal_is_clear(refusal, sample));
        before = sample;
        blame = refused(sample) ? co_refusal_judge(refusal, sample, rows, believed)
                                : co_refusal_passed(refusal, rows);
    }
    assert_in_range(tried, 0, 16);
    return blame;
}

static bool all(size_t row)
{
    (void)row;
    return true;
}

static bool the_first(size_t row)
{
    return row == 0;
}

static bool one_behind_many(size_t row)
{
    return row == 100;
}

static bool nine_of_ten(size_t row)
{
    return row % 10 != 3;
}

static bool every_other(size_t row)
{
    return row % 2 == 0;
}

static void a_row_behind_rows_that_passed_is_bad_without_more_ado(void **state)
{
    struct co_refusal refusal = {0};
    size_t believed = 0;
    (void)state;
    assert_int_equal(co_refusal_judge(&refusal, 100, 10000, &believed), CO_BLAME_ROW);
    assert_int_equal(judge(&refusal, 10000, one_behind_many, &believed), CO_BLAME_ROW);
}

static void the_first_row_is_bad_where_others_pass(void **state)
{
    struct co_refusal refusal = {0};
    size_t believed = 0;
    (void)state;
    assert_int_equal(judge(&refusal, 10000, the_first, &believed), CO_BLAME_AGAIN);
    assert_true(co_refusal_is_clear(&refusal, 0));
    assert_int_equal(co_refusal_judge(&refusal, 0, 10000, &believed), CO_BLAME_ROW);
}

static void half_of_the_rows_may_be_bad(void **state)
{
    struct co_refusal refusal = {0};
    size_t believed = 0;
    (void)state;
    assert_int_equal(judge(&refusal, 10000, every_other, &believed), CO_BLAME_AGAIN);
}

static void where_nearly_nothing_passes_the_table_is_at_fault(void **state)
{
    struct co_refusal refusal = {0};
    size_t believed = 0;
    (void)state;
    assert_int_equal(judge(&refusal, 10000, all, &believed), CO_BLAME_TABLE);
    assert_int_equal(judge(&refusal, 10000, all, &believed), CO_BLAME_TABLE); /* tried again later */
    assert_int_equal(judge(&refusal, 10000, nine_of_ten, &believed), CO_BLAME_TABLE);
    assert_int_equal(judge(&refusal, CO_REFUSAL_BELIEVED + 1, all, &believed), CO_BLAME_TABLE);
    assert_int_equal(believed, 0);
    assert_int_equal(refusal.taken, 0);
}

static void few_rows_are_believed_but_not_for_ever(void **state)
{
    size_t believed = 0;
    (void)state;
    for (size_t i = 0; i < CO_REFUSAL_BELIEVED - 2; i++) {
        struct co_refusal alone = {0};
        assert_int_equal(judge(&alone, 1, all, &believed), CO_BLAME_ROW);
    }
    struct co_refusal three = {0}, two = {0}, alone = {0};
    assert_int_equal(judge(&three, 3, all, &believed), CO_BLAME_TABLE);
    assert_int_equal(judge(&two, 2, all, &believed), CO_BLAME_AGAIN);
    assert_int_equal(judge(&two, 2, all, &believed), CO_BLAME_ROW);
    assert_int_equal(judge(&two, 1, all, &believed), CO_BLAME_ROW);
    assert_int_equal(judge(&alone, 1, all, &believed), CO_BLAME_TABLE);
}

static void a_good_batch_in_which_more_and_more_is_refused_is_looked_at_again(void **state)
{
    struct co_refusal refusal = {0};
    size_t believed = 0;
    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(co_refusal_judge(&refusal, 50, 10000, &believed), CO_BLAME_ROW);
    assert_int_equal(co_refusal_judge(&refusal, 50, 10000, &believed), CO_BLAME_ROW);
    assert_int_equal(co_refusal_judge(&refusal, 50, 10000, &believed), CO_BLAME_SAMPLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_behind_rows_that_passed_is_bad_without_more_ado),
        cmocka_unit_test(the_first_row_is_bad_where_others_pass),
        cmocka_unit_test(half_of_the_rows_may_be_bad),
        cmocka_unit_test(where_nearly_nothing_passes_the_table_is_at_fault),
        cmocka_unit_test(few_rows_are_believed_but_not_for_ever),
        cmocka_unit_test(a_good_batch_in_which_more_and_more_is_refused_is_looked_at_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
