/*
 * The guard against its corpora: every line of guard_reject.tsv is rejected for the reason that stands beside
 * it, every line of guard_pass.tsv passes, and what it passes as is a fixed point: judged again it passes as
 * the same text.
 */
#include "agent/guard/guard.h"
#include "agent/guard/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-03-18T14:35:20+09:00, the present of the corpora. */
#define NOW_US INT64_C(1773812120000000)

static const struct ag_guard_limits limits = {.now_us = NOW_US};

static FILE *open_corpus(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", LOGMILL_TEST_DATA, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    return file;
}

/* The next line without its end, or NULL; the header is skipped by the first call's caller. */
static char *next_line(FILE *file, char **line, size_t *size)
{
    const ssize_t len = getline(line, size, file);
    if (len < 0) {
        return NULL;
    }
    (*line)[strcspn(*line, "\n")] = '\0';
    return *line;
}

static void judge(const char *sql, struct ag_guard_verdict *verdict)
{
    struct lm_error error;
    assert_int_equal(ag_guard(sql, &limits, verdict, &error), 0);
    assert_true(verdict->pass == (verdict->sql != NULL));
    assert_true(verdict->pass == (verdict->reason[0] == '\0'));
}

static void every_hostile_line_is_rejected_for_its_reason(void **state)
{
    (void)state;
    FILE *file = open_corpus("guard_reject.tsv");
    char *line = NULL;
    size_t size = 0, lines = 0, wrong = 0;
    assert_non_null(next_line(file, &line, &size));
    while (next_line(file, &line, &size) != NULL) {
        char *sql = strchr(line, '\t');
        assert_non_null(sql);
        *sql++ = '\0';
        struct ag_guard_verdict verdict;
        judge(sql, &verdict);
        if (verdict.pass || strstr(verdict.reason, line) == NULL) {
            print_error("%s, \"%s\", not \"%s\": %.200s\n", verdict.pass ? "passed" : "rejected",
                        verdict.reason, line, sql);
            wrong++;
        }
        ag_guard_verdict_free(&verdict);
        lines++;
    }
    free(line);
    fclose(file);
    assert_true(lines > 800);
    assert_int_equal(wrong, 0);
}

static void every_legitimate_line_passes_and_is_a_fixed_point(void **state)
{
    (void)state;
    FILE *file = open_corpus("guard_pass.tsv");
    char *line = NULL;
    size_t size = 0, lines = 0, wrong = 0;
    assert_non_null(next_line(file, &line, &size));
    while (next_line(file, &line, &size) != NULL) {
        struct ag_guard_verdict verdict, again;
        judge(line, &verdict);
        if (verdict.pass) {
            judge(verdict.sql, &again);
            if (!again.pass || strcmp(again.sql, verdict.sql) != 0) {
                print_error("not a fixed point: %s\n", verdict.sql);
                wrong++;
            }
            ag_guard_verdict_free(&again);
        } else {
            print_error("rejected, \"%s\": %s\n", verdict.reason, line);
            wrong++;
        }
        ag_guard_verdict_free(&verdict);
        lines++;
    }
    free(line);
    fclose(file);
    assert_true(lines > 300);
    assert_int_equal(wrong, 0);
}

static void parentheses_that_carry_the_meaning_are_kept(void **state)
{
    (void)state;
    struct ag_guard_verdict verdict;
    judge("SELECT count(*) FROM logs WHERE created_at >= '2026-03-18' AND ((level = 'ERROR' OR level = "
          "'INFO') IS TRUE)",
          &verdict);
    assert_true(verdict.pass);
    assert_string_equal(
        verdict.sql,
        "SELECT \"count\"(*) FROM \"logs\" WHERE ((\"created_at\" >= '2026-03-18') AND (((\"level\" = "
        "'ERROR') OR (\"level\" = 'INFO')) IS TRUE))");
    ag_guard_verdict_free(&verdict);
}

static bool same_tree(const char *a, const char *b)
{
    struct ag_tree left, right;
    char reason[200];
    assert_true(ag_tree_parse(&left, a, reason, sizeof(reason)));
    assert_true(ag_tree_parse(&right, b, reason, sizeof(reason)));
    const bool same = ag_tree_equal(&left, &right);
    assert_int_equal(ag_tree_equal(&right, &left), same);
    ag_tree_free(&left);
    ag_tree_free(&right);
    return same;
}

