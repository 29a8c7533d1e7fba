/*
 * The HTTP server from the wire's side: raw sockets in the same thread, pumped together with the loop, and
 * the real curl as a child of the loop. The teardown fails if anything is left on the loop or a request is
 * never given back.
 */
#include "common/http_server.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/loop_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
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

#define MAX_WAITING 256
#define ANSWER_SIZE ((size_t)4 << 20)

struct fixture {
    uv_loop_t loop;
    struct lm_http_server *server;
    struct lm_metrics *metrics;
    unsigned short port;
    int closed, handled, abandoned;
    size_t last_body_len;
    char last_body[256];
    struct lm_http_request *waiting[MAX_WAITING]; /* the /later requests not answered yet */
    int waiting_count;
    bool listen_for_abandoned;
    bool close_in_handler;
    struct lm_http_request *stream; /* of /stream, until it is ended or abandoned */
    int streams, drains;
    size_t to_write, written, most_unsent; /* bytes of the flood */
    struct lm_http_request *upgraded;      /* of /upgrade, until it is ended or abandoned */
    int upgraded_fd, upgrades;
    bool end_at_once;
    char early[64];
    char *answer; /* what pump() read */
    size_t answer_len;
    bool answer_end; /* EOF or reset */
    int child_exits;
    int64_t child_status;
};

static void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static void on_echo(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    size_t len;
    const char *body = lm_http_body(request, &len);
    f->handled++;
    f->last_body_len = len;
    snprintf(f->last_body, sizeof(f->last_body), "%.*s", (int)(len < 200 ? len : 200), body);
    if (f->close_in_handler)
        lm_http_server_close(f->server, 1000, on_closed, f);
    lm_http_reply(request, 200, "text/plain", body, len);
}

static void on_show(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    char text[1024];
    const char *segment = lm_http_segment(request), *agent = lm_http_header(request, "x-thing");
    const char *query = lm_http_query(request, "q");
    f->handled++;
    int len =
        snprintf(text, sizeof(text), "%s %s segment=%s x-thing=%s q=%s peer=%s", lm_http_method(request),
                 lm_http_path(request), segment != NULL ? segment : "(none)",
                 agent != NULL ? agent : "(none)", query != NULL ? query : "(none)", lm_http_peer(request));
    lm_http_reply_header(request, "X-Made", "here");
    lm_http_reply_header(request, "X-Broken", "a\r\nb: c");
    lm_http_reply(request, 200, "text/plain", text, (size_t)len);
}

static void on_big(struct lm_http_request *request, void *context)
{
    size_t len = (size_t)1 << 20;
    char *text = malloc(len);
    (void)context;
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i / 1000 % 26);
    lm_http_reply(request, 200, "text/plain", text, len);
    free(text);
}

static void on_abandoned(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    f->abandoned++;
    for (int i = 0; i < f->waiting_count; i++) {
        if (f->waiting[i] == request)
            f->waiting[i] = f->waiting[--f->waiting_count];
    }
}

static void on_later(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    f->handled++;
    f->waiting[f->waiting_count++] = request;
    if (f->listen_for_abandoned)
        lm_http_on_abandoned(request, on_abandoned, f);
}

static void answer_waiting(struct fixture *f)
{
    while (f->waiting_count > 0)
        lm_http_reply(f->waiting[--f->waiting_count], 200, "text/plain", "late\n", 5);
}

#define STREAM_BOUND ((size_t)64 << 10)

static void on_stream_abandoned(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    assert_ptr_equal(request, f->stream);
    f->abandoned++;
    f->stream = NULL;
}

/* Writes pieces until the stream is full or there are no more. */
static void flood(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    char piece[1000];
    f->drains++;
    memset(piece, '~', sizeof(piece));
    for (int full = 0; f->written < f->to_write && full == 0;) {
        full = lm_http_stream_write(request, piece, sizeof(piece));
        assert_int_not_equal(full, -1);
        f->written += sizeof(piece);
        if (lm_http_stream_unsent(request) > f->most_unsent)
            f->most_unsent = lm_http_stream_unsent(request);
    }
    if (f->to_write > 0 && f->written == f->to_write) {
        f->stream = NULL;
        lm_http_stream_end(request, true);
    }
}

