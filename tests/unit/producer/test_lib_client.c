/* The client library as an application sees it: several threads logging, deadlines, a fork; against
 * librdkafka's mock cluster, or nothing at all. */
#include "producer/lib/logmill.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define EACH 500

static const char *const mock[] = {"test.mock.num.brokers", "1", "log_level", "0", NULL};
static const char *const quiet[] = {"log_level", "0", NULL};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct logmill *open_client(const struct logmill_options *options)
{
    struct logmill *client;
    char why[256];

    if (logmill_open(options, &client, why, sizeof(why)) != LOGMILL_OK) {
        fail_msg("%s", why);
    }
    return client;
}

static void *log_many(void *argument)
{
    struct logmill *client = argument;
    struct logmill_field fields[] = {logmill_text("component", "test"), logmill_integer("n", 0)};
    uintptr_t accepted = 0;

    for (int i = 0; i < EACH; i++) {
        fields[1].value.integer = i;
        accepted += logmill_log(client, LOGMILL_INFO, "a line of a thread", fields, 2) == LOGMILL_OK;
        if (i % 100 == 0) {
            struct logmill_stats stats;
            logmill_get_stats(client, &stats);
        }
    }
    return (void *)accepted;
}

static void what_several_threads_log_is_delivered_to_the_last_record(void **state)
{
    struct logmill *client = open_client(&(struct logmill_options){.service = "test", .kafka = mock});
    struct logmill_stats stats;
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, client), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *accepted;
        assert_int_equal(pthread_join(threads[i], &accepted), 0);
        assert_int_equal((uintptr_t)accepted, EACH);
    }
    assert_int_equal(logmill_flush(client, 30000), LOGMILL_OK);
    logmill_get_stats(client, &stats);
    assert_int_equal(stats.accepted, THREADS * EACH);
    assert_int_equal(stats.delivered, THREADS * EACH);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(logmill_close(client, 60000), LOGMILL_OK);
}

static void closing_delivers_what_nobody_flushed(void **state)
{
    struct logmill *client = open_client(&(struct logmill_options){.kafka = mock});
    int64_t begin = now_ms();

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(logmill_log(client, LOGMILL_INFO, "unflushed", NULL, 0), LOGMILL_OK);
    }
    assert_int_equal(logmill_close(client, 60000), LOGMILL_OK);
    assert_true(now_ms() - begin < 30000);
}

static void without_a_broker_logging_fills_the_queue_and_no_call_waits_beyond_its_deadline(void **state)
{
    struct logmill *client =
        open_client(&(struct logmill_options){.brokers = "127.0.0.1:1", .queue_records = 10, .kafka = quiet});
    struct logmill_stats stats;
    int64_t begin = now_ms();

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(logmill_log(client, LOGMILL_ERROR, "queued", NULL, 0), LOGMILL_OK);
    }
    assert_int_equal(logmill_log(client, LOGMILL_ERROR, "dropped", NULL, 0), LOGMILL_FULL);
    assert_int_equal(logmill_flush(client, 200), LOGMILL_TIMEOUT);
    logmill_get_stats(client, &stats);
    assert_int_equal(stats.accepted, 10);
    assert_int_equal(stats.pending, 10);
    assert_int_equal(stats.dropped, 1);
    assert_int_equal(logmill_close(client, 200), LOGMILL_TIMEOUT);
    assert_true(now_ms() - begin < 20000);
}

static void a_record_over_the_limit_is_refused_at_once(void **state)
{
    struct logmill *client = open_client(&(struct logmill_options){.kafka = mock});
    char *message = malloc(1100001);

    (void)state;
    assert_non_null(message);
    memset(message, 'x', 1100000);
    message[1100000] = '\0';
    assert_int_equal(logmill_log(client, LOGMILL_INFO, message, NULL, 0), LOGMILL_INVALID);
    message[900000] = '\0';
    assert_int_equal(logmill_log(client, LOGMILL_INFO, message, NULL, 0), LOGMILL_OK);
    assert_int_equal(logmill_log(client, LOGMILL_INFO, "", NULL, 0), LOGMILL_INVALID);
    assert_int_equal(logmill_log(client, LOGMILL_INFO, "\xff", NULL, 0), LOGMILL_INVALID);
    assert_int_equal(logmill_flush(client, 30000), LOGMILL_OK);
    assert_int_equal(logmill_close(client, 60000), LOGMILL_OK);
    free(message);
}

static void a_forked_child_may_not_use_its_parents_client(void **state)
{
    struct logmill *client = open_client(&(struct logmill_options){.kafka = mock});
    int status = 0;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct logmill_stats stats;
        bool refused = logmill_log(client, LOGMILL_INFO, "child", NULL, 0) == LOGMILL_CLOSED &&
                       logmill_flush(client, 10) == LOGMILL_CLOSED &&
                       logmill_close(client, 10) == LOGMILL_CLOSED;
        logmill_get_stats(client, &stats);
        _exit(refused && stats.accepted == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(logmill_close(client, 60000), LOGMILL_OK);
}

static void options_that_cannot_be_are_said_in_a_sentence(void **state)
{
    static const char *const odd[] = {"linger.ms", NULL}, *const unknown[] = {"lingering", "5", NULL};
    static const char *const fixed[] = {"acks", "1", NULL};
    static const char *const *const all[] = {odd, unknown, fixed};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct logmill *client;
        char why[256] = "";

        assert_int_equal(logmill_open(&(struct logmill_options){.kafka = all[i]}, &client, why, sizeof(why)),
                         LOGMILL_FAILED);
        assert_null(client);
        assert_true(strlen(why) > 10);
    }
    assert_int_equal(logmill_close(NULL, 0), LOGMILL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_several_threads_log_is_delivered_to_the_last_record),
        cmocka_unit_test(closing_delivers_what_nobody_flushed),
        cmocka_unit_test(without_a_broker_logging_fills_the_queue_and_no_call_waits_beyond_its_deadline),
        cmocka_unit_test(a_record_over_the_limit_is_refused_at_once),
        cmocka_unit_test(a_forked_child_may_not_use_its_parents_client),
        cmocka_unit_test(options_that_cannot_be_are_said_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
