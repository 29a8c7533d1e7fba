#include "common/log.h"
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The exposition, freed by the caller. */
static char *written(struct lm_metrics *metrics)
{
    struct lm_buffer out;
    lm_buffer_init(&out, 64 << 20);
    lm_metrics_write(metrics, &out);
    char *text = lm_buffer_detach(&out, NULL);
    assert_non_null(text);
    return text;
}

static void assert_holds(struct lm_metrics *metrics, const char *part)
{
    char *text = written(metrics);
    if (strstr(text, part) == NULL)
        fail_msg("%s\nis not in\n%s", part, text);
    free(text);
}

static double value_of(const char *text, const char *name)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *p = strstr(text, line);
    assert_non_null(p);
    return strtod(p + strlen(line), NULL);
}

static void counters_and_gauges_are_written_with_help_and_type(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    struct lm_counter *counter = lm_counter(metrics, "rows_total", NULL, "Rows stored.");
    struct lm_gauge *gauge = lm_gauge(metrics, "lag_seconds", "topic=\"logs.raw\"", "Lag.");
    lm_counter_add(counter, 3);
    lm_counter_add(counter, 4);
    lm_gauge_set(gauge, 1);
    lm_gauge_set(gauge, 0.1);
    assert_int_equal(lm_counter_get(counter), 7);
    assert_true(lm_gauge_get(gauge) == 0.1);
    assert_holds(metrics,
                 "\n# HELP rows_total Rows stored.\n# TYPE rows_total counter\nrows_total 7\n"
                 "# HELP lag_seconds Lag.\n# TYPE lag_seconds gauge\nlag_seconds{topic=\"logs.raw\"} 0.1\n");
    lm_metrics_free(metrics);
}

static void series_are_grouped_by_name_with_one_head(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    lm_counter_add(lm_counter(metrics, "a_total", "k=\"1\"", "A."), 1);
    lm_counter_add(lm_counter(metrics, "b_total", NULL, "B."), 2);
    lm_counter_add(lm_counter(metrics, "a_total", "k=\"2\"", "Another help."), 3);
    assert_holds(metrics,
                 "# HELP a_total A.\n# TYPE a_total counter\na_total{k=\"1\"} 1\na_total{k=\"2\"} 3\n"
                 "# HELP b_total B.\n# TYPE b_total counter\nb_total 2\n");
    lm_metrics_free(metrics);
}

static void the_same_name_and_labels_give_the_same_metric(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    static const double bounds[] = {1, 2};
    assert_ptr_equal(lm_counter(metrics, "a_total", NULL, "A."), lm_counter(metrics, "a_total", "", "A."));
    assert_ptr_not_equal(lm_counter(metrics, "a_total", "k=\"1\"", "A."),
                         lm_counter(metrics, "a_total", NULL, "A."));
    assert_ptr_equal(lm_histogram(metrics, "h", "k=\"1\"", "H.", bounds, 2),
                     lm_histogram(metrics, "h", "k=\"1\"", "H.", bounds, 2));
    lm_metrics_free(metrics);
}

static void a_histogram_is_cumulative_and_its_count_is_the_bucket_inf(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    static const double bounds[] = {0.1, 1, 10};
    struct lm_histogram *histogram = lm_histogram(metrics, "seconds", "route=\"/x\"", "S.", bounds, 3);
    static const double values[] = {0.1, 0.05, 0.5, 1.5, 100};
    for (size_t i = 0; i < 5; i++)
        lm_histogram_observe(histogram, values[i]);
    assert_holds(metrics, "# TYPE seconds histogram\n"
                          "seconds_bucket{route=\"/x\",le=\"0.1\"} 2\n"
                          "seconds_bucket{route=\"/x\",le=\"1\"} 3\n"
                          "seconds_bucket{route=\"/x\",le=\"10\"} 4\n"
                          "seconds_bucket{route=\"/x\",le=\"+Inf\"} 5\n"
                          "seconds_sum{route=\"/x\"} 102.15\n"
                          "seconds_count{route=\"/x\"} 5\n");
    lm_histogram_observe(histogram, (double)NAN);
    assert_holds(metrics,
                 "seconds_bucket{route=\"/x\",le=\"10\"} 4\nseconds_bucket{route=\"/x\",le=\"+Inf\"} 6\n"
                 "seconds_sum{route=\"/x\"} NaN\n");
    lm_metrics_free(metrics);
}

