/* The form of API keys. */
#include "common/api_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_key_made_is_of_the_form_and_names_its_prefix(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct lm_error error;
        char key[LM_API_KEY_SIZE];
        char prefix[LM_API_KEY_PREFIX_SIZE];
        assert_int_equal(lm_api_key_make(key, &error), 0);
        assert_int_equal(strlen(key), LM_API_KEY_SIZE - 1);
        assert_true(lm_api_key_parse(key, prefix));
        assert_int_equal(strncmp(prefix, key + 3, 8), 0);
        assert_int_equal(strlen(prefix), 8);
    }
}

static void two_keys_differ(void **state)
{
    (void)state;
    struct lm_error error;
    char a[LM_API_KEY_SIZE], b[LM_API_KEY_SIZE];
    assert_int_equal(lm_api_key_make(a, &error), 0);
    assert_int_equal(lm_api_key_make(b, &error), 0);
    assert_string_not_equal(a, b);
}

static void the_check_is_what_it_was_when_keys_were_given_out(void **state)
{
    (void)state;
    char prefix[LM_API_KEY_PREFIX_SIZE];
    /* CRC-32 of "lm_abcdefgh_0123456789ABCDEFGHIJKLMNOPQRSTUV" in base62. */
    assert_true(lm_api_key_parse("lm_abcdefgh_0123456789ABCDEFGHIJKLMNOPQRSTUV_02WmM7", prefix));
}

static void any_one_character_changed_is_refused(void **state)
{
    (void)state;
    struct lm_error error;
    char key[LM_API_KEY_SIZE];
    char prefix[LM_API_KEY_PREFIX_SIZE];
    assert_int_equal(lm_api_key_make(key, &error), 0);
    for (size_t i = 0; i < LM_API_KEY_SIZE - 1; i++) {
        for (int c = 1; c < 256; c++) {
            const char was = key[i];
            if ((char)c != was) {
                key[i] = (char)c;
                assert_false(lm_api_key_parse(key, prefix));
                key[i] = was;
            }
        }
    }
}

static void what_is_too_short_or_too_long_is_refused(void **state)
{
    (void)state;
    struct lm_error error;
    char key[LM_API_KEY_SIZE + 1] = "";
    char prefix[LM_API_KEY_PREFIX_SIZE];
    assert_int_equal(lm_api_key_make(key, &error), 0);
    for (size_t len = 0; len < LM_API_KEY_SIZE - 1; len++) {
        char *copy = strndup(key, len);
        assert_false(lm_api_key_parse(copy, prefix));
        free(copy);
    }
    key[LM_API_KEY_SIZE - 1] = 'x';
    assert_false(lm_api_key_parse(key, prefix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_made_is_of_the_form_and_names_its_prefix),
        cmocka_unit_test(two_keys_differ),
        cmocka_unit_test(the_check_is_what_it_was_when_keys_were_given_out),
        cmocka_unit_test(any_one_character_changed_is_refused),
        cmocka_unit_test(what_is_too_short_or_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