static void trees_that_differ_in_anything_but_locations_differ(void **state)
{
    (void)state;
    const char *text = "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5";
    assert_true(same_tree(text, text));
    assert_true(
        same_tree(text, "SELECT a ,sum( b )  FROM t WHERE ((c) >= 1) AND d = 'x' GROUP BY a\nORDER BY 2 DESC "
                        "LIMIT (5)"));
    static const char *const others[] = {
        "SELECT a, sum(b) FROM t WHERE c >= 2 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = 'y' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = 'xy' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 1 OR d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c > 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC",
        "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 ASC LIMIT 5",
        "SELECT sum(b), a FROM t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(DISTINCT b) FROM t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 0 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t WHERE c >= 1 AND d = '' GROUP BY a ORDER BY 2 DESC LIMIT 5",
        "SELECT a, sum(b) FROM t, t WHERE c >= 1 AND d = 'x' GROUP BY a ORDER BY 2 DESC LIMIT 5"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(same_tree(text, others[i]));
    }
    assert_false(same_tree("SELECT a AND (b OR c)", "SELECT (a AND b) OR c"));
    assert_false(same_tree("SELECT 1", "SELECT 1; SELECT 1"));
}

static void what_runs_is_wrapped_in_the_row_limit(void **state)
{
    (void)state;
    const struct ag_guard_limits wrapped = {.now_us = NOW_US, .max_rows = 11};
    struct ag_guard_verdict verdict;
    struct lm_error error;
    assert_int_equal(
        ag_guard("SELECT kind FROM log_name ORDER BY kind LIMIT 1000000", &wrapped, &verdict, &error), 0);
    assert_true(verdict.pass);
    assert_string_equal(
        verdict.sql, "SELECT * FROM (SELECT \"kind\" FROM \"log_name\" ORDER BY \"kind\" LIMIT 1000000) AS "
                     "\"answer\" LIMIT 11");
    ag_guard_verdict_free(&verdict);
}

static void a_bound_at_the_longest_window_passes_and_one_before_it_is_rejected(void **state)
{
    (void)state;
    const struct ag_guard_limits day = {.now_us = NOW_US, .longest_window_us = INT64_C(86400000000)};
    struct ag_guard_verdict verdict;
    struct lm_error error;
    assert_int_equal(ag_guard("SELECT count(*) FROM logs WHERE created_at >= '2026-03-17T14:35:20+09:00'",
                              &day, &verdict, &error),
                     0);
    assert_true(verdict.pass);
    ag_guard_verdict_free(&verdict);
    assert_int_equal(
        ag_guard("SELECT count(*) FROM logs WHERE created_at >= '2026-03-17T14:35:19.999999+09:00'", &day,
                 &verdict, &error),
        0);
    assert_false(verdict.pass);
    assert_non_null(strstr(verdict.reason, "before the longest window"));
}

static char *repeated(const char *head, const char *part, size_t times, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(part) * times + strlen(tail) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, head);
    for (size_t i = 0; i < times; i++) {
        at = stpcpy(at, part);
    }
    stpcpy(at, tail);
    return text;
}

static void the_deepest_nesting_that_fits_is_rejected_and_overruns_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *head, *part, *tail;
        size_t times;
    } shapes[] = {
        {"SELECT 1", "+1", "", 8180},
        {"SELECT ", "(", "1", 8000},
        {"SELECT ", "-", "1", 16000},
        {"SELECT ", "NOT ", "true", 4000},
        {"SELECT ", "abs(", "1", 4000},
        {"SELECT 1 FROM ", "(", "x", 8000},
        {"SELECT 1", " UNION SELECT 1", "", 1000},
        {"SELECT ", "(SELECT ", "1", 1900},
        {"SELECT 1", "::text", "", 2500},
        {"SELECT ", "CASE WHEN true THEN ", "1", 800},
        {"SELECT ARRAY[", "[", "1", 8000},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char *sql = repeated(shapes[i].head, shapes[i].part, shapes[i].times, shapes[i].tail);
        struct ag_guard_verdict verdict;
        judge(sql, &verdict);
        assert_false(verdict.pass);
        ag_guard_verdict_free(&verdict);
        free(sql);
    }
}

static void invalid_utf8_and_controls_in_literals_are_kept_or_rejected_never_changed(void **state)
{
    (void)state;
    struct ag_guard_verdict verdict;
    judge("SELECT '\x01\x1b[31m' AS x", &verdict);
    assert_true(verdict.pass);
    assert_string_equal(verdict.sql, "SELECT '\x01\x1b[31m' AS \"x\"");
    ag_guard_verdict_free(&verdict);
    judge("SELECT '\xff\xfe' AS x", &verdict);
    ag_guard_verdict_free(&verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hostile_line_is_rejected_for_its_reason),
        cmocka_unit_test(every_legitimate_line_passes_and_is_a_fixed_point),
        cmocka_unit_test(parentheses_that_carry_the_meaning_are_kept),
        cmocka_unit_test(trees_that_differ_in_anything_but_locations_differ),
        cmocka_unit_test(what_runs_is_wrapped_in_the_row_limit),
        cmocka_unit_test(a_bound_at_the_longest_window_passes_and_one_before_it_is_rejected),
        cmocka_unit_test(the_deepest_nesting_that_fits_is_rejected_and_overruns_nothing),
        cmocka_unit_test(invalid_utf8_and_controls_in_literals_are_kept_or_rejected_never_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