static void on_stream(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    const struct lm_http_stream stream = {.status = 200,
                                          .content_type = "text/event-stream",
                                          .max_unsent = STREAM_BOUND,
                                          .drained = flood,
                                          .context = f};
    lm_http_on_abandoned(request, on_stream_abandoned, f);
    lm_http_reply_header(request, "X-Made", "here");
    if (lm_http_stream_open(request, &stream) != 0) {
        lm_http_reply(request, 503, NULL, NULL, 0);
        return;
    }
    f->streams++;
    f->stream = request;
    f->drains = -1; /* the first filling is no call of drained */
    if (f->to_write > 0)
        flood(request, f);
}

static void on_upgrade_abandoned(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    (void)request;
    f->abandoned++;
    f->upgraded = NULL;
}

static void on_upgraded(struct lm_http_request *request, int fd, const char *early, size_t len, void *context)
{
    struct fixture *f = context;
    f->upgrades++;
    snprintf(f->early, sizeof(f->early), "%.*s", (int)len, early);
    if (f->end_at_once) {
        lm_http_upgrade_end(request);
        return;
    }
    f->upgraded = request;
    f->upgraded_fd = fd;
}

static void on_upgrade(struct lm_http_request *request, void *context)
{
    const struct lm_http_upgrade upgrade = {.protocol = "echo", .upgraded = on_upgraded, .context = context};
    lm_http_on_abandoned(request, on_upgrade_abandoned, context);
    lm_http_reply_header(request, "X-Made", "here");
    if (lm_http_upgrade(request, &upgrade) != 0)
        lm_http_reply(request, 503, NULL, NULL, 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct lm_error error;
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    f->answer = malloc(ANSWER_SIZE);
    f->metrics = lm_metrics_new();
    struct lm_http_options options = {
        .loop = &f->loop, .listen = "127.0.0.1:0", .metrics = f->metrics, .max_body_bytes = (size_t)8 << 20};
    if (lm_http_server_open(&options, &f->server, &error) != 0)
        return -1;
    f->port = (unsigned short)atoi(strrchr(lm_http_server_url(f->server), ':') + 1);
    const struct lm_http_route routes[] = {
        {.method = "POST", .path = "/echo", .max_body = (size_t)2 << 20, .handler = on_echo, .context = f},
        {.method = "POST", .path = "/small", .max_body = 10, .handler = on_echo, .context = f},
        {.method = "GET", .path = "/show", .handler = on_show, .context = f},
        {.method = "GET", .path = "/in/{name}", .handler = on_show, .context = f},
        {.method = "POST", .path = "/{index}/_bulk", .max_body = 10, .handler = on_show, .context = f},
        {.method = "GET", .path = "/big", .handler = on_big, .context = f},
        {.method = "GET", .path = "/later", .handler = on_later, .context = f},
        {.method = "GET", .path = "/stream", .handler = on_stream, .context = f},
        {.method = "GET", .path = "/upgrade", .handler = on_upgrade, .context = f},
        {.method = "POST", .path = "/later", .max_body = 100, .handler = on_later, .context = f},
    };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (lm_http_server_route(f->server, &routes[i]) != 0)
            return -1;
    }
    *state = f;
    alarm(100);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->closed == 0)
        lm_http_server_close(f->server, 100, on_closed, f);
    if (loop_end(&f->loop) != 0 || f->closed != 1)
        return -1;
    answer_waiting(f); /* to a server that is gone */
    lm_metrics_free(f->metrics);
    free(f->answer);
    free(f);
    return 0;
}

static int dial(struct fixture *f)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

static void say_bytes(struct fixture *f, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return; /* the server has had enough */
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
}

static void say(struct fixture *f, int fd, const char *text)
{
    say_bytes(f, fd, text, strlen(text));
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
        n++;
    return n;
}