static void special_numbers_are_written_as_the_format_names_them(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    struct lm_gauge *gauge = lm_gauge(metrics, "g", NULL, "G.");
    lm_gauge_set(gauge, (double)NAN);
    assert_holds(metrics, "\ng NaN\n");
    lm_gauge_set(gauge, (double)INFINITY);
    assert_holds(metrics, "\ng +Inf\n");
    lm_gauge_set(gauge, -(double)INFINITY);
    assert_holds(metrics, "\ng -Inf\n");
    lm_gauge_set(gauge, 1.0 / 3);
    char *text = written(metrics);
    assert_true(value_of(text, "g") == 1.0 / 3);
    free(text);
    lm_metrics_free(metrics);
}

static void labels_and_help_are_escaped(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    struct lm_buffer labels;
    lm_buffer_init(&labels, 1000);
    lm_metrics_label(&labels, "a", "x\"y\\z\nw");
    lm_metrics_label(&labels, "b", "한\xff");
    assert_string_equal(lm_buffer_text(&labels), "a=\"x\\\"y\\\\z\\nw\",b=\"한\xEF\xBF\xBD\"");
    (void)lm_counter(metrics, "a_total", lm_buffer_text(&labels), "one\\two\nthree");
    assert_holds(metrics, "# HELP a_total one\\\\two\\nthree\n");
    lm_buffer_free(&labels);
    lm_metrics_free(metrics);
}

static void the_process_describes_itself(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    char *text = written(metrics);
    double start = value_of(text, "process_start_time_seconds");
    assert_true(start <= (double)time(NULL) + 1 && start > (double)time(NULL) - 3600);
    assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(text, "process_cpu_seconds_total") >= 0);
    double before = value_of(text, "process_open_fds");
    free(text);
    int fd = dup(STDOUT_FILENO);
    text = written(metrics);
    assert_true(value_of(text, "process_open_fds") == before + 1);
    close(fd);
    free(text);
    lm_metrics_free(metrics);
}

static void a_name_taken_by_another_kind_gives_a_sink_that_is_not_shown(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    lm_counter_add(lm_counter(metrics, "a_total", NULL, "A."), 1);
    struct lm_gauge *gauge = lm_gauge(metrics, "a_total", NULL, "A.");
    assert_non_null(gauge);
    lm_gauge_set(gauge, 987654321);
    static const double bounds[] = {1};
    struct lm_histogram *histogram = lm_histogram(metrics, "a_total", NULL, "A.", bounds, 1);
    assert_non_null(histogram);
    lm_histogram_observe(histogram, 1);
    char *text = written(metrics);
    assert_null(strstr(text, "987654321"));
    assert_null(strstr(text, "a_total_bucket"));
    assert_true(value_of(text, "a_total") == 1);
    free(text);
    lm_metrics_free(metrics);
}

static void beyond_ten_thousand_series_a_sink_is_given_and_known_ones_still_count(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    char labels[32];
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(labels, sizeof(labels), "i=\"%d\"", i);
        lm_counter_add(lm_counter(metrics, "many_total", labels, "M."), 1);
    }
    struct lm_counter *sink = lm_counter(metrics, "many_total", "i=\"10000\"", "M.");
    assert_non_null(sink);
    lm_counter_add(sink, 5);
    lm_counter_add(lm_counter(metrics, "many_total", "i=\"77\"", "M."), 1);
    char *text = written(metrics);
    assert_null(strstr(text, "i=\"10000\""));
    assert_true(value_of(text, "many_total{i=\"77\"}") == 2);
    free(text);
    lm_metrics_free(metrics);
}

