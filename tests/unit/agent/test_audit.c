/* The audit log without a server: its connection string and the bound of its queue. */
#include "agent/database/audit.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *part(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val;
        }
    }
    return NULL;
}

static void an_empty_url_means_the_readers_server_as_logmill_agent_without_its_password(void **state)
{
    (void)state;
    struct lm_error error;
    char *text = ag_audit_conninfo(
        "", "postgresql://logmill_reader:s%27e%5Ccret@db.example:5433/logs?sslmode=require", &error);
    assert_non_null(text);
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    assert_non_null(options);
    assert_string_equal(part(options, "user"), "logmill_agent");
    assert_string_equal(part(options, "host"), "db.example");
    assert_string_equal(part(options, "port"), "5433");
    assert_string_equal(part(options, "dbname"), "logs");
    assert_string_equal(part(options, "sslmode"), "require");
    assert_null(part(options, "password"));
    PQconninfoFree(options);
    free(text);
}

static void quotes_and_backslashes_of_the_url_stay_what_they_are(void **state)
{
    (void)state;
    struct lm_error error;
    char *text = ag_audit_conninfo("", "host=/tmp dbname='it\\'s \\\\ here'", &error);
    assert_non_null(text);
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    assert_non_null(options);
    assert_string_equal(part(options, "dbname"), "it's \\ here");
    PQconninfoFree(options);
    free(text);
}

static void a_url_of_its_own_is_taken_as_it_is_and_a_broken_one_is_said(void **state)
{
    (void)state;
    struct lm_error error;
    char *text = ag_audit_conninfo("host=elsewhere", "postgresql://x", &error);
    assert_string_equal(text, "host=elsewhere");
    free(text);
    assert_null(ag_audit_conninfo("", "postgresql://[", &error));
    assert_int_equal(error.decision, LM_FATAL);
}

static void count(void *context)
{
    (*(int *)context)++;
}

static void a_queue_that_is_full_says_so_and_takes_nothing_more(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct lm_error error;
    struct ag_audit *audit = NULL;
    int closed = 0;
    struct lm_metrics *metrics = lm_metrics_new();
    assert_int_equal(uv_loop_init(&loop), 0);
    /* Nobody listens there, and the loop does not run: nothing is written. */
    const struct ag_audit_options options = {
        .loop = &loop, .conninfo = "host=127.0.0.1 port=1", .metrics = metrics};
    assert_int_equal(ag_audit_open(&options, &audit, &error), 0);
    const struct ag_audit_row row = {
        .request_id = "r", .question = "q\x1b[0m\r\n\x7f", .question_len = 8, .verdict = "answered"};
    for (int i = 0; i < AG_AUDIT_MAX_ROWS; i++) {
        assert_false(ag_audit_full(audit));
        assert_true(ag_audit_add(audit, &row));
    }
    assert_true(ag_audit_full(audit));
    assert_false(ag_audit_add(audit, &row));
    ag_audit_close(audit, 0, count, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
    lm_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_url_means_the_readers_server_as_logmill_agent_without_its_password),
        cmocka_unit_test(quotes_and_backslashes_of_the_url_stay_what_they_are),
        cmocka_unit_test(a_url_of_its_own_is_taken_as_it_is_and_a_broken_one_is_said),
        cmocka_unit_test(a_queue_that_is_full_says_so_and_takes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
