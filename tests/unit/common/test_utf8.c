#include "tests/unit/common/record_fixture.h"

#include "common/utf8.h"

/* The well-formed sequences of the Unicode Standard, table 3-7, byte for byte. */
static const unsigned char rows[][4][2] = {
    {{0x00, 0x7F}},
    {{0xC2, 0xDF}, {0x80, 0xBF}},
    {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
    {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
    {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
    {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
    {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
    {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
    {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}},
};

static size_t sequence_by_table(const unsigned char *text, size_t len)
{
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        size_t n = 0;
        while (n < 4 && n < len && rows[row][n][1] != 0 && text[n] >= rows[row][n][0] &&
               text[n] <= rows[row][n][1])
            n++;
        if (n > 0 && (n == 4 || rows[row][n][1] == 0))
            return n;
    }
    return 0;
}

static enum lm_utf8_verdict verdict_by_table(const unsigned char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = sequence_by_table(text + i, len - i);
        if (step == 0)
            return LM_UTF8_INVALID;
        if (text[i] == 0)
            return LM_UTF8_NUL;
        i += step;
    }
    return LM_UTF8_OK;
}

static void sequences_are_those_of_the_standard(void **state)
{
    static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    enum { EDGES = sizeof edges };

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned i = 0; i < EDGES * EDGES * EDGES; i++) {
            unsigned char text[4] = {(unsigned char)first, edges[i % EDGES], edges[i / EDGES % EDGES],
                                     edges[i / EDGES / EDGES]};
            for (size_t len = 1; len <= 4; len++) {
                size_t expected = sequence_by_table(text, len);
                assert_int_equal(lm_utf8_sequence((char *)text, len), expected);
                const char *behind = lm_utf8_run((char *)text, (char *)text + len);
                assert_true(first < 0x80 || expected == 0 ? behind == (char *)text
                                                          : behind >= (char *)text + expected);
            }
        }
    }
}

/* Texts of every length with a few bytes that are not plain, wherever they fall among the blocks. */
static void a_text_is_judged_alike_at_every_length(void **state)
{
    static const char *const pieces[] = {"",         "\xea\xb0\x80", "\xf0\x9f\x98\x80", "\xc3\xa9",
                                         "\xed\xa0", "\x80",         "\xe0\x80\x80",     "\xc0\x80"};

    (void)state;
    for (size_t len = 0; len < 70; len++) {
        for (size_t at = 0; at <= len; at++) {
            for (size_t p = 0; p < 2 * (sizeof pieces / sizeof pieces[0]); p++) {
                /* Exactly as many bytes as there are, so that a read outside them is seen. */
                unsigned char *text = malloc(len > 0 ? len : 1);
                for (size_t i = 0; i < len; i++) /* all ASCII, or Korean with a blank behind each third */
                    text[i] =
                        (unsigned char)(p % 2 == 0 ? 'a' : "\xea\xb0\x80\xed\x9e\xa3\xeb\x82\x98 "[i % 10]);
                size_t n = strlen(pieces[p / 2]) < len - at ? strlen(pieces[p / 2]) : len - at;
                memcpy(text + at, pieces[p / 2], n);
                enum lm_utf8_verdict expected = verdict_by_table(text, len);
                assert_int_equal(lm_utf8_check((char *)text, len), expected);
                assert_int_equal(lm_utf8_check_any((char *)text, len), expected);
                if (at < len) {
                    text[at] = '\0';
                    assert_int_equal(lm_utf8_check((char *)text, len), verdict_by_table(text, len));
                }
                free(text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_those_of_the_standard),
        cmocka_unit_test(a_text_is_judged_alike_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
