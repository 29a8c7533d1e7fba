/*
 * The HTTP server as a whole: routes, closing, addresses, its opening and a request without memory, and the
 * real curl as a child of the loop.
 */
#include "common/http/http_server.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

struct child {
    int exits;
    int64_t status; /* -1: ended by a signal */
};

static void on_exit_child(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    child->exits++;
    child->status = signal != 0 ? -1 : status;
    uv_close((uv_handle_t *)process, NULL);
}

/* Its exit status, -1 for a signal; what it wrote, which may be more than a pipe holds, is the fixture's
 * answer. */
static int64_t curl(struct fixture *f, char **arguments)
{
    char path[] = "/tmp/test_http_server.XXXXXX";
    int out = mkstemp(path);
    struct child child = {.exits = 0};
    uv_process_t process = {.data = &child};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = out}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .exit_cb = on_exit_child, .file = "curl", .args = arguments, .stdio_count = 3, .stdio = stdio};
    assert_int_equal(uv_spawn(&f->loop, &process, &options), 0);
    wait_for(f, &child.exits, 1);
    turn(f);
    ssize_t n = pread(out, f->answer, FIXTURE_ANSWER - 1, 0);
    f->answer[n > 0 ? n : 0] = '\0';
    f->answer_len = n > 0 ? (size_t)n : 0;
    close(out);
    unlink(path);
    return child.status;
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
    int64_t status = curl(f, (char *[]){"curl", "-sS", "--data-binary", at, url, NULL});
    assert_int_equal(f->answer_len, 1500000);
    assert_int_equal(status, 0);
    curl(f, (char *[]){"curl", "-sS", "-H", "Transfer-Encoding: chunked", "--data-binary", at, url, NULL});
    assert_int_equal(f->answer_len, 1500000);

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/small", f->port);
    status = curl(
        f, (char *[]){"curl", "-sS", "-H", "Expect:", "-w", "%{http_code}", "--data-binary", at, url, NULL});
    assert_non_null(strstr(f->answer, "413"));
    assert_int_equal(status, 0);
    curl(f, (char *[]){"curl", "-sS", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "-w",
                       "%{http_code}", "--data-binary", at, url, NULL});
    assert_non_null(strstr(f->answer, "413"));
    close(fd);
    unlink(file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

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
