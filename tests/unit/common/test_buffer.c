#include "common/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *json_of(struct lm_buffer *buffer, const char *text, size_t len)
{
    lm_buffer_clear(buffer);
    lm_buffer_append_json(buffer, text, len);
    const char *result = lm_buffer_text(buffer);
    assert_non_null(result);
    return result;
}

static void appends_add_up(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 1000);
    lm_buffer_append(&buffer, "abc", 3);
    lm_buffer_append(&buffer, NULL, 0);
    lm_buffer_append_char(&buffer, '-');
    lm_buffer_append_text(&buffer, "de");
    lm_buffer_printf(&buffer, "%05d", 42);
    assert_string_equal(lm_buffer_text(&buffer), "abc-de00042");
    assert_int_equal(buffer.len, 11);
    lm_buffer_free(&buffer);
}

static void an_empty_buffer_has_an_empty_text(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 0);
    assert_string_equal(lm_buffer_text(&buffer), "");
    lm_buffer_append(&buffer, "x", 1);
    assert_true(buffer.failed);
    lm_buffer_free(&buffer);
}

static void the_ceiling_may_be_filled_but_not_passed(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct lm_buffer buffer;
        lm_buffer_init(&buffer, 10);
        lm_buffer_append(&buffer, "12345", 5);
        if (way == 0)
            lm_buffer_append(&buffer, "67890", 5);
        else if (way == 1)
            lm_buffer_printf(&buffer, "%d", 67890);
        else
            for (char c = '6'; c <= '9' + 1; c++)
                lm_buffer_append_char(&buffer, c > '9' ? '0' : c);
        assert_string_equal(lm_buffer_text(&buffer), "1234567890");
        if (way == 1)
            lm_buffer_printf(&buffer, "%d", 1);
        else
            lm_buffer_append_char(&buffer, '1');
        assert_true(buffer.failed);
        assert_null(lm_buffer_text(&buffer));
        assert_int_equal(buffer.len, 10);
        assert_memory_equal(buffer.data, "1234567890", 10);
        lm_buffer_free(&buffer);
    }
}

static void after_a_failure_appends_do_nothing_until_cleared(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 4);
    lm_buffer_append(&buffer, "abc", 3);
    lm_buffer_append(&buffer, "de", 2);
    lm_buffer_append(&buffer, "f", 1);
    lm_buffer_printf(&buffer, "g");
    assert_int_equal(buffer.len, 3);
    assert_int_equal(lm_buffer_reserve(&buffer, 0), -1);
    lm_buffer_clear(&buffer);
    lm_buffer_append(&buffer, "de", 2);
    assert_string_equal(lm_buffer_text(&buffer), "de");
    lm_buffer_free(&buffer);
}

static void impossible_lengths_fail_without_overflow(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, SIZE_MAX);
    lm_buffer_append(&buffer, "abc", 3);
    assert_int_equal(lm_buffer_reserve(&buffer, SIZE_MAX), -1);
    assert_true(buffer.failed);
    lm_buffer_clear(&buffer);
    lm_buffer_append(&buffer, "abc", 3);
    assert_int_equal(lm_buffer_reserve(&buffer, SIZE_MAX - 2), -1);
    lm_buffer_free(&buffer);
}

static void a_fixed_buffer_stays_in_its_memory(void **state)
{
    (void)state;
    char memory[8];
    struct lm_buffer buffer;
    lm_buffer_init_fixed(&buffer, memory, sizeof(memory));
    failing_alloc_after(1);
    lm_buffer_append(&buffer, "1234567", 7);
    assert_ptr_equal(lm_buffer_text(&buffer), memory);
    assert_string_equal(memory, "1234567");
    assert_null(lm_buffer_detach(&buffer, NULL));
    lm_buffer_printf(&buffer, "%d", 12345678);
    assert_true(buffer.failed);
    lm_buffer_free(&buffer);
    assert_false(failing_alloc_struck());
    failing_alloc_after(0);
    lm_buffer_append(&buffer, "ok", 2);
    assert_string_equal(lm_buffer_text(&buffer), "ok");
}

static void json_escapes_what_must_be_escaped(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 1000);
    assert_string_equal(json_of(&buffer, "", 0), "\"\"");
    assert_string_equal(json_of(&buffer, "a\"b\\c\n\r\t\x01\x7f/", 11),
                        "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f/\"");
    assert_string_equal(json_of(&buffer, "a\0b", 3), "\"a\\u0000b\"");
    assert_string_equal(json_of(&buffer, "한국어 é 😀", strlen("한국어 é 😀")), "\"한국어 é 😀\"");
    lm_buffer_free(&buffer);
}

#define R "\xEF\xBF\xBD"

static void invalid_utf8_is_replaced_once_for_each_maximal_part(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\xffz", "a" R "z"},
        {"\x80", R},
        {"\xc0\xaf", R R},             /* overlong slash */
        {"\xe0\x80\xaf", R R R},       /* overlong in three */
        {"\xf0\x80\x80\xaf", R R R R}, /* overlong in four */
        {"\xed\xa0\x80", R R R},       /* surrogate */
        {"\xf4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
        {"\xf5", R},
        {"\xe1\x80", R},     /* cut */
        {"\xf1\x80\x80", R}, /* cut */
        {"\xe1\x80"
         "a",
         R "a"},                     /* cut by ASCII */
        {"\xf1\x80\xc3\xa9", R "é"}, /* cut by another character */
        {"\xc3", R},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
        /* Unicode 15, table 3-11 */
        {"a\xf1\x80\x80\xe1\x80\xc2"
         "b\x80"
         "c\x80\xbf"
         "d",
         "a" R R R "b" R "c" R R "d"},
    };
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lm_buffer_clear(&buffer);
        lm_buffer_append_utf8(&buffer, cases[i].in, strlen(cases[i].in));
        assert_string_equal(lm_buffer_text(&buffer), cases[i].out);
    }
    lm_buffer_free(&buffer);
}

