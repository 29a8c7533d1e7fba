/*
 * Replies that come piece by piece: their bound, slow readers, clients that leave, the deadline of closing.
 */
#include "common/http/http_server.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STREAM_BOUND ((size_t)64 << 10)

struct stream_fixture {
    struct fixture fixture;
    struct lm_http_request *request; /* of /stream, until it is ended or abandoned */
    int opened, drains;
    size_t to_write, written, most_unsent; /* bytes of the flood */
};

static void on_stream_abandoned(struct lm_http_request *request, void *context)
{
    struct stream_fixture *s = context;
    assert_ptr_equal(request, s->request);
    s->fixture.abandoned++;
    s->request = NULL;
}

/* Writes pieces until the stream is full or there are no more. */
static void flood(struct lm_http_request *request, void *context)
{
    struct stream_fixture *s = context;
    char piece[1000];
    s->drains++;
    memset(piece, '~', sizeof(piece));
    for (int full = 0; s->written < s->to_write && full == 0;) {
        full = lm_http_stream_write(request, piece, sizeof(piece));
        assert_int_not_equal(full, -1);
        s->written += sizeof(piece);
        if (lm_http_stream_unsent(request) > s->most_unsent)
            s->most_unsent = lm_http_stream_unsent(request);
    }
    if (s->to_write > 0 && s->written == s->to_write) {
        s->request = NULL;
        lm_http_stream_end(request, true);
    }
}

static void on_stream(struct lm_http_request *request, void *context)
{
    struct stream_fixture *s = context;
    const struct lm_http_stream stream = {.status = 200,
                                          .content_type = "text/event-stream",
                                          .max_unsent = STREAM_BOUND,
                                          .drained = flood,
                                          .context = s};
    lm_http_on_abandoned(request, on_stream_abandoned, s);
    lm_http_reply_header(request, "X-Made", "here");
    if (lm_http_stream_open(request, &stream) != 0) {
        lm_http_reply(request, 503, NULL, NULL, 0);
        return;
    }
    s->opened++;
    s->request = request;
    s->drains = -1; /* the first filling is no call of drained */
    if (s->to_write > 0)
        flood(request, s);
}

static int open_fixture(void **state)
{
    struct stream_fixture *s = calloc(1, sizeof(*s));
    const struct lm_http_route route = {
        .method = "GET", .path = "/stream", .handler = on_stream, .context = s};
    *state = s;
    if (s == NULL || fixture_begin(&s->fixture) != 0)
        return -1;
    return lm_http_server_route(s->fixture.server, &route);
}

static void write_stream(const struct stream_fixture *s, const char *text)
{
    assert_int_equal(lm_http_stream_write(s->request, text, strlen(text)), 0);
}

static void end_stream(struct stream_fixture *s, bool complete)
{
    struct lm_http_request *request = s->request;
    s->request = NULL;
    lm_http_stream_end(request, complete);
}

static int open_stream(struct stream_fixture *s)
{
    struct fixture *f = &s->fixture;
    int fd = dial(f), before = s->opened;
    say(f, fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &s->opened, before + 1);
    return fd;
}