static void without_a_registry_updates_do_nothing(void **state)
{
    (void)state;
    struct lm_counter *counter = lm_counter(NULL, "a_total", NULL, "A.");
    lm_counter_add(counter, 1);
    assert_int_equal(lm_counter_get(counter), 0);
    lm_gauge_set(lm_gauge(NULL, "g", NULL, "G."), 1);
    lm_histogram_observe(lm_histogram(NULL, "h", NULL, "H.", NULL, 0), 1);
    lm_metrics_free(NULL);
}

static void whichever_allocation_fails_the_registry_stays_whole(void **state)
{
    (void)state;
    static const double bounds[] = {1, 2};
    bool struck = true;
    for (unsigned nth = 1; struck; nth++) {
        failing_alloc_after(nth);
        struct lm_metrics *metrics = lm_metrics_new();
        if (metrics != NULL) {
            lm_counter_add(lm_counter(metrics, "a_total", "k=\"1\"", "A."), 1);
            lm_gauge_set(lm_gauge(metrics, "g", NULL, "G."), 1);
            lm_histogram_observe(lm_histogram(metrics, "h", NULL, "H.", bounds, 2), 1);
        }
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        if (metrics != NULL) {
            /* With memory again, what failed is made now. */
            assert_non_null(lm_counter(metrics, "a_total", "k=\"1\"", "A."));
            (void)lm_histogram(metrics, "h", NULL, "H.", bounds, 2);
            assert_holds(metrics, "a_total{k=\"1\"} ");
            assert_holds(metrics, "h_count ");
        }
        lm_metrics_free(metrics);
        assert_in_range(nth, 1, 100);
    }
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *count(void *argument)
{
    struct lm_metrics *metrics = argument;
    static const double bounds[] = {1, 2};
    for (int i = 0; i < ROUNDS; i++) {
        char labels[32];
        (void)snprintf(labels, sizeof(labels), "i=\"%d\"", i % 50);
        lm_counter_add(lm_counter(metrics, "a_total", labels, "A."), 1);
        lm_gauge_set(lm_gauge(metrics, "g", NULL, "G."), i);
        lm_histogram_observe(lm_histogram(metrics, "h", NULL, "H.", bounds, 2), 0.5);
    }
    return NULL;
}

static void threads_lose_no_update_while_others_write(void **state)
{
    (void)state;
    struct lm_metrics *metrics = lm_metrics_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, metrics), 0);
    for (int i = 0; i < 20; i++)
        free(written(metrics));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *text = written(metrics);
    assert_true(value_of(text, "a_total{i=\"0\"}") == THREADS * ROUNDS / 50);
    assert_true(value_of(text, "h_count") == THREADS * ROUNDS);
    assert_true(value_of(text, "h_sum") == THREADS * ROUNDS * 0.5);
    free(text);
    lm_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_are_written_with_help_and_type),
        cmocka_unit_test(series_are_grouped_by_name_with_one_head),
        cmocka_unit_test(the_same_name_and_labels_give_the_same_metric),
        cmocka_unit_test(a_histogram_is_cumulative_and_its_count_is_the_bucket_inf),
        cmocka_unit_test(special_numbers_are_written_as_the_format_names_them),
        cmocka_unit_test(labels_and_help_are_escaped),
        cmocka_unit_test(the_process_describes_itself),
        cmocka_unit_test(a_name_taken_by_another_kind_gives_a_sink_that_is_not_shown),
        cmocka_unit_test(beyond_ten_thousand_series_a_sink_is_given_and_known_ones_still_count),
        cmocka_unit_test(without_a_registry_updates_do_nothing),
        cmocka_unit_test(whichever_allocation_fails_the_registry_stays_whole),
        cmocka_unit_test(threads_lose_no_update_while_others_write),
    };
    lm_log_open("test", LM_LOG_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
