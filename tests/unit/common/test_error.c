#include "common/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void error_set_returns_minus_one_and_fills_everything(void **state)
{
    (void)state;
    struct lm_error error;
    memset(&error, 'x', sizeof(error));
    assert_int_equal(lm_error_set(&error, LM_DEAD_LETTER, "too_long", "%s holds %d bytes", "service", 300),
                     -1);
    assert_int_equal(error.decision, LM_DEAD_LETTER);
    assert_string_equal(error.kind, "too_long");
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.text, "service holds 300 bytes");
}

static void error_set_without_an_error_still_returns_minus_one(void **state)
{
    (void)state;
    assert_int_equal(lm_error_set(NULL, LM_FATAL, "x", "y"), -1);
    lm_error_clear(NULL);
}

static void error_set_takes_its_own_text_as_an_argument(void **state)
{
    (void)state;
    struct lm_error error;
    (void)lm_error_set(&error, LM_RETRY, "io", "connection refused");
    (void)lm_error_set(&error, error.decision, error.kind, "opening the batch: %s", error.text);
    assert_string_equal(error.text, "opening the batch: connection refused");
    assert_string_equal(error.kind, "io");
    assert_int_equal(error.decision, LM_RETRY);
}

static void a_long_kind_is_cut_at_31_bytes(void **state)
{
    (void)state;
    struct lm_error error;
    (void)lm_error_set(&error, LM_FATAL, "0123456789012345678901234567890123456789", "x");
    assert_string_equal(error.kind, "0123456789012345678901234567890");
}

static void a_long_text_is_cut_at_a_character_whatever_its_width(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "é", "한", "😀"};
    for (size_t c = 0; c < 4; c++) {
        size_t width = strlen(characters[c]);
        for (size_t shift = 0; shift < 4; shift++) {
            char text[700] = "";
            memset(text, '.', shift);
            for (size_t at = shift; at + width < 600; at += width)
                memcpy(text + at, characters[c], width + 1);
            struct lm_error error;
            (void)lm_error_set(&error, LM_FATAL, "x", "%s", text);
            size_t len = strlen(error.text);
            assert_true(len <= 511 && len > 511 - width);
            assert_int_equal((len - shift) % width, 0);
            assert_memory_equal(error.text, text, len);
        }
    }
}

static void clear_leaves_no_error(void **state)
{
    (void)state;
    struct lm_error error;
    (void)lm_error_set(&error, LM_FATAL, "x", "y");
    memcpy(error.sqlstate, "22021", 6);
    lm_error_clear(&error);
    assert_int_equal(error.decision, LM_OK);
    assert_string_equal(error.kind, "");
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_set_returns_minus_one_and_fills_everything),
        cmocka_unit_test(error_set_without_an_error_still_returns_minus_one),
        cmocka_unit_test(error_set_takes_its_own_text_as_an_argument),
        cmocka_unit_test(a_long_kind_is_cut_at_31_bytes),
        cmocka_unit_test(a_long_text_is_cut_at_a_character_whatever_its_width),
        cmocka_unit_test(clear_leaves_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
