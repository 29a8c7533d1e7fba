#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <stdlib.h>
#include <string.h>

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, 64 << 20);
    enum { PIECES = 2000 };
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    srandom(1);
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = i % 97 == 0 ? 20000 : (size_t)random() % 300;
        pieces[i] = lm_arena_alloc(&arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(pieces[i][j], i % 251);
    }
    lm_arena_free(&arena);
}

static void beyond_the_ceiling_alloc_returns_null_and_smaller_pieces_still_fit(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, 1024);
    assert_null(lm_arena_alloc(&arena, 1025));
    assert_non_null(lm_arena_alloc(&arena, 1000));
    assert_null(lm_arena_alloc(&arena, 17));
    assert_non_null(lm_arena_alloc(&arena, 16));
    assert_null(lm_arena_alloc(&arena, 0));
    assert_int_equal(arena.used, 1024);
    lm_arena_free(&arena);
}

static void impossible_sizes_return_null(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, SIZE_MAX);
    assert_null(lm_arena_alloc(&arena, SIZE_MAX));
    assert_null(lm_arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(lm_arena_copy(&arena, "x", SIZE_MAX));
    lm_arena_free(&arena);
}

static void copy_ends_in_a_nul(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, 4096);
    assert_string_equal(lm_arena_copy(&arena, "hello world", 5), "hello");
    assert_string_equal(lm_arena_copy(&arena, NULL, 0), "");
    lm_arena_free(&arena);
}

static void after_reset_the_whole_ceiling_is_free_again_without_new_memory(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, 100000);
    assert_non_null(lm_arena_alloc(&arena, 60000));
    assert_null(lm_arena_alloc(&arena, 60000));
    lm_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    failing_alloc_after(1);
    assert_non_null(lm_arena_alloc(&arena, 60000));
    failing_alloc_after(0);
    lm_arena_free(&arena);
    assert_non_null(lm_arena_alloc(&arena, 16));
    lm_arena_free(&arena);
}

static void without_memory_alloc_returns_null_and_works_again_later(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, 4096);
    failing_alloc_after(1);
    assert_null(lm_arena_alloc(&arena, 10));
    assert_null(lm_arena_copy(&arena, "x", 1));
    failing_alloc_after(0);
    assert_int_equal(arena.used, 0);
    assert_non_null(lm_arena_alloc(&arena, 10));
    lm_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(beyond_the_ceiling_alloc_returns_null_and_smaller_pieces_still_fit),
        cmocka_unit_test(impossible_sizes_return_null),
        cmocka_unit_test(copy_ends_in_a_nul),
        cmocka_unit_test(after_reset_the_whole_ceiling_is_free_again_without_new_memory),
        cmocka_unit_test(without_memory_alloc_returns_null_and_works_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
