/* The three admin routes over a real socket. */
#include "common/http/admin.h"

#include "common/log.h"

#include "tests/unit/common/loop_end.h"

#include <arpa/inet.h>
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

struct fixture {
    uv_loop_t loop;
    struct lm_http_server *server;
    struct lm_metrics *metrics;
    struct lm_admin *admin;
    char answer[65536];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct lm_error error;
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    f->metrics = lm_metrics_new();
    struct lm_http_options options = {.loop = &f->loop, .listen = "127.0.0.1:0", .metrics = f->metrics};
    if (lm_http_server_open(&options, &f->server, &error) != 0 ||
        lm_admin_open(f->server, f->metrics, &f->admin, &error) != 0)
        return -1;
    *state = f;
    alarm(100);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lm_http_server_close(f->server, 100, NULL, NULL);
    if (loop_end(&f->loop) != 0)
        return -1;
    lm_admin_free(f->admin);
    lm_metrics_free(f->metrics);
    free(f);
    return 0;
}

static const char *get(struct fixture *f, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)atoi(strrchr(lm_http_server_url(f->server), ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[256];
    size_t used = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(send(fd, text, (size_t)len, 0), len);
    for (;;) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, f->answer + used, sizeof(f->answer) - used - 1, MSG_DONTWAIT);
        if (n == 0)
            break;
        used += n > 0 ? (size_t)n : 0;
        poll(NULL, 0, 1);
    }
    f->answer[used] = '\0';
    close(fd);
    return f->answer;
}

static void healthz_is_200_whatever_the_conditions(void **state)
{
    struct fixture *f = *state;
    assert_non_null(lm_admin_condition(f->admin, "postgres"));
    get(f, "/healthz");
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "{\"status\":\"ok\"}"));
}

static void readyz_without_conditions_is_ready(void **state)
{
    struct fixture *f = *state;
    assert_true(lm_admin_ready(f->admin));
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "{\"status\":\"ready\",\"unmet\":[]}"));
}

static void readyz_names_what_is_unmet_since_when_and_why(void **state)
{
    struct fixture *f = *state;
    struct lm_condition *postgres = lm_admin_condition(f->admin, "postgres");
    struct lm_condition *kafka = lm_admin_condition(f->admin, "kafka");
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "HTTP/1.1 503"));
    assert_non_null(strstr(f->answer, "{\"name\":\"postgres\",\"since\":\"20"));
    assert_non_null(strstr(f->answer, "\"reason\":\"starting\"}"));
    assert_non_null(strstr(f->answer, "\"name\":\"kafka\""));
    lm_condition_set(kafka, NULL);
    lm_condition_set(postgres, "the connection was refused; is \"PostgreSQL\" up?");
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "HTTP/1.1 503"));
    assert_non_null(strstr(f->answer, "is \\\"PostgreSQL\\\" up?"));
    assert_null(strstr(f->answer, "kafka"));
    assert_false(lm_admin_ready(f->admin));
    lm_condition_set(postgres, NULL);
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_true(lm_admin_ready(f->admin));
}

static void since_moves_only_when_a_condition_turns(void **state)
{
    struct fixture *f = *state;
    struct lm_condition *condition = lm_admin_condition(f->admin, "kafka");
    get(f, "/readyz");
    char first[64];
    snprintf(first, sizeof(first), "%.30s", strstr(f->answer, "\"since\":\"") + 9);
    lm_condition_set(condition, "still not there");
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "still not there"));
    assert_non_null(strstr(f->answer, first));
}

static void a_reason_too_long_is_cut(void **state)
{
    struct fixture *f = *state;
    struct lm_condition *condition = lm_admin_condition(f->admin, "kafka");
    char reason[4000];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    lm_condition_set(condition, reason);
    get(f, "/readyz");
    assert_non_null(strstr(f->answer, "rrrr\"}]}"));
}

static void metrics_are_prometheus_text(void **state)
{
    struct fixture *f = *state;
    lm_counter_add(lm_counter(f->metrics, "logmill_test_total", NULL, "For this test."), 3);
    get(f, "/healthz");
    get(f, "/metrics");
    assert_non_null(strstr(f->answer, "HTTP/1.1 200"));
    assert_non_null(strstr(f->answer, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(f->answer, "\nlogmill_test_total 3\n"));
    assert_non_null(strstr(f->answer, "logmill_http_requests_total{route=\"/healthz\",status=\"200\"} 1"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(healthz_is_200_whatever_the_conditions),
        TEST(readyz_without_conditions_is_ready),
        TEST(readyz_names_what_is_unmet_since_when_and_why),
        TEST(since_moves_only_when_a_condition_turns),
        TEST(a_reason_too_long_is_cut),
        TEST(metrics_are_prometheus_text),
    };
    lm_log_open("test_admin", LM_LOG_FATAL);
    return cmocka_run_group_tests_name("admin", tests, NULL, NULL) == 0 ? 0 : 1;
}
