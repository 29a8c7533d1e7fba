/* What an operator types after `logmill-ctl dlq`, and what a terminal is shown. */
#include "common/clock.h"
#include "ctl/dlq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_place_names_where_letters_lie_or_where_their_records_came_from(void **state)
{
    static const struct {
        const char *text;
        struct ct_dlq_place place;
    } good[] = {
        {"raw", {"logs.raw", false, -1, 0, INT64_MAX - 1}},
        {"logs.raw", {"logs.raw", false, -1, 0, INT64_MAX - 1}},
        {"logs.raw.dlq", {"logs.raw", true, -1, 0, INT64_MAX - 1}},
        {"raw/3", {"logs.raw", false, 3, 0, INT64_MAX - 1}},
        {"a-b.dlq/0@12", {"a-b", true, 0, 12, 12}},
        {"a/2147483647@12-", {"a", false, INT32_MAX, 12, INT64_MAX - 1}},
        {"a/0@12-15", {"a", false, 0, 12, 15}},
    };
    static const char *const bad[] = {"",
                                      "/1",
                                      "raw/",
                                      "raw/x",
                                      "raw/-1",
                                      "raw/2147483648",
                                      "raw/1@",
                                      "raw/1@x",
                                      "raw/1@5-4",
                                      "raw/1@5-x",
                                      "raw/1@5 ",
                                      "raw/1x",
                                      "raw/1@99999999999999999999",
                                      "raw/1@1--2"};
    struct ct_dlq_place place;
    char long_name[300];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ct_dlq_place_parse(good[i].text, "logs.", &place), 0);
        assert_string_equal(place.topic, good[i].place.topic);
        assert_int_equal(place.lies, good[i].place.lies);
        assert_int_equal(place.partition, good[i].place.partition);
        assert_int_equal(place.first, good[i].place.first);
        assert_int_equal(place.last, good[i].place.last);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ct_dlq_place_parse(bad[i], "logs.", &place), -1);
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(ct_dlq_place_parse(long_name, "logs.", &place), -1);
}

static void a_time_is_an_instant_or_how_long_ago(void **state)
{
    const int64_t now = INT64_C(1800000000) * LM_SECOND_US;
    int64_t us;
    (void)state;

    assert_int_equal(ct_dlq_time_parse("2h", now, &us), 0);
    assert_int_equal(us, now - 2 * LM_HOUR_US);
    assert_int_equal(ct_dlq_time_parse("0s", now, &us), 0);
    assert_int_equal(us, now);
    assert_int_equal(ct_dlq_time_parse("1970-01-01T00:00:01Z", now, &us), 0);
    assert_int_equal(us, LM_SECOND_US);
    assert_int_equal(ct_dlq_time_parse("yesterday", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("2 h", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("999999d", now, &us), -1);
    assert_int_equal(ct_dlq_time_parse("", now, &us), -1);
}

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
        ct_letter_append_safe(&out, cases[i].text, strlen(cases[i].text), SIZE_MAX);
        assert_string_equal(lm_buffer_text(&out), cases[i].shown);
    }
    lm_buffer_clear(&out);
    ct_letter_append_safe(&out, "한국어", strlen("한국어"), 2);
    assert_string_equal(lm_buffer_text(&out), "한국…");
    lm_buffer_clear(&out);
    ct_letter_append_safe(&out, "a\0b", 3, 3);
    assert_string_equal(lm_buffer_text(&out), "a\\x00b");
    lm_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_names_where_letters_lie_or_where_their_records_came_from),
        cmocka_unit_test(a_time_is_an_instant_or_how_long_ago),
        cmocka_unit_test(a_terminal_is_shown_text_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