/* Reads until `until` stands in the answer `times` times, or the connection ends. */
static const char *hear(struct fixture *f, int fd, const char *until, size_t times)
{
    f->answer_len = 0;
    f->answer_end = false;
    f->answer[0] = '\0';
    while (until == NULL || count_of(f->answer, until) < times) {
        turn(f);
        ssize_t n = recv(fd, f->answer + f->answer_len, ANSWER_SIZE - f->answer_len - 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            f->answer_end = true;
            return f->answer;
        }
        if (n > 0) {
            f->answer_len += (size_t)n;
            f->answer[f->answer_len] = '\0';
        }
    }
    return f->answer;
}

/* What comes within 100 turns of the loop. */
static void hear_briefly(struct fixture *f, int fd)
{
    f->answer_len = 0;
    f->answer[0] = '\0';
    for (int i = 0; i < 100; i++) {
        turn(f);
        ssize_t n = recv(fd, f->answer + f->answer_len, ANSWER_SIZE - f->answer_len - 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        f->answer_len += n > 0 ? (size_t)n : 0;
        f->answer[f->answer_len] = '\0';
    }
}

static const char *ask(struct fixture *f, const char *text, const char *until)
{
    int fd = dial(f);
    say(f, fd, text);
    hear(f, fd, until, 1);
    close(fd);
    return f->answer;
}

static void wait_for(struct fixture *f, const int *what, int value)
{
    while (*what < value)
        turn(f);
}

static bool readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

/* Until something, or the end, can be read; of what went wrong without memory nothing may come. */
static void wait_for_answer(struct fixture *f, int fd)
{
    for (int i = 0; i < 5 || (i < 200 && !readable(fd)); i++)
        turn(f);
}

/* ---- routing ---- */

static void a_get_is_answered_with_what_the_handler_saw(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /in/a%20b?q=x%2By+z&q=2 HTTP/1.1\r\nHost: h\r\nX-THING: 1\r\n\r\n", "peer=127.0.0.1");
    assert_non_null(strstr(f->answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(f->answer, "GET /in/a b segment=a b x-thing=1 q=x+y z peer=127.0.0.1"));
    assert_non_null(strstr(f->answer, "X-Made: here\r\n"));
    assert_null(strstr(f->answer, "X-Broken"));
}

static void head_is_get_without_the_body(void **state)
{
    struct fixture *f = *state;
    ask(f, "HEAD /show HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "Content-Length: "));
    assert_string_equal(strstr(f->answer, "\r\n\r\n"), "\r\n\r\n");
}

static void an_unknown_path_is_404_in_json(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "}}");
    assert_non_null(strstr(f->answer, "HTTP/1.1 404"));
    assert_non_null(strstr(f->answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(f->answer, "{\"error\":{\"code\":\"not_found\",\"message\":\""));
    assert_non_null(strstr(f->answer, ",\"hint\":\"\",\"suggestions\":[]}}"));
    assert_non_null(strstr(f->answer, "Cache-Control: no-store\r\n"));
    static const char *const others[] = {"/in/",   "/in/a/b",   "/in/a%2Fb", "/Show",
                                         "/show/", "/x/_bulky", "//_bulk"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", others[i]);
        ask(f, text, "}}");
        assert_non_null(strstr(f->answer, "HTTP/1.1 404"));
    }
    assert_int_equal(f->handled, 0);
}

static void a_nul_in_the_path_does_not_cut_it(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /show%00x HTTP/1.1\r\nHost: h\r\n\r\n", "}}");
    assert_non_null(strstr(f->answer, "HTTP/1.1 404"));
}

static void a_segment_in_the_middle_is_found(void **state)
{
    struct fixture *f = *state;
    ask(f, "POST /logs-2026/_bulk HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", "peer=");
    assert_non_null(strstr(f->answer, "segment=logs-2026 "));
}

static void a_wrong_method_is_405_with_allow(void **state)
{
    struct fixture *f = *state;
    ask(f, "DELETE /later HTTP/1.1\r\nHost: h\r\n\r\n", "}}");
    assert_non_null(strstr(f->answer, "HTTP/1.1 405"));
    assert_non_null(strstr(f->answer, "Allow: GET, HEAD, POST\r\n"));
}

static void requests_are_counted_by_route_and_status(void **state)
{
    struct fixture *f = *state;
    ask(f, "GET /in/one HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    ask(f, "GET /in/two HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    ask(f, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "}}");
    struct lm_buffer text;
    lm_buffer_init(&text, 1 << 20);
    lm_metrics_write(f->metrics, &text);
    const char *written = lm_buffer_text(&text);
    assert_non_null(written);
    assert_non_null(strstr(written, "logmill_http_requests_total{route=\"/in/{name}\",status=\"200\"} 2"));
    assert_non_null(strstr(written, "logmill_http_requests_total{route=\"(none)\",status=\"404\"} 1"));
    assert_non_null(strstr(written, "logmill_http_request_seconds_count{route=\"/in/{name}\"} 2"));
    lm_buffer_free(&text);
}

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

/* ---- replies ---- */

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

/* ---- streams ---- */

static void write_stream(struct fixture *f, const char *text)
{
    assert_int_equal(lm_http_stream_write(f->stream, text, strlen(text)), 0);
}

static void end_stream(struct fixture *f, bool complete)
{
    struct lm_http_request *request = f->stream;
    f->stream = NULL;
    lm_http_stream_end(request, complete);
}

static int open_stream(struct fixture *f)
{
    int fd = dial(f), before = f->streams;
    say(f, fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &f->streams, before + 1);
    return fd;
}

static void a_stream_arrives_piece_by_piece_and_the_connection_goes_on(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    hear(f, fd, "\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(f->answer, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(f->answer, "X-Made: here\r\n"));
    for (int i = 0; i < 5; i++) {
        write_stream(f, "tick\n");
        assert_int_equal(lm_http_stream_unsent(f->stream), 5);
        hear(f, fd, "tick\n", 1);
        assert_int_equal(lm_http_stream_unsent(f->stream), 0);
    }
    write_stream(f, "last");
    end_stream(f, true);
    hear(f, fd, "0\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "last"));
    say(f, fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(f, fd, "peer=", 1);
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void a_flood_waits_for_a_slow_reader_and_stays_in_its_bound(void **state)
{
    struct fixture *f = *state;
    f->to_write = (size_t)40 << 20;
    f->to_write -= f->to_write % 1000;
    int fd = open_stream(f);
    size_t held_back = 0;
    for (int still = 0; still < 100; still++) { /* the kernel's buffers are full then */
        turn(f);
        still = f->written > held_back ? 0 : still;
        held_back = f->written;
    }
    assert_true(held_back < f->to_write);
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
    assert_int_equal(total, f->to_write);
    assert_true(f->drains > 10);
    assert_true(f->most_unsent <= STREAM_BOUND);
    close(fd);
}

static void a_stream_takes_nothing_beyond_its_bound(void **state)
{
    struct fixture *f = *state;
    static char half[STREAM_BOUND / 2];
    int fd = open_stream(f);
    memset(half, '~', sizeof(half));
    assert_int_equal(lm_http_stream_write(f->stream, half, sizeof(half) - 1), 0);
    assert_int_equal(lm_http_stream_write(f->stream, half, 1), 1);
    assert_int_equal(lm_http_stream_write(f->stream, half, sizeof(half)), 1);
    assert_int_equal(lm_http_stream_write(f->stream, half, 1), -1);
    assert_int_equal(lm_http_stream_unsent(f->stream), STREAM_BOUND);
    wait_for(f, &f->drains, 0);
    write_stream(f, "more");
    hear(f, fd, "more", 1);
    end_stream(f, true);
    close(fd);
}

static void a_client_that_leaves_a_quiet_stream_abandons_it(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        int fd = open_stream(f);
        write_stream(f, "hello\n");
        hear(f, fd, "hello", 1);
        close(fd);
        wait_for(f, &f->abandoned, i + 1);
        assert_null(f->stream);
    }
}

static void a_client_that_leaves_a_flood_abandons_it(void **state)
{
    struct fixture *f = *state;
    f->to_write = SIZE_MAX;
    for (int i = 0; i < 5; i++) {
        int fd = open_stream(f);
        for (int j = 0; j < 20; j++)
            turn(f);
        close(fd);
        wait_for(f, &f->abandoned, i + 1);
        f->written = 0;
    }
}

static void a_stream_broken_off_is_no_whole_answer(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    write_stream(f, "part");
    hear(f, fd, "part", 1);
    end_stream(f, false);
    hear(f, fd, NULL, 0);
    assert_true(f->answer_end);
    assert_null(strstr(f->answer, "0\r\n\r\n"));
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void a_stream_for_head_is_abandoned_behind_its_headers(void **state)
{
    struct fixture *f = *state;
    ask(f, "HEAD /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_string_equal(strstr(f->answer, "\r\n\r\n"), "\r\n\r\n");
    wait_for(f, &f->abandoned, 1);
}

static void a_stream_to_http_1_0_ends_with_its_connection(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET /stream HTTP/1.0\r\n\r\n");
    wait_for(f, &f->streams, 1);
    write_stream(f, "all of it");
    end_stream(f, true);
    hear(f, fd, NULL, 0);
    assert_null(strstr(f->answer, "chunked"));
    assert_non_null(strstr(f->answer, "\r\n\r\nall of it"));
    close(fd);
}

static void close_waits_for_a_stream_and_ends_it_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    int quiet = open_stream(f);
    struct lm_http_request *first = f->stream;
    write_stream(f, "so far");
    hear(f, quiet, "so far", 1);
    int fd = open_stream(f);
    lm_http_server_close(f->server, 30000, on_closed, f);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->closed, 0);
    write_stream(f, "the rest");
    end_stream(f, true);
    hear(f, fd, "0\r\n\r\n", 1);
    f->stream = first;
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
    struct fixture *f = *state;
    f->to_write = SIZE_MAX;
    int fd = open_stream(f);
    for (int i = 0; i < 50; i++)
        turn(f);
    lm_http_server_close(f->server, 20, on_closed, f);
    wait_for(f, &f->closed, 1);
    assert_int_equal(f->abandoned, 1);
    close(fd);
}

static void a_stream_opened_as_the_deadline_strikes_is_abandoned(void **state)
{
    struct fixture *f = *state;
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
    struct fixture *f = *state;
    const struct lm_http_options options = {.loop = &f->loop, .listen = "127.0.0.1:0", .idle_timeout_s = 1};
    const struct lm_http_route route = {
        .method = "GET", .path = "/stream", .handler = on_stream, .context = f};
    const unsigned short port = f->port;
    struct lm_http_server *server = NULL;
    struct lm_error error;
    assert_int_equal(lm_http_server_open(&options, &server, &error), 0);
    assert_int_equal(lm_http_server_route(server, &route), 0);
    f->port = (unsigned short)atoi(strrchr(lm_http_server_url(server), ':') + 1);
    int fd = open_stream(f), idle = dial(f);
    hear(f, idle, NULL, 0); /* a connection without a request is closed after that second */
    write_stream(f, "still here");
    end_stream(f, true);
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
    struct fixture *f = *state;
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        int fd = dial(f), before = f->streams;
        failing_alloc_after(n);
        say(f, fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        wait_for_answer(f, fd);
        if (f->streams > before && f->stream != NULL) {
            assert_int_not_equal(lm_http_stream_write(f->stream, "tick", 4), 1);
            for (int i = 0; i < 5; i++)
                turn(f);
            if (f->stream != NULL)
                end_stream(f, true);
        }
        for (int i = 0; i < 5; i++)
            turn(f);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        close(fd);
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    }
}

/* ---- upgrades ---- */

static int open_upgrade(struct fixture *f, const char *early)
{
    char text[256];
    int fd = dial(f), before = f->upgrades;
    snprintf(text, sizeof(text),
             "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n%s", early);
    say(f, fd, text);
    wait_for(f, &f->upgrades, before + 1);
    return fd;
}

static void an_upgraded_connection_is_its_owners(void **state)
{
    struct fixture *f = *state;
    char heard[16];
    int fd = open_upgrade(f, "first words");
    assert_string_equal(f->early, "first words");
    hear(f, fd, "\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 101 "));
    assert_non_null(strstr(f->answer, "Upgrade: echo\r\n"));
    assert_non_null(strstr(f->answer, "X-Made: here\r\n"));
    assert_int_equal(recv(f->upgraded_fd, heard, sizeof(heard), 0), -1);
    assert_int_equal(errno, EAGAIN);
    say(f, fd, "to you");
    while (!readable(f->upgraded_fd))
        turn(f);
    assert_int_equal(recv(f->upgraded_fd, heard, sizeof(heard), 0), 6);
    assert_int_equal(send(f->upgraded_fd, "to me", 5, 0), 5);
    hear(f, fd, "to me", 1);
    lm_http_upgrade_end(f->upgraded);
    hear(f, fd, NULL, 0);
    assert_true(f->answer_end);
    assert_int_equal(f->abandoned, 0);
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    close(fd);
}

static void an_upgrade_may_end_as_it_begins(void **state)
{
    struct fixture *f = *state;
    f->end_at_once = true;
    int fd = open_upgrade(f, "");
    hear(f, fd, NULL, 0);
    assert_non_null(strstr(f->answer, "HTTP/1.1 101 "));
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void an_upgrade_of_http_1_0_is_abandoned(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET /upgrade HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    hear(f, fd, NULL, 0);
    assert_null(strstr(f->answer, "101"));
    assert_int_equal(f->upgrades, 0);
    assert_int_equal(f->abandoned, 1);
    close(fd);
}

static void close_waits_for_an_upgraded_connection_and_ends_it_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    int first = open_upgrade(f, "");
    struct lm_http_request *ended = f->upgraded;
    int second = open_upgrade(f, "");
    lm_http_server_close(f->server, 30000, on_closed, f);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->closed, 0);
    lm_http_upgrade_end(ended);
    lm_http_server_close(f->server, 20, NULL, NULL);
    wait_for(f, &f->closed, 1);
    assert_int_equal(f->abandoned, 1);
    close(first);
    close(second);
}

static void an_upgrade_without_memory_is_refused_or_dropped(void **state)
{
    struct fixture *f = *state;
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        int fd = dial(f);
        failing_alloc_after(n);
        say(f, fd, "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        wait_for_answer(f, fd);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        if (f->upgraded != NULL)
            lm_http_upgrade_end(f->upgraded);
        f->upgraded = NULL;
        close(fd);
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    }
    assert_true(f->upgrades > 0);
}

/* ---- closing ---- */

static void close_waits_for_requests_under_way(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), idle = dial(f);
    say(f, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &f->handled, 1);
    lm_http_server_close(f->server, 30000, on_closed, f);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->closed, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), -1);
    close(late);
    answer_waiting(f);
    hear(f, fd, NULL, 0);
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "Connection: close"));
    wait_for(f, &f->closed, 1);
    close(fd);
    close(idle);
}

