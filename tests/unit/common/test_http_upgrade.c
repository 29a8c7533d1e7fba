/*
 * Connections given to another protocol: whose they are, how they end, and that closing waits for them.
 */
#include "common/http/http_server.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/http_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct upgrade_fixture {
    struct fixture fixture;
    struct lm_http_request *request; /* of /upgrade, until it is ended or abandoned */
    int fd, upgraded;
    bool end_at_once;
    char early[64];
};

static void on_upgrade_abandoned(struct lm_http_request *request, void *context)
{
    struct upgrade_fixture *u = context;
    (void)request;
    u->fixture.abandoned++;
    u->request = NULL;
}

static void on_upgraded(struct lm_http_request *request, int fd, const char *early, size_t len, void *context)
{
    struct upgrade_fixture *u = context;
    u->upgraded++;
    snprintf(u->early, sizeof(u->early), "%.*s", (int)len, early);
    if (u->end_at_once) {
        lm_http_upgrade_end(request);
        return;
    }
    u->request = request;
    u->fd = fd;
}

static void on_upgrade(struct lm_http_request *request, void *context)
{
    const struct lm_http_upgrade upgrade = {.protocol = "echo", .upgraded = on_upgraded, .context = context};
    lm_http_on_abandoned(request, on_upgrade_abandoned, context);
    lm_http_reply_header(request, "X-Made", "here");
    if (lm_http_upgrade(request, &upgrade) != 0)
        lm_http_reply(request, 503, NULL, NULL, 0);
}

static int open_fixture(void **state)
{
    struct upgrade_fixture *u = calloc(1, sizeof(*u));
    const struct lm_http_route route = {
        .method = "GET", .path = "/upgrade", .handler = on_upgrade, .context = u};
    *state = u;
    if (u == NULL || fixture_begin(&u->fixture) != 0)
        return -1;
    return lm_http_server_route(u->fixture.server, &route);
}

static int open_upgrade(struct upgrade_fixture *u, const char *early)
{
    struct fixture *f = &u->fixture;
    char text[256];
    int fd = dial(f), before = u->upgraded;
    snprintf(text, sizeof(text),
             "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n%s", early);
    say(f, fd, text);
    wait_for(f, &u->upgraded, before + 1);
    return fd;
}

static void an_upgraded_connection_is_its_owners(void **state)
{
    struct upgrade_fixture *u = *state;
    struct fixture *f = &u->fixture;
    char heard[16];
    int fd = open_upgrade(u, "first words");
    assert_string_equal(u->early, "first words");
    hear(f, fd, "\r\n\r\n", 1);
    assert_non_null(strstr(f->answer, "HTTP/1.1 101 "));
    assert_non_null(strstr(f->answer, "Upgrade: echo\r\n"));
    assert_non_null(strstr(f->answer, "X-Made: here\r\n"));
    assert_int_equal(recv(u->fd, heard, sizeof(heard), 0), -1);
    assert_int_equal(errno, EAGAIN);
    say(f, fd, "to you");
    while (!readable(u->fd))
        turn(f);
    assert_int_equal(recv(u->fd, heard, sizeof(heard), 0), 6);
    assert_int_equal(send(u->fd, "to me", 5, 0), 5);
    hear(f, fd, "to me", 1);
    lm_http_upgrade_end(u->request);
    hear(f, fd, NULL, 0);
    assert_true(f->answer_end);
    assert_int_equal(f->abandoned, 0);
    ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    close(fd);
}

static void an_upgrade_may_end_as_it_begins(void **state)
{
    struct upgrade_fixture *u = *state;
    struct fixture *f = &u->fixture;
    u->end_at_once = true;
    int fd = open_upgrade(u, "");
    hear(f, fd, NULL, 0);
    assert_non_null(strstr(f->answer, "HTTP/1.1 101 "));
    assert_int_equal(f->abandoned, 0);
    close(fd);
}

static void an_upgrade_of_http_1_0_is_abandoned(void **state)
{
    struct upgrade_fixture *u = *state;
    struct fixture *f = &u->fixture;
    int fd = dial(f);
    say(f, fd, "GET /upgrade HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    hear(f, fd, NULL, 0);
    assert_null(strstr(f->answer, "101"));
    assert_int_equal(u->upgraded, 0);
    assert_int_equal(f->abandoned, 1);
    close(fd);
}

static void close_waits_for_an_upgraded_connection_and_ends_it_at_the_deadline(void **state)
{
    struct upgrade_fixture *u = *state;
    struct fixture *f = &u->fixture;
    int first = open_upgrade(u, "");
    struct lm_http_request *ended = u->request;
    int second = open_upgrade(u, "");
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
    struct upgrade_fixture *u = *state;
    struct fixture *f = &u->fixture;
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        int fd = dial(f);
        failing_alloc_after(n);
        say(f, fd, "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        wait_for_answer(f, fd);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        if (u->request != NULL)
            lm_http_upgrade_end(u->request);
        u->request = NULL;
        close(fd);
        ask(f, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n", "peer=");
    }
    assert_true(u->upgraded > 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upgraded_connection_is_its_owners),
        TEST(an_upgrade_may_end_as_it_begins),
        TEST(an_upgrade_of_http_1_0_is_abandoned),
        TEST(close_waits_for_an_upgraded_connection_and_ends_it_at_the_deadline),
        TEST(an_upgrade_without_memory_is_refused_or_dropped),
    };
    lm_log_open("test_http_upgrade", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("http_upgrade", tests, NULL, NULL) == 0 ? 0 : 1;
}
