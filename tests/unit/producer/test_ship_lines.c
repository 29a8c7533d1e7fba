/* Bytes to lines: offsets, pieces of over-long lines, the end. */
#include "producer/ship/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_line(struct sh_lines *lines, bool at_end, const char *text, int64_t start, int64_t end)
{
    struct sh_line line;

    assert_int_equal(sh_lines_next(lines, at_end, &line), 1);
    assert_int_equal(line.text.len, strlen(text));
    assert_memory_equal(line.text.data, text, line.text.len);
    assert_int_equal(line.start, start);
    assert_int_equal(line.end, end);
}

static void lines_come_with_their_offsets_however_the_bytes_arrive(void **state)
{
    const char *bytes = "one\ntwo\r\n\nlast";
    struct sh_lines lines;
    struct sh_line line;

    (void)state;
    for (size_t step = 1; step <= strlen(bytes); step++) {
        size_t found = 0;

        sh_lines_init(&lines, 100, 1000);
        for (size_t at = 0; at < strlen(bytes); at += step) {
            size_t len = strlen(bytes) - at < step ? strlen(bytes) - at : step;

            assert_int_equal(sh_lines_add(&lines, bytes + at, len), 0);
            while (sh_lines_next(&lines, false, &line) > 0) {
                static const int64_t ends[] = {104, 109, 110};
                static const size_t lengths[] = {3, 3, 0};
                assert_int_equal(line.end, ends[found]);
                assert_int_equal(line.text.len, lengths[found]);
                found++;
            }
        }
        assert_int_equal(found, 3);
        assert_line(&lines, true, "last", 110, 114);
        assert_int_equal(sh_lines_next(&lines, true, &line), 0);
        sh_lines_free(&lines);
    }
}

static void an_over_long_line_is_cut_between_characters_and_nothing_is_lost(void **state)
{
    const char *bytes = "가나다라마\nx\n"; /* 3 bytes a character */
    struct sh_lines lines;
    struct sh_line line;

    (void)state;
    sh_lines_init(&lines, 0, 7);
    assert_int_equal(sh_lines_add(&lines, bytes, strlen(bytes)), 0);
    assert_line(&lines, false, "가나", 0, 6);
    assert_int_equal(sh_lines_next(&lines, false, &line), 1);
    assert_true(line.piece_of_earlier);
    assert_memory_equal(line.text.data, "다라", 6);
    assert_int_equal(sh_lines_next(&lines, false, &line), 1);
    assert_memory_equal(line.text.data, "마", 3);
    assert_int_equal(line.end, 16);
    assert_int_equal(sh_lines_next(&lines, false, &line), 1);
    assert_false(line.piece_of_earlier);
    assert_memory_equal(line.text.data, "x", 1);
    sh_lines_free(&lines);
}

static void bytes_that_are_no_characters_are_cut_at_the_limit(void **state)
{
    char bytes[20];
    struct sh_lines lines;
    struct sh_line line;

    (void)state;
    memset(bytes, '\x80', sizeof(bytes));
    sh_lines_init(&lines, 0, 8);
    assert_int_equal(sh_lines_add(&lines, bytes, sizeof(bytes)), 0);
    assert_int_equal(sh_lines_next(&lines, false, &line), 1);
    assert_int_equal(line.text.len, 8);
    sh_lines_free(&lines);
}

static void more_than_the_bound_is_not_taken_and_harms_nothing(void **state)
{
    const size_t huge = (size_t)2 << 20;
    char *bytes = calloc(1, huge);
    struct sh_lines lines;

    (void)state;
    assert_non_null(bytes);
    sh_lines_init(&lines, 0, 1000);
    assert_int_equal(sh_lines_add(&lines, "a\n", 2), 0);
    assert_int_equal(sh_lines_add(&lines, bytes, huge), -1);
    assert_line(&lines, false, "a", 0, 2);
    assert_int_equal(sh_lines_add(&lines, "b\n", 2), 0);
    assert_line(&lines, false, "b", 2, 4);
    sh_lines_free(&lines);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_with_their_offsets_however_the_bytes_arrive),
        cmocka_unit_test(an_over_long_line_is_cut_between_characters_and_nothing_is_lost),
        cmocka_unit_test(bytes_that_are_no_characters_are_cut_at_the_limit),
        cmocka_unit_test(more_than_the_bound_is_not_taken_and_harms_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