static void any_bytes_become_json_that_a_strict_parser_reads(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 10000);
    srandom(7);
    for (int round = 0; round < 20000; round++) {
        char bytes[48];
        size_t len = (size_t)random() % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(random() % 3 == 0 ? random() % 128 : random() % 256);
        const char *text = json_of(&buffer, bytes, len);
        json_error_t error;
        json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (value == NULL)
            fail_msg("%s: %s", text, error.text);
        /* Valid text comes back as it went in. */
        json_t *same = json_stringn(bytes, len);
        if (same != NULL)
            assert_true(json_equal(value, same));
        json_decref(same);
        json_decref(value);
    }
    lm_buffer_free(&buffer);
}

static void a_json_string_is_added_whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t max = 0; max < 12; max++) {
        struct lm_buffer buffer;
        lm_buffer_init(&buffer, max + 1);
        lm_buffer_append_char(&buffer, 'x');
        lm_buffer_append_json(&buffer, "a\xff\"b", 4);
        assert_int_equal(buffer.failed, max < 9);
        assert_int_equal(buffer.len, max < 9 ? 1 : 10);
        lm_buffer_free(&buffer);
    }
}

static void a_literal_doubles_quotes_and_leaves_backslashes(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 1000);
    lm_buffer_append_literal(&buffer, "", 0);
    lm_buffer_append_char(&buffer, ' ');
    lm_buffer_append_literal(&buffer, "it's ''\\' 한", strlen("it's ''\\' 한"));
    assert_string_equal(lm_buffer_text(&buffer), "'' 'it''s ''''\\'' 한'");
    lm_buffer_free(&buffer);
}

static void a_literal_with_a_nul_fails_the_buffer(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, 1000);
    lm_buffer_append_text(&buffer, "x");
    lm_buffer_append_literal(&buffer, "a\0b", 3);
    assert_true(buffer.failed);
    assert_int_equal(buffer.len, 1);
    lm_buffer_free(&buffer);
}

static void detach_gives_the_memory_away_and_leaves_an_empty_buffer(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    size_t len = 99;
    lm_buffer_init(&buffer, 1000);
    lm_buffer_append_text(&buffer, "kept");
    char *text = lm_buffer_detach(&buffer, &len);
    assert_string_equal(text, "kept");
    assert_int_equal(len, 4);
    assert_null(buffer.data);
    lm_buffer_append_text(&buffer, "new");
    assert_string_equal(lm_buffer_text(&buffer), "new");
    assert_string_equal(text, "kept");
    free(text);
    lm_buffer_free(&buffer);
}

static void detach_of_a_failed_buffer_is_null_and_leaves_it_usable(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    size_t len = 99;
    lm_buffer_init(&buffer, 3);
    lm_buffer_append_text(&buffer, "abc");
    lm_buffer_append_text(&buffer, "d");
    assert_null(lm_buffer_detach(&buffer, &len));
    assert_int_equal(len, 0);
    lm_buffer_append_text(&buffer, "xyz");
    assert_string_equal(lm_buffer_text(&buffer), "xyz");
    lm_buffer_free(&buffer);
}

static void a_failed_allocation_marks_the_buffer_and_keeps_its_content(void **state)
{
    (void)state;
    struct lm_buffer buffer;
    char large[500];
    memset(large, 'l', sizeof(large));
    lm_buffer_init(&buffer, 10000);
    lm_buffer_append_text(&buffer, "abc");
    failing_alloc_after(1);
    lm_buffer_append(&buffer, large, sizeof(large));
    failing_alloc_after(0);
    assert_true(buffer.failed);
    assert_int_equal(buffer.len, 3);
    assert_memory_equal(buffer.data, "abc", 3);
    lm_buffer_clear(&buffer);
    failing_alloc_after(1);
    lm_buffer_printf(&buffer, "%500d", 1);
    failing_alloc_after(0);
    assert_true(buffer.failed);
    lm_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_add_up),
        cmocka_unit_test(an_empty_buffer_has_an_empty_text),
        cmocka_unit_test(the_ceiling_may_be_filled_but_not_passed),
        cmocka_unit_test(after_a_failure_appends_do_nothing_until_cleared),
        cmocka_unit_test(impossible_lengths_fail_without_overflow),
        cmocka_unit_test(a_fixed_buffer_stays_in_its_memory),
        cmocka_unit_test(json_escapes_what_must_be_escaped),
        cmocka_unit_test(invalid_utf8_is_replaced_once_for_each_maximal_part),
        cmocka_unit_test(any_bytes_become_json_that_a_strict_parser_reads),
        cmocka_unit_test(a_json_string_is_added_whole_or_not_at_all),
        cmocka_unit_test(a_literal_doubles_quotes_and_leaves_backslashes),
        cmocka_unit_test(a_literal_with_a_nul_fails_the_buffer),
        cmocka_unit_test(detach_gives_the_memory_away_and_leaves_an_empty_buffer),
        cmocka_unit_test(detach_of_a_failed_buffer_is_null_and_leaves_it_usable),
        cmocka_unit_test(a_failed_allocation_marks_the_buffer_and_keeps_its_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
