/*
 * Requests from the wire's side: heads and bodies of every length and none, what is refused and how, clients
 * that leave in the middle, and requests that wait for their reply.
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

#include <cmocka.h>

/* ---- bodies ---- */

static void pipelined_posts_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    char text[8192] = "";
    for (int i = 0; i < 50; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used,
                 "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n<body %02d", i);
    }
    say(f, fd, text);
    hear(f, fd, "<body", 50);
    const char *p = f->answer;
    for (int i = 0; i < 50; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "<body %02d", i);
        p = strstr(p, expected);
        if (p == NULL)
            hear(f, fd, "<body 49", 1);
        assert_true(p != NULL || i == 49);
    }
    assert_int_equal(f->handled, 50);
    close(fd);
}

static void a_chunked_body_arrives_whole(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    say(f, fd, "5\r\nhello\r\n");
    for (int i = 0; i < 5; i++)
        turn(f);
    say(f, fd, "7;ext=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\n");
    hear(f, fd, "hello, world", 1);
    /* the connection lives on */
    say(f, fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(f, fd, "peer=", 1);
    close(fd);
}

static void a_body_byte_by_byte_arrives_whole(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    const char *text = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nslow, slow!";
    for (const char *p = text; *p != '\0'; p++) {
        say_bytes(f, fd, p, 1);
        turn(f);
    }
    hear(f, fd, "slow, slow!", 1);
    close(fd);
}

static void a_body_with_zero_bytes_is_kept(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say_bytes(f, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na\0b", 54);
    wait_for(f, &f->handled, 1);
    assert_int_equal(f->last_body_len, 3);
    close(fd);
}

static void a_body_said_too_large_is_413_before_it_is_read(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
    hear(f, fd, "}}", 1); /* not one byte of the body was sent */
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
    assert_non_null(strstr(f->answer, "Connection: close\r\n"));
    assert_int_equal(f->handled, 0);
    close(fd);
}

static void a_client_that_goes_on_sending_a_refused_body_still_reads_the_413(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    size_t len = (size_t)12 << 20;
    char *body = calloc(1, len);
    assert_non_null(body);
    say(f, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 12582912\r\n\r\n");
    say_bytes(f, fd, body, len);
    hear(f, fd, NULL, 0);
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
    free(body);
    close(fd);
}

static void a_small_refused_body_keeps_the_connection(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd,
        "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890"
        "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
    hear(f, fd, "0123456789", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    close(fd);
}

static void a_chunked_body_over_the_limit_is_413_as_soon_as_it_is(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n");
    for (int i = 0; i < 5; i++)
        turn(f);
    say(f, fd, "6\r\n012345\r\n"); /* and never an end */
    hear(f, fd, NULL, 0);
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
    assert_non_null(strstr(f->answer, "\"code\":\"too_large\""));
    assert_non_null(strstr(f->answer, "Cache-Control: no-store\r\n"));
    assert_int_equal(f->handled, 0);
    close(fd);
}

static void a_body_on_a_route_without_one_is_413(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "}}");
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
}

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    hear(f, fd, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    assert_int_equal(f->handled, 0);
    say(f, fd, "body");
    hear(f, fd, "\r\n\r\nbody", 1);
    close(fd);
}

static void expect_100_continue_for_too_much_is_413_at_once(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n");
    hear(f, fd, "}}", 1);
    assert_null(strstr(f->answer, "100 Continue"));
    assert_non_null(strstr(f->answer, "HTTP/1.1 413"));
    close(fd);
}

static void ambiguous_lengths_are_refused_and_the_connection_closed(void **state)
{
    static const char *const heads[] = {
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 40\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "POST /echo HTTP/1.1\r\nHost: h\r\n%s\r\n0\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n",
                 heads[i]);
        ask(f, text, NULL); /* reads to the end of the connection */
        assert_true(strncmp(f->answer, "HTTP/1.1 400", 12) == 0 ||
                    strncmp(f->answer, "HTTP/1.1 501", 12) == 0);
        assert_int_equal(count_of(f->answer, "HTTP/1.1"), 1);
    }
    assert_int_equal(f->handled, 0);
}

static void bodies_together_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fds[5], refused;
    size_t len = ((size_t)2 << 20) - 10; /* of 2 MiB each; 8 MiB together */
    char *body = calloc(1, len);
    assert_non_null(body);
    for (int i = 0; i < 4; i++) {
        fds[i] = dial(f);
        say(f, fds[i], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2097152\r\n\r\n");
        say_bytes(f, fds[i], body, len);
    }
    fds[4] = dial(f);
    say(f, fds[4], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2097152\r\n\r\n");
    say_bytes(f, fds[4], body, len);
    /* Which of the five finds no room depends on whose bytes were read first. */
    for (refused = -1; refused < 0; turn(f)) {
        for (int i = 0; i < 5 && refused < 0; i++)
            refused = readable(fds[i]) ? i : -1;
    }
    hear(f, fds[refused], "}}", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 503"));
    assert_non_null(strstr(f->answer, "Retry-After: 1"));
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    for (int i = 0; i < 10; i++)
        turn(f);
    ask(f, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nokay", "okay"); /* given back */
    free(body);
}

static void a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        int fd = dial(f);
        say(f, fd,
            i % 2 == 0 ? "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"
                       : "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf");
        turn(f);
        if (i % 4 < 2) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
        turn(f);
    }
    assert_int_equal(f->handled, 0);
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
}

static void nonsense_on_the_wire_is_refused(void **state)
{
    static const char *const lines[] = {
        "\r\n\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /show\r\n\r\n",
        "GET /show HTTP/9.9\r\n\r\n",
        "GET /show HTTP/1.1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int fd = dial(f);
        say(f, fd, lines[i]);
        shutdown(fd, SHUT_WR);
        hear_briefly(f, fd); /* libmicrohttpd keeps some of these until the idle time-out */
        if (f->answer_len > 0 && strncmp(f->answer, "HTTP/1.1 4", 10) != 0 &&
            strncmp(f->answer, "HTTP/1.1 5", 10) != 0 && strncmp(f->answer, "HTTP/1.0 4", 10) != 0)
            fail_msg("line %zu was answered with %s", i, f->answer);
        close(fd);
    }
    assert_int_equal(f->handled, 0);
}

/* ---- later ---- */

static void two_hundred_requests_wait_and_are_answered(void **state)
{
    struct fixture *f = *state;
    int fds[200];
    for (int i = 0; i < 200; i++) {
        fds[i] = dial(f);
        say(f, fds[i],
            i % 2 == 0 ? "GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
                       : "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
    }
    wait_for(f, &f->handled, 200);
    answer_waiting(f);
    for (int i = 0; i < 200; i++) {
        hear(f, fds[i], "late\n", 1);
        assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
        close(fds[i]);
    }
}

static void a_request_behind_a_waiting_one_waits_its_turn(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &f->handled, 1);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->handled, 1);
    answer_waiting(f);
    hear(f, fd, "peer=", 1);
    assert_true(strstr(f->answer, "late") < strstr(f->answer, "peer="));
    close(fd);
}

static void a_client_that_hangs_up_abandons_its_request(void **state)
{
    struct fixture *f = *state;
    f->listen_for_abandoned = true;
    for (int i = 0; i < 10; i++) {
        int fd = dial(f);
        say(f, fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
        wait_for(f, &f->handled, i + 1);
        if (i % 2 == 0) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
        wait_for(f, &f->abandoned, i + 1);
    }
    assert_int_equal(f->waiting_count, 0);
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
}

static void a_reply_to_a_client_that_has_gone_is_dropped(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        int fd = dial(f);
        say(f, fd, "GET /later HTTP/1.1\r\nHost: h\r\nX-Thing: 7\r\n\r\n");
        wait_for(f, &f->handled, i + 1);
        assert_string_equal(lm_http_header(f->waiting[i], "x-thing"), "7");
        close(fd);
    }
    for (int i = 0; i < 4; i++) {
        while (lm_http_header(f->waiting[i], "x-thing") != NULL) /* until the server knows */
            turn(f);
    }
    assert_string_equal(lm_http_path(f->waiting[0]), "/later");
    answer_waiting(f);
    assert_int_equal(f->abandoned, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipelined_posts_are_answered_in_order),
        TEST(a_chunked_body_arrives_whole),
        TEST(a_body_byte_by_byte_arrives_whole),
        TEST(a_body_with_zero_bytes_is_kept),
        TEST(a_body_said_too_large_is_413_before_it_is_read),
        TEST(a_client_that_goes_on_sending_a_refused_body_still_reads_the_413),
        TEST(a_small_refused_body_keeps_the_connection),
        TEST(a_chunked_body_over_the_limit_is_413_as_soon_as_it_is),
        TEST(a_body_on_a_route_without_one_is_413),
        TEST(expect_100_continue_is_answered_before_the_body),
        TEST(expect_100_continue_for_too_much_is_413_at_once),
        TEST(ambiguous_lengths_are_refused_and_the_connection_closed),
        TEST(bodies_together_are_bounded),
        TEST(a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing),
        TEST(nonsense_on_the_wire_is_refused),
        TEST(two_hundred_requests_wait_and_are_answered),
        TEST(a_request_behind_a_waiting_one_waits_its_turn),
        TEST(a_client_that_hangs_up_abandons_its_request),
        TEST(a_reply_to_a_client_that_has_gone_is_dropped),
    };
    lm_log_open("test_http_request", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("http_request", tests, NULL, NULL) == 0 ? 0 : 1;
}
