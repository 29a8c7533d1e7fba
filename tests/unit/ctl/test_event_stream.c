/* Server-sent events in whatever pieces they come. */
#include "ctl/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void take(const char *data, size_t len, void *context)
{
    struct lm_buffer *out = context;
    lm_buffer_append(out, data, len);
    lm_buffer_append_char(out, '|');
}

static void events_are_the_same_in_pieces_of_any_size(void **state)
{
    static const char text[] = ": a comment\n"
                               "event: node_start\ndata: {\"a\":1}\n\n"
                               "data:one\ndata: two\nid: 7\n\n" /* two lines of one event */
                               "event: empty\n\n"               /* no data: no event */
                               "data\n\n"
                               "data: by\r\n\r\n"
                               "data: cr\r\r"
                               "data: \n\n"
                               "data: never ended\n";
    struct ct_event_stream stream;
    struct lm_buffer out;
    (void)state;

    lm_buffer_init(&out, 1 << 16);
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        lm_buffer_clear(&out);
        ct_event_stream_init(&stream, 1 << 16, take, &out);
        for (size_t at = 0; at < sizeof text - 1; at += piece) {
            size_t len = sizeof text - 1 - at < piece ? sizeof text - 1 - at : piece;
            assert_int_equal(ct_event_stream_read(&stream, text + at, len), 0);
        }
        assert_string_equal(lm_buffer_text(&out), "{\"a\":1}|one\ntwo|by|cr||");
        ct_event_stream_free(&stream);
    }
    lm_buffer_free(&out);
}

static void an_event_beyond_the_ceiling_is_refused(void **state)
{
    struct ct_event_stream stream;
    struct lm_buffer out;
    (void)state;

    lm_buffer_init(&out, 1 << 16);
    ct_event_stream_init(&stream, 16, take, &out);
    assert_int_equal(ct_event_stream_read(&stream, "data: 0123456789a", 17), -1);
    ct_event_stream_free(&stream);
    ct_event_stream_init(&stream, 16, take, &out);
    assert_int_equal(ct_event_stream_read(&stream, "data: 0123456789\ndata: 0123456789\n", 34), -1);
    assert_int_equal(out.len, 0);
    ct_event_stream_free(&stream);
    lm_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_in_pieces_of_any_size),
        cmocka_unit_test(an_event_beyond_the_ceiling_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