static void a_stream_arrives_piece_by_piece_and_the_connection_goes_on(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    int fd = open_stream(s);
    hear(f, fd, "\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(f->answer, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(f->answer, "X-Made: here\r\n"));
    for (int i = 0; i < 5; i++) {
        write_stream(s, "tick\n");
        assert_int_equal(lm_http_stream_unsent(s->request), 5);
        hear(f, fd, "tick\n", 1);
        assert_int_equal(lm_http_stream_unsent(s->request), 0);
    }
    write_stream(s, "last");
    end_stream(s, true);
    hear(f, fd, "0\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "last"));
    say(f, fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(f, fd, "peer=", 1);
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void a_flood_waits_for_a_slow_reader_and_stays_in_its_bound(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    s->to_write = (size_t)40 << 20;
    s->to_write -= s->to_write % 1000;
    int fd = open_stream(s);
    size_t held_back = 0;
    for (int still = 0; still < 100; still++) { /* the kernel's buffers are full then */
        turn(f);
        still = s->written > held_back ? 0 : still;
        held_back = s->written;
    }
    assert_true(held_back < s->to_write);
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    static const char end[] = "\r\n0\r\n\r\n";
    size_t total = 0, matched = 0;
    char scrap[65536];
    while (end[matched] != '\0') {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT);
        assert_true(n != 0);
        for (ssize_t i = 0; i < n; i++) {
            total += scrap[i] == '~';
            matched = scrap[i] == end[matched] ? matched + 1 : scrap[i] == '\r' ? 1 : 0;
        }
    }
    assert_int_equal(total, s->to_write);
    assert_true(s->drains > 10);
    assert_true(s->most_unsent <= STREAM_BOUND);
    close(fd);
}

static void a_stream_takes_nothing_beyond_its_bound(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    static char half[STREAM_BOUND / 2];
    int fd = open_stream(s);
    memset(half, '~', sizeof(half));
    assert_int_equal(lm_http_stream_write(s->request, half, sizeof(half) - 1), 0);
    assert_int_equal(lm_http_stream_write(s->request, half, 1), 1);
    assert_int_equal(lm_http_stream_write(s->request, half, sizeof(half)), 1);
    assert_int_equal(lm_http_stream_write(s->request, half, 1), -1);
    assert_int_equal(lm_http_stream_unsent(s->request), STREAM_BOUND);
    wait_for(f, &s->drains, 0);
    write_stream(s, "more");
    hear(f, fd, "more", 1);
    end_stream(s, true);
    close(fd);
}

static void a_client_that_leaves_a_quiet_stream_abandons_it(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    for (int i = 0; i < 10; i++) {
        int fd = open_stream(s);
        write_stream(s, "hello\n");
        hear(f, fd, "hello", 1);
        close(fd);
        wait_for(f, &f->abandoned, i + 1);
        assert_null(s->request);
    }
}

static void a_client_that_leaves_a_flood_abandons_it(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    s->to_write = SIZE_MAX;
    for (int i = 0; i < 5; i++) {
        int fd = open_stream(s);
        for (int j = 0; j < 20; j++)
            turn(f);
        close(fd);
        wait_for(f, &f->abandoned, i + 1);
        s->written = 0;
    }
}

static void a_stream_broken_off_is_no_whole_answer(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    int fd = open_stream(s);
    write_stream(s, "part");
    hear(f, fd, "part", 1);
    end_stream(s, false);
    hear(f, fd, NULL, 0);
    assert_true(f->answer_end);
    assert_null(strstr(f->answer, "0\r\n\r\n"));
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void a_stream_for_head_is_abandoned_behind_its_headers(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    ask(f, "HEAD /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_string_equal(strstr(f->answer, "\r\n\r\n"), "\r\n\r\n");
    wait_for(f, &f->abandoned, 1);
}

static void a_stream_to_http_1_0_ends_with_its_connection(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    int fd = dial(f);
    say(f, fd, "GET /stream HTTP/1.0\r\n\r\n");
    wait_for(f, &s->opened, 1);
    write_stream(s, "all of it");
    end_stream(s, true);
    hear(f, fd, NULL, 0);
    assert_null(strstr(f->answer, "chunked"));
    assert_non_null(strstr(f->answer, "\r\n\r\nall of it"));
    close(fd);
}

static void close_waits_for_a_stream_and_ends_it_at_the_deadline(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    int quiet = open_stream(s);
    struct lm_http_request *first = s->request;
    write_stream(s, "so far");
    hear(f, quiet, "so far", 1);
    int fd = open_stream(s);
    lm_http_server_close(f->server, 30000, on_closed, f);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->closed, 0);
    write_stream(s, "the rest");
    end_stream(s, true);
    hear(f, fd, "0\r\n\r\n", 1);
    s->request = first;
    lm_http_server_close(f->server, 20, NULL, NULL);
    wait_for(f, &f->closed, 1);
    assert_int_equal(f->abandoned, 1);
    hear(f, quiet, NULL, 0);
    assert_null(strstr(f->answer, "0\r\n\r\n"));
    close(quiet);
    close(fd);
}

static void the_deadline_ends_a_flood_that_nobody_reads(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    s->to_write = SIZE_MAX;
    int fd = open_stream(s);
    for (int i = 0; i < 50; i++)
        turn(f);
    lm_http_server_close(f->server, 20, on_closed, f);
    wait_for(f, &f->closed, 1);
    assert_int_equal(f->abandoned, 1);
    close(fd);
}

static void a_stream_opened_as_the_deadline_strikes_is_abandoned(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    const struct lm_http_stream stream = {.status = 200, .max_unsent = STREAM_BOUND};
    int fd = dial(f);
    f->listen_for_abandoned = true;
    say(f, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &f->handled, 1);
    turn(f);
    assert_int_equal(lm_http_stream_open(f->waiting[0], &stream), 0);
    lm_http_server_close(f->server, 0, on_closed, f);
    wait_for(f, &f->closed, 1);
    assert_int_equal(f->abandoned, 1);
    close(fd);
}

static void a_quiet_stream_outlives_the_idle_time_out(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    const struct lm_http_options options = {.loop = &f->loop, .listen = "127.0.0.1:0", .idle_timeout_s = 1};
    const struct lm_http_route route = {
        .method = "GET", .path = "/stream", .handler = on_stream, .context = s};
    const unsigned short port = f->port;
    struct lm_http_server *server = NULL;
    struct lm_error error;
    assert_int_equal(lm_http_server_open(&options, &server, &error), 0);
    assert_int_equal(lm_http_server_route(server, &route), 0);
    f->port = (unsigned short)atoi(strrchr(lm_http_server_url(server), ':') + 1);
    int fd = open_stream(s), idle = dial(f);
    hear(f, idle, NULL, 0); /* a connection without a request is closed after that second */
    write_stream(s, "still here");
    end_stream(s, true);
    hear(f, fd, "0\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "still here"));
    assert_int_equal(f->abandoned, 0);
    close(fd);
    close(idle);
    f->port = port;
    lm_http_server_close(server, 100, on_closed, f);
    wait_for(f, &f->closed, 1);
    f->closed = 0;
}

static void a_stream_without_memory_is_refused_or_cut(void **state)
{
    struct stream_fixture *s = *state;
    struct fixture *f = &s->fixture;
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        int fd = dial(f), before = s->opened;
        failing_alloc_after(n);
        say(f, fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        wait_for_answer(f, fd);
        if (s->opened > before && s->request != NULL) {
            assert_int_not_equal(lm_http_stream_write(s->request, "tick", 4), 1);
            for (int i = 0; i < 5; i++)
                turn(f);
            if (s->request != NULL)
                end_stream(s, true);
        }
        for (int i = 0; i < 5; i++)
            turn(f);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        close(fd);
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_arrives_piece_by_piece_and_the_connection_goes_on),
        TEST(a_flood_waits_for_a_slow_reader_and_stays_in_its_bound),
        TEST(a_stream_takes_nothing_beyond_its_bound),
        TEST(a_client_that_leaves_a_quiet_stream_abandons_it),
        TEST(a_client_that_leaves_a_flood_abandons_it),
        TEST(a_stream_broken_off_is_no_whole_answer),
        TEST(a_stream_for_head_is_abandoned_behind_its_headers),
        TEST(a_stream_to_http_1_0_ends_with_its_connection),
        TEST(close_waits_for_a_stream_and_ends_it_at_the_deadline),
        TEST(the_deadline_ends_a_flood_that_nobody_reads),
        TEST(a_stream_opened_as_the_deadline_strikes_is_abandoned),
        TEST(a_quiet_stream_outlives_the_idle_time_out),
        TEST(a_stream_without_memory_is_refused_or_cut),
    };
    lm_log_open("test_http_stream", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("http_stream", tests, NULL, NULL) == 0 ? 0 : 1;
}