static void close_gives_up_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    int fds[4];
    f->listen_for_abandoned = true;
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(f);
        say(f, fds[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    wait_for(f, &f->handled, 2);
    f->listen_for_abandoned = false;
    fds[3] = dial(f);
    say(f, fds[3], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    wait_for(f, &f->handled, 3);
    int listened = f->abandoned;
    lm_http_server_close(f->server, 50, on_closed, f);
    wait_for(f, &f->closed, 1);
    assert_true(f->abandoned >= listened + 2);
    for (int i = 0; i < 4; i++) {
        hear(f, fds[i], NULL, 0);
        assert_int_equal(f->answer_len, 0);
        close(fds[i]);
    }
}

static void close_from_inside_a_handler_still_answers(void **state)
{
    struct fixture *f = *state;
    f->close_in_handler = true;
    ask(f, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nadieu", NULL);
    assert_non_null(strstr(f->answer, "adieu"));
    wait_for(f, &f->closed, 1);
}

/* ---- listening ---- */

static void an_address_in_use_is_fatal_and_named(void **state)
{
    struct fixture *f = *state;
    char address[64];
    struct lm_http_server *second = NULL;
    struct lm_error error;
    snprintf(address, sizeof(address), "127.0.0.1:%u", f->port);
    struct lm_http_options options = {.loop = &f->loop, .listen = address};
    assert_int_equal(lm_http_server_open(&options, &second, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_non_null(strstr(error.text, address));
    assert_non_null(strstr(error.text, "in use"));
}

static void wrong_addresses_are_fatal(void **state)
{
    static const char *const wrong[] = {
        "",       "8000",    "localhost", "localhost:",     "1.2.3.4:99999",
        "::1:80", "[::1:80", "[::1]",     "127.0.0.1:http", "no.such.host.invalid:0"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct lm_http_server *server = NULL;
        struct lm_error error;
        struct lm_http_options options = {.loop = &f->loop, .listen = wrong[i]};
        assert_int_equal(lm_http_server_open(&options, &server, &error), -1);
        assert_int_equal(error.decision, LM_FATAL);
    }
}

static void every_form_of_address_is_listened_on(void **state)
{
    static const struct {
        const char *listen, *url;
    } forms[] = {
        {"127.0.0.1:0", "http://127.0.0.1:"}, {":0", "http://localhost:"}, {"[::1]:0", "http://[::1]:"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct lm_http_server *server = NULL;
        struct lm_error error;
        int closed = f->closed;
        struct lm_http_options options = {.loop = &f->loop, .listen = forms[i].listen};
        if (lm_http_server_open(&options, &server, &error) != 0) {
            if (strstr(error.text, "ddress") != NULL && strchr(forms[i].listen, '[') != NULL)
                continue; /* no IPv6 here */
            fail_msg("%s", error.text);
        }
        assert_int_equal(strncmp(lm_http_server_url(server), forms[i].url, strlen(forms[i].url)), 0);
        lm_http_server_close(server, 100, on_closed, f);
        wait_for(f, &f->closed, closed + 1);
        f->closed = closed;
    }
}

/* ---- out of memory ---- */

static void a_server_without_memory_is_not_opened(void **state)
{
    struct fixture *f = *state;
    const struct lm_http_route route = {.method = "GET", .path = "/{name}", .handler = on_show, .context = f};
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        struct lm_http_server *server = NULL;
        struct lm_error error;
        struct lm_http_options options = {.loop = &f->loop, .listen = "127.0.0.1:0"};
        failing_alloc_after(n);
        int opened = lm_http_server_open(&options, &server, &error);
        int routed = opened == 0 ? lm_http_server_route(server, &route) : -1;
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        assert_int_equal(routed, struck ? -1 : 0);
        if (opened == 0) {
            int closed = f->closed;
            lm_http_server_close(server, 100, on_closed, f);
            wait_for(f, &f->closed, closed + 1);
            f->closed = closed;
        }
    }
}

static void a_request_without_memory_is_dropped_and_the_next_one_served(void **state)
{
    struct fixture *f = *state;
    static char request[4096];
    int head =
        snprintf(request, sizeof(request),
                 "POST /echo HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nContent-Length: 2000\r\n\r\n");
    memset(request + head, 'b', 2000);
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        int fd = dial(f), later = dial(f);
        failing_alloc_after(n);
        say_bytes(f, fd, request, (size_t)head + 2000);
        say(f, later, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        wait_for_answer(f, fd);
        answer_waiting(f);
        wait_for_answer(f, later);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        close(fd);
        close(later);
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    }
}

/* ---- curl ---- */

static void on_exit_child(uv_process_t *process, int64_t status, int signal)
{
    struct fixture *f = process->data;
    f->child_exits++;
    f->child_status = signal != 0 ? -1 : status;
    uv_close((uv_handle_t *)process, NULL);
}

static const char *curl(struct fixture *f, char **arguments)
{
    char path[] = "/tmp/test_http_server.XXXXXX";
    int out = mkstemp(path);
    uv_process_t process = {.data = f};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = out}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .exit_cb = on_exit_child, .file = "curl", .args = arguments, .stdio_count = 3, .stdio = stdio};
    int before = f->child_exits;
    assert_int_equal(uv_spawn(&f->loop, &process, &options), 0);
    wait_for(f, &f->child_exits, before + 1);
    turn(f);
    ssize_t n = pread(out, f->answer, ANSWER_SIZE - 1, 0);
    f->answer[n > 0 ? n : 0] = '\0';
    f->answer_len = n > 0 ? (size_t)n : 0;
    close(out);
    unlink(path);
    return f->answer;
}

static void curl_gets_posts_and_uploads(void **state)
{
    struct fixture *f = *state;
    char url[128], file[] = "/tmp/test_http_body.XXXXXX";
    int fd = mkstemp(file);
    for (int i = 0; i < 300000; i++)
        assert_int_equal(write(fd, "12345", 5), 5);
    char at[64];
    snprintf(at, sizeof(at), "@%s", file);

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/big", f->port);
    curl(f, (char *[]){"curl", "-sS", "--compressed", url, NULL});
    assert_int_equal(f->answer_len, 1 << 20);

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", f->port);
    /* 1.5 MB: curl sends Expect: 100-continue by itself */
    curl(f, (char *[]){"curl", "-sS", "--data-binary", at, url, NULL});
    assert_int_equal(f->answer_len, 1500000);
    assert_int_equal(f->child_status, 0);
    curl(f, (char *[]){"curl", "-sS", "-H", "Transfer-Encoding: chunked", "--data-binary", at, url, NULL});
    assert_int_equal(f->answer_len, 1500000);

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/small", f->port);
    curl(f, (char *[]){"curl", "-sS", "-H", "Expect:", "-w", "%{http_code}", "--data-binary", at, url, NULL});
    assert_non_null(strstr(f->answer, "413"));
    assert_int_equal(f->child_status, 0);
    curl(f, (char *[]){"curl", "-sS", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "-w",
                       "%{http_code}", "--data-binary", at, url, NULL});
    assert_non_null(strstr(f->answer, "413"));
    close(fd);
    unlink(file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_get_is_answered_with_what_the_handler_saw),
        TEST(head_is_get_without_the_body),
        TEST(an_unknown_path_is_404_in_json),
        TEST(a_nul_in_the_path_does_not_cut_it),
        TEST(a_segment_in_the_middle_is_found),
        TEST(a_wrong_method_is_405_with_allow),
        TEST(requests_are_counted_by_route_and_status),
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
        TEST(a_big_reply_is_compressed_where_that_is_accepted),
        TEST(a_big_reply_is_zstd_where_that_is_accepted),
        TEST(a_big_reply_is_plain_where_gzip_is_not_accepted),
        TEST(a_slow_reader_gets_everything_and_blocks_nobody),
        TEST(keep_alive_serves_many_requests_on_one_connection),
        TEST(two_hundred_requests_wait_and_are_answered),
        TEST(a_request_behind_a_waiting_one_waits_its_turn),
        TEST(a_client_that_hangs_up_abandons_its_request),
        TEST(a_reply_to_a_client_that_has_gone_is_dropped),
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
        TEST(an_upgraded_connection_is_its_owners),
        TEST(an_upgrade_may_end_as_it_begins),
        TEST(an_upgrade_of_http_1_0_is_abandoned),
        TEST(close_waits_for_an_upgraded_connection_and_ends_it_at_the_deadline),
        TEST(an_upgrade_without_memory_is_refused_or_dropped),
        TEST(close_waits_for_requests_under_way),
        TEST(close_gives_up_at_the_deadline),
        TEST(close_from_inside_a_handler_still_answers),
        TEST(an_address_in_use_is_fatal_and_named),
        TEST(wrong_addresses_are_fatal),
        TEST(every_form_of_address_is_listened_on),
        TEST(a_server_without_memory_is_not_opened),
        TEST(a_request_without_memory_is_dropped_and_the_next_one_served),
        TEST(curl_gets_posts_and_uploads),
    };
    lm_log_open("test_http_server", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL) == 0 ? 0 : 1;
}
