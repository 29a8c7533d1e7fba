/*
 * Replies of one piece: compressed as the client accepts, to slow readers, many on one connection.
 */
#include "common/http/http_server.h"

#include "common/log.h"

#include "tests/unit/common/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

static void a_big_reply_is_compressed_where_that_is_accepted(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /big HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, gzip;q=0.5\r\nConnection: close\r\n\r\n",
        NULL);
    assert_non_null(strstr(f->answer, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(f->answer, "Vary: Accept-Encoding\r\n"));
    const char *body = strstr(f->answer, "\r\n\r\n") + 4;
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)body,
                       .avail_in = (uInt)(f->answer_len - (size_t)(body - f->answer))};
    unsigned char *out = malloc((size_t)2 << 20);
    assert_non_null(out);
    stream.next_out = out;
    stream.avail_out = 2U << 20;
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, 1 << 20);
    assert_int_equal(out[1000], 'b');
    inflateEnd(&stream);
    free(out);
}

static void a_big_reply_is_zstd_where_that_is_accepted(void **state)
{
    static const char *const accepted[] = {"zstd", "gzip, deflate, br, zstd", "*;q=0, ZSTD;q=0.3"};
    struct fixture *f = *state;
    char *out = malloc((size_t)2 << 20);
    assert_non_null(out);
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "GET /big HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\nConnection: close\r\n\r\n",
                 accepted[i]);
        ask(f, text, NULL);
        assert_non_null(strstr(f->answer, "Content-Encoding: zstd\r\n"));
        const char *body = strstr(f->answer, "\r\n\r\n") + 4;
        const size_t len =
            ZSTD_decompress(out, (size_t)2 << 20, body, f->answer_len - (size_t)(body - f->answer));
        assert_int_equal(len, 1 << 20);
        assert_int_equal(out[1000], 'b');
    }
    free(out);
}

static void a_big_reply_is_plain_where_gzip_is_not_accepted(void **state)
{
    static const char *const accepted[] = {"", "Accept-Encoding: gzip;q=0\r\n",
                                           "Accept-Encoding: gzip; q=0.000, br, zstd;q=0\r\n",
                                           "Accept-Encoding: identity\r\n", "Accept-Encoding: gzipper\r\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "GET /big HTTP/1.1\r\nHost: h\r\n%sConnection: close\r\n\r\n",
                 accepted[i]);
        ask(f, text, NULL);
        assert_null(strstr(f->answer, "Content-Encoding"));
        assert_non_null(strstr(f->answer, "Content-Length: 1048576\r\n"));
        assert_true(f->answer_len > (size_t)1 << 20);
    }
}

static void a_slow_reader_gets_everything_and_blocks_nobody(void **state)
{
    struct fixture *f = *state;
    int slow = dial(f);
    for (int i = 0; i < 8; i++)
        say(f, slow, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 20; i++)
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    size_t total = 0;
    char scrap[65536];
    while (total < (size_t)8 << 20) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(slow, scrap, sizeof(scrap), MSG_DONTWAIT);
        assert_true(n != 0);
        total += n > 0 ? (size_t)n : 0;
    }
    close(slow);
}

static void keep_alive_serves_many_requests_on_one_connection(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    for (int i = 0; i < 100; i++) {
        say(f, fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        hear(f, fd, "peer=127.0.0.1", 1);
        assert_false(f->answer_end);
    }
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_big_reply_is_compressed_where_that_is_accepted),
        TEST(a_big_reply_is_zstd_where_that_is_accepted),
        TEST(a_big_reply_is_plain_where_gzip_is_not_accepted),
        TEST(a_slow_reader_gets_everything_and_blocks_nobody),
        TEST(keep_alive_serves_many_requests_on_one_connection),
    };
    lm_log_open("test_http_reply", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("http_reply", tests, NULL, NULL) == 0 ? 0 : 1;
}
