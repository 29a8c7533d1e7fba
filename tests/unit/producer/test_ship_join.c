/* Lines to records, by format. A joined record is written as its lines with '/' between. */
#include "producer/ship/join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void append(char *found, size_t size, const struct sh_entry *entry)
{
    size_t used = strlen(found);

    assert_true(used + entry->text.len + 2 < size);
    if (used) {
        found[used++] = '|';
    }
    for (size_t i = 0; i < entry->text.len; i++) {
        found[used++] = entry->text.data[i] == '\n' ? '/' : entry->text.data[i];
    }
    found[used] = '\0';
}

static void assert_joined(enum sh_format format, size_t max_record, const char *bytes, const char *expected)
{
    struct sh_lines lines;
    struct sh_join join;
    struct sh_line line;
    struct sh_entry entry;
    char found[2048] = "";
    int64_t end = 0;

    sh_lines_init(&lines, 0, max_record);
    sh_join_init(&join, format, true, max_record);
    assert_int_equal(sh_lines_add(&lines, bytes, strlen(bytes)), 0);
    while (sh_lines_next(&lines, true, &line) > 0) {
        int joined = sh_join_line(&join, &line, &entry);
        assert_true(joined >= 0);
        if (joined > 0) {
            append(found, sizeof(found), &entry);
            assert_true(entry.start >= end && entry.end > entry.start);
            end = entry.end;
        }
    }
    if (sh_join_flush(&join, &entry) > 0) {
        append(found, sizeof(found), &entry);
        assert_true(entry.start >= end);
    }
    assert_string_equal(found, expected);
    sh_join_free(&join);
    sh_lines_free(&lines);
}

static void plain_lines_are_records_and_blank_ones_are_none(void **state)
{
    (void)state;
    assert_joined(SH_AUTO, 100, "a\n\n  b\n\n", "a|  b");
}

static void stack_traces_belong_to_the_line_before(void **state)
{
    (void)state;
    assert_joined(SH_AUTO, 1000,
                  "[2016-12-19 16:04:03,213] ERROR oops (a.B)\njava.io.IOException: x\n\tat a.B(C.java:1)\n\n"
                  "[2016-12-19 16:04:04,001] INFO fine (a.B)\n",
                  "[2016-12-19 16:04:03,213] ERROR oops (a.B)/java.io.IOException: x/\tat a.B(C.java:1)/|"
                  "[2016-12-19 16:04:04,001] INFO fine (a.B)");
}

static void the_first_line_decides_the_format(void **state)
{
    (void)state;
    assert_joined(SH_AUTO, 100, "{\"a\":1}\n2016-12-19 16:04:03 x\nnot json\n",
                  "{\"a\":1}|2016-12-19 16:04:03 x|not json");
    assert_joined(SH_AUTO, 100, "Timestamp,Log\n2016-12-19 16:04:03,x\ny\n",
                  "Timestamp,Log|2016-12-19 16:04:03,x|y");
    assert_joined(SH_LOG4J, 100, "begins in the middle\n2016-12-19 16:04:03 x\ny\n",
                  "begins in the middle|2016-12-19 16:04:03 x/y");
}

static void a_record_never_grows_beyond_its_bound(void **state)
{
    (void)state;
    assert_joined(SH_AUTO, 30, "2016-12-19 16:04:03 x\n\tat 1\n\tat 2\n\tat 3\n",
                  "2016-12-19 16:04:03 x/\tat 1|\tat 2/\tat 3");
}

static void what_was_flushed_is_not_joined_with_what_comes_after(void **state)
{
    struct sh_join join;
    struct sh_entry entry;
    struct sh_line first = {LM_SLICE("2016-12-19 16:04:03 x"), 0, 22, false};
    struct sh_line second = {LM_SLICE("\tat 1"), 22, 28, false};

    (void)state;
    sh_join_init(&join, SH_AUTO, true, 100);
    assert_int_equal(sh_join_line(&join, &first, &entry), 0);
    assert_int_equal(sh_join_flush(&join, &entry), 1);
    assert_int_equal(entry.end, 22);
    assert_int_equal(sh_join_line(&join, &second, &entry), 0);
    assert_int_equal(sh_join_flush(&join, &entry), 1);
    assert_int_equal(entry.start, 22);
    assert_memory_equal(entry.text.data, "\tat 1", 5);
    sh_join_free(&join);
}

static void a_join_that_starts_further_on_takes_the_format_of_the_beginning(void **state)
{
    static const char log4j[] = "\r\n[2016-12-19 16:04:03,213] INFO first\n\tat a.B\n";
    struct sh_join join;

    (void)state;
    sh_join_init(&join, SH_AUTO, true, 100);
    sh_join_settle(&join, log4j, strlen(log4j));
    assert_int_equal(join.format, SH_LOG4J);
    sh_join_settle(&join, "{}", 2);
    assert_int_equal(join.format, SH_LOG4J);
    sh_join_free(&join);
    sh_join_init(&join, SH_AUTO, true, 100);
    sh_join_settle(&join, " \n\n", 3);
    assert_int_equal(join.format, SH_AUTO);
    sh_join_free(&join);
}

static void a_line_of_carriage_returns_is_blank(void **state)
{
    (void)state;
    assert_joined(SH_PLAIN, 100, "a\n\r \n\r\r\nb\n", "a|b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_are_records_and_blank_ones_are_none),
        cmocka_unit_test(stack_traces_belong_to_the_line_before),
        cmocka_unit_test(a_join_that_starts_further_on_takes_the_format_of_the_beginning),
        cmocka_unit_test(a_line_of_carriage_returns_is_blank),
        cmocka_unit_test(the_first_line_decides_the_format),
        cmocka_unit_test(a_record_never_grows_beyond_its_bound),
        cmocka_unit_test(what_was_flushed_is_not_joined_with_what_comes_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
