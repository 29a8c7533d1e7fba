/* Text made harmless and fitted to columns. */
#include "ctl/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_terminal_is_shown_text_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain 한국어 🙂", "plain 한국어 🙂"},
        {"\x1b[31m\r\n\t\x7f", "\\x1B[31m\\x0D\\x0A\\x09\\x7F"},
        {"\xc2\x9b"
         "31m",
         "\\u{9B}31m"}, /* CSI as one character */
        {"a\xe2\x80\xae"
         "b",
         "a\\u{202E}b"},                                       /* right to left */
        {"\xff\xfe\xed\xa0\x80", "\\xFF\\xFE\\xED\\xA0\\x80"}, /* no UTF-8; a surrogate */
        {"", ""},
    };
    struct lm_buffer out;
    (void)state;

    lm_buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lm_buffer_clear(&out);
        ct_terminal_append_safe(&out, cases[i].text, strlen(cases[i].text), SIZE_MAX);
        assert_string_equal(lm_buffer_text(&out), cases[i].shown);
    }
    lm_buffer_clear(&out);
    ct_terminal_append_safe(&out, "한국어", strlen("한국어"), 2);
    assert_string_equal(lm_buffer_text(&out), "한국…");
    lm_buffer_clear(&out);
    ct_terminal_append_safe(&out, "a\0b", 3, 3);
    assert_string_equal(lm_buffer_text(&out), "a\\x00b");
    lm_buffer_free(&out);
}

static void columns_are_those_of_a_terminal_not_bytes_nor_characters(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {{"", 0}, {"abc", 3}, {"결제", 4}, {"e\xcc\x81t\xc3\xa9", 3}, {"🙂", 2}, {"▁█…", 3}};
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(ct_terminal_width(cases[i].text, strlen(cases[i].text)), cases[i].columns);
}

static void a_cell_takes_exactly_its_columns(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        enum ct_align align;
        const char *shown;
    } cases[] = {
        {"ab", 4, CT_LEFT, "ab  "},     {"ab", 4, CT_RIGHT, "  ab"},     {"abcd", 4, CT_LEFT, "abcd"},
        {"abcde", 4, CT_LEFT, "abc…"},  {"결제", 4, CT_LEFT, "결제"},    {"결제중", 5, CT_LEFT, "결제…"},
        {"결제중", 4, CT_LEFT, "결… "}, {"결제중", 4, CT_RIGHT, " 결…"}, {"abc", 1, CT_LEFT, "…"},
        {"abc", 0, CT_LEFT, ""},        {"", 2, CT_RIGHT, "  "},
    };
    struct lm_buffer out;
    (void)state;

    lm_buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lm_buffer_clear(&out);
        ct_terminal_append_cell(&out, cases[i].text, cases[i].columns, cases[i].align);
        assert_string_equal(lm_buffer_text(&out), cases[i].shown);
        assert_int_equal(ct_terminal_width(out.data, out.len), cases[i].columns);
    }
    lm_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_is_shown_text_and_nothing_else),
        cmocka_unit_test(columns_are_those_of_a_terminal_not_bytes_nor_characters),
        cmocka_unit_test(a_cell_takes_exactly_its_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
