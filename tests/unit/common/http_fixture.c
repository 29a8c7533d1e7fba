#include "tests/unit/common/http_fixture.h"

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

#include <cmocka.h>

void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static void on_echo(struct lm_http_request *request, void *context)
{
    struct fixture *f = context;
    const char *body = lm_http_body(request, &f->last_body_len);
    f->handled++;
    if (f->close_in_handler)
        lm_http_server_close(f->server, 1000, on_closed, f);
    lm_http_reply(request, 200, "text/plain", body, f->last_body_len);
}

void on_show(struct lm_http_request *request, void *context)
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

void answer_waiting(struct fixture *f)
{
    while (f->waiting_count > 0)
        lm_http_reply(f->waiting[--f->waiting_count], 200, "text/plain", "late\n", 5);
}

int fixture_begin(struct fixture *f)
{
    struct lm_error error;
    f->answer = malloc(FIXTURE_ANSWER);
    f->metrics = lm_metrics_new();
    if (f->answer == NULL || f->metrics == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
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
        {.method = "POST", .path = "/later", .max_body = 100, .handler = on_later, .context = f},
    };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (lm_http_server_route(f->server, &routes[i]) != 0)
            return -1;
    }
    alarm(100);
    return 0;
}

int fixture_end(struct fixture *f)
{
    if (f->closed == 0)
        lm_http_server_close(f->server, 100, on_closed, f);
    if (loop_end(&f->loop) != 0 || f->closed != 1)
        return -1;
    answer_waiting(f); /* to a server that is gone */
    lm_metrics_free(f->metrics);
    free(f->answer);
    return 0;
}

int fixture_open(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL ? -1 : fixture_begin(*state);
}

int fixture_close(void **state)
{
    int left = fixture_end(*state);
    if (left == 0)
        free(*state);
    return left;
}

int dial(const struct fixture *f)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

void say_bytes(struct fixture *f, int fd, const char *bytes, size_t len)
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

void say(struct fixture *f, int fd, const char *text)
{
    say_bytes(f, fd, text, strlen(text));
}

size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
        n++;
    return n;
}

const char *hear(struct fixture *f, int fd, const char *until, size_t times)
{
    f->answer_len = 0;
    f->answer_end = false;
    f->answer[0] = '\0';
    while (until == NULL || count_of(f->answer, until) < times) {
        turn(f);
        ssize_t n = recv(fd, f->answer + f->answer_len, FIXTURE_ANSWER - f->answer_len - 1, MSG_DONTWAIT);
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

void hear_briefly(struct fixture *f, int fd)
{
    f->answer_len = 0;
    f->answer[0] = '\0';
    for (int i = 0; i < 100; i++) {
        turn(f);
        ssize_t n = recv(fd, f->answer + f->answer_len, FIXTURE_ANSWER - f->answer_len - 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        f->answer_len += n > 0 ? (size_t)n : 0;
        f->answer[f->answer_len] = '\0';
    }
}

const char *ask(struct fixture *f, const char *text, const char *until)
{
    int fd = dial(f);
    say(f, fd, text);
    hear(f, fd, until, 1);
    close(fd);
    return f->answer;
}

void wait_for(struct fixture *f, const int *what, int value)
{
    while (*what < value)
        turn(f);
}

bool readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

void wait_for_answer(struct fixture *f, int fd)
{
    for (int i = 0; i < 5 || (i < 200 && !readable(fd)); i++)
        turn(f);
}
