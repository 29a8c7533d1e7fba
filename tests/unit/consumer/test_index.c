#include "consumer/batch/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 20000

static void every_position_is_found_by_its_hash_also_after_growing(void **state)
{
    struct co_index index = {0};
    (void)state;

    for (int round = 0; round < 2; round++) {
        co_index_clear(&index);
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(co_index_add(&index, (uint64_t)(i / 3) * UINT64_C(0x9e3779b97f4a7c15), i), 0);
        for (uint32_t i = 0; i < COUNT; i++) {
            uint64_t hash = (uint64_t)(i / 3) * UINT64_C(0x9e3779b97f4a7c15);
            size_t cursor = co_index_start(&index, hash);
            uint32_t at;
            while ((at = co_index_next(&index, hash, &cursor)) != CO_INDEX_NONE && at != i)
                ;
            assert_int_equal(at, i);
        }
    }
    co_index_free(&index);
}

static void an_empty_index_holds_nothing(void **state)
{
    struct co_index index = {0};
    size_t cursor = co_index_start(&index, 5);
    (void)state;
    assert_int_equal(co_index_next(&index, 5, &cursor), CO_INDEX_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_position_is_found_by_its_hash_also_after_growing),
        cmocka_unit_test(an_empty_index_holds_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
