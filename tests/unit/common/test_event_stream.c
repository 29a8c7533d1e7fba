/* Server-sent events in whatever pieces they come. */
#include "common/http/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool collect(const char *data, size_t len, void *context)
{
    struct lm_buffer *events = context;
    lm_buffer_append(events, data, len);
    lm_buffer_append_char(events, '|');
    return true;
}

static void stream_is_read_whatever_its_line_ends_and_pieces(void **state)
{
    static const struct {
        const char *stream, *events;
    } cases[] = {
        {"data: a\n\ndata: b\n\n", "a|b|"},
        {"data: a\r\n\r\ndata: b\r\n\r\n", "a|b|"},
        {"data: a\r\rdata: b\r\r", "a|b|"},
        {"\xef\xbb\xbf"
         "data:a\ndata:  b\n\n",
         "a\n b|"},
        {": comment\nevent: x\nid: 7\nretry: 1\n\n", ""},
        {"data\n\ndatax: no\n\n", "|"},
        {"data: whole\n\ndata: not whole\n", "whole|"},
        {"\n\n\ndata: a\n\n\n\n", "a|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            struct lm_event_stream sse;
            struct lm_buffer events;
            lm_event_stream_init(&sse, 64);
            lm_buffer_init(&events, 1024);
            const size_t len = strlen(cases[i].stream);
            for (size_t at = 0; at < len; at += piece) {
                assert_true(lm_event_stream_feed(&sse, cases[i].stream + at,
                                                 len - at < piece ? len - at : piece, collect, &events));
            }
            assert_string_equal(cases[i].events, lm_buffer_text(&events));
            lm_buffer_free(&events);
            lm_event_stream_free(&sse);
        }
    }
}

static void stream_with_a_line_or_an_event_that_is_too_long_is_given_up(void **state)
{
    char line[100];
    struct lm_event_stream sse;
    struct lm_buffer events;
    (void)state;
    memset(line, 'x', sizeof(line));
    lm_buffer_init(&events, 1024);
    lm_event_stream_init(&sse, 64);
    assert_false(lm_event_stream_feed(&sse, line, sizeof(line), collect, &events));
    lm_event_stream_free(&sse);
    lm_event_stream_init(&sse, 64);
    assert_true(
        lm_event_stream_feed(&sse, "data: 0123456789012345678901234567890123456789\n", 47, collect, &events));
    assert_false(
        lm_event_stream_feed(&sse, "data: 0123456789012345678901234567890123456789\n", 47, collect, &events));
    lm_event_stream_free(&sse);
    lm_buffer_free(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_is_read_whatever_its_line_ends_and_pieces),
        cmocka_unit_test(stream_with_a_line_or_an_event_that_is_too_long_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
