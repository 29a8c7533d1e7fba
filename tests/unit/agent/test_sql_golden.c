/*
 * The SQL of intents, compared with tests/data/sql_golden.txt: the text is a contract, it is shown and it is
 * cached by. Every one must also pass the guard, which rejects what it does not know.
 *
 * LOGMILL_UPDATE_GOLDEN=1 writes the file anew from what the writer says now; read the difference before
 * committing it.
 */
#include "agent/guard/guard.h"
#include "agent/sql/sql.h"
#include "common/buffer.h"
#include "common/clock.h"

#include "tests/unit/agent/intent_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN LOGMILL_TEST_DATA "/sql_golden.txt"
#define MAX_FILE ((size_t)4 << 20)

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = malloc(MAX_FILE);
    assert_non_null(text);
    size_t len = fread(text, 1, MAX_FILE - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

/* What the writer says to a line: the SQL, or "!! kind". */
static const char *said(const char *spec, struct lm_arena *arena)
{
    struct ag_intent intent;
    assert_true(intent_spec_parse(spec, arena, &intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                           .max_rows = 100,
                                           .longest_window_us = INT64_C(400) * 86400 * 1000000,
                                           .rows_since_us = INT64_MIN};
    struct ag_sql sql;
    struct lm_error error;
    if (ag_sql_write(&intent, &context, arena, &sql, &error) == 0) {
        return sql.text;
    }
    char line[64];
    snprintf(line, sizeof line, "!! %s", error.kind);
    return lm_arena_copy(arena, line, strlen(line));
}

static void assert_guard_passes(const char *sql)
{
    const struct ag_guard_limits limits = {.now_us = SPEC_NOW, .max_rows = 10001};
    struct ag_guard_verdict verdict;
    struct lm_error error;
    assert_int_equal(ag_guard(sql, &limits, &verdict, &error), 0);
    if (!verdict.pass) {
        fail_msg("the guard rejects our own SQL: %s\n%s", verdict.reason, sql);
    }
    ag_guard_verdict_free(&verdict);
}

/* The file: ">> intent", the SQL, an empty line. Comments at its head begin with "--". */
static void every_intent_gives_its_golden_sql(void **state)
{
    (void)state;
    char *text = read_file(GOLDEN);
    bool update = getenv("LOGMILL_UPDATE_GOLDEN") != NULL;
    struct lm_buffer anew;
    lm_buffer_init(&anew, MAX_FILE);
    size_t checked = 0;
    char *at = strstr(text, "\n>> ");
    assert_non_null(at);
    at++;
    lm_buffer_append(&anew, text, (size_t)(at - text));
    while (at != NULL) {
        char *line_end = strchr(at, '\n');
        assert_non_null(line_end);
        *line_end = '\0';
        const char *spec = at + 3;
        char *golden = line_end + 1;
        char *next = strstr(golden, "\n>> ");
        if (next != NULL) {
            *next++ = '\0';
        }
        struct lm_arena arena;
        lm_arena_init(&arena, (size_t)1 << 20);
        const char *sql = said(spec, &arena);
        lm_buffer_printf(&anew, ">> %s\n%s\n\n", spec, sql);
        if (!update) {
            size_t len = strlen(golden);
            while (len > 0 && golden[len - 1] == '\n') {
                golden[--len] = '\0';
            }
            if (strcmp(sql, golden) != 0) {
                fail_msg("%s\nexpected:\n%s\ngot:\n%s", spec, golden, sql);
            }
        }
        if (strncmp(sql, "!!", 2) != 0) {
            assert_guard_passes(sql);
        }
        lm_arena_free(&arena);
        checked++;
        at = next;
    }
    if (update) {
        FILE *file = fopen(GOLDEN, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(anew.data, 1, anew.len, file), anew.len);
        assert_int_equal(fclose(file), 0);
    }
    lm_buffer_free(&anew);
    assert_true(checked >= 50);
    free(text);
}

static void narrower_windows_are_offered_that_can_be_read(void **state)
{
    (void)state;
    struct lm_arena arena;
    lm_arena_init(&arena, (size_t)1 << 20);
    struct ag_intent intent;
    assert_true(intent_spec_parse(
        "count; by endpoint; in 2026-03-01T00:00:00+09:00/2026-03-18T14:35:20+09:00; ko", &arena, &intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
    struct ag_sql sql;
    struct lm_error error;
    assert_int_equal(ag_sql_write(&intent, &context, &arena, &sql, &error), -1);
    assert_string_equal(error.kind, "needs_narrower");
    struct ag_narrower narrower[AG_MAX_NARROWER];
    size_t count = ag_sql_narrower(&intent, &context, &arena, narrower);
    assert_int_equal(count, 3);
    assert_string_equal(narrower[0].label, "최근 24시간");
    assert_string_equal(narrower[0].intent.window.symbolic, "last 24 hour");
    assert_string_equal(narrower[2].label, "최근 1시간");
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ag_sql_write(&narrower[i].intent, &context, &arena, &sql, &error), 0);
    }
    lm_arena_free(&arena);
}

/* What is taken away behind now are the few rows that clocks have dated there, however long the rest of the
 * hour is. */
static void what_is_to_come_is_no_long_scan(void **state)
{
    (void)state;
    struct lm_arena arena;
    struct lm_error error;
    struct ag_intent intent;
    struct ag_sql sql;
    lm_arena_init(&arena, (size_t)1 << 20);
    assert_true(intent_spec_parse("count; by error_type; where level >= ERROR; in "
                                  "2026-03-18T13:00:00+09:00/2026-03-18T14:35:20+09:00",
                                  &arena, &intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                           .live = true,
                                           .max_rows = 100,
                                           .scan_window_us = 60 * LM_SECOND_US,
                                           .rows_since_us = INT64_MIN};
    assert_int_equal(ag_sql_write(&intent, &context, &arena, &sql, &error), 0);
    assert_non_null(strstr(sql.text, "-1 AS n"));
    lm_arena_free(&arena);
}

/* What is counted up to now begins with a second and has the running minute whole; what is listed begins
 * where it was asked. Where rows are gone whole minutes are counted, and of less than one the rows. */
static void windows_of_counts_begin_with_a_second(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool kept;
        const char *said;
        int64_t begins_us; /* before SPEC_NOW */
    } cases[] = {
        {"count; in 2026-03-18T13:35:19.7+09:00/2026-03-18T14:35:20+09:00", true,
         "log_total('2026-03-18 13:35:19+09:00'::timestamptz, '2026-03-18 14:36:00+09:00'::timestamptz",
         LM_HOUR_US + LM_SECOND_US},
        {"list; in 2026-03-18T13:35:19.7+09:00/2026-03-18T14:35:20+09:00", true, "13:35:19.700000+09:00",
         LM_HOUR_US + 300000},
        {"count; in 2026-03-18T13:35:19.7+09:00/2026-03-18T14:35:20+09:00", false,
         "log_total('2026-03-18 13:36:00+09:00'::timestamptz, '2026-03-18 14:36:00+09:00'::timestamptz",
         LM_HOUR_US + LM_SECOND_US},
        {"count; in 2026-03-18T13:35:10+09:00/2026-03-18T13:35:40+09:00", false, "FROM logs",
         LM_HOUR_US + 10 * LM_SECOND_US},
        {"count; in 2026-03-18T13:35:10+09:00/2026-03-18T13:35:40+09:00", true, "FROM log_total",
         LM_HOUR_US + 10 * LM_SECOND_US},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct ag_intent intent;
        struct ag_sql sql;
        lm_arena_init(&arena, (size_t)1 << 20);
        assert_true(intent_spec_parse(cases[i].spec, &arena, &intent));
        const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                               .live = true,
                                               .max_rows = 100,
                                               .rows_since_us = cases[i].kept ? INT64_MIN : SPEC_NOW};
        assert_int_equal(ag_sql_write(&intent, &context, &arena, &sql, &error), 0);
        if (strstr(sql.text, cases[i].said) == NULL) {
            fail_msg("%s is not in %s", cases[i].said, sql.text);
        }
        assert_int_equal(SPEC_NOW - sql.from_us, cases[i].begins_us);
        lm_arena_free(&arena);
    }
}

/* However little memory there is, the writer says so and leaks nothing. */
static void without_memory_the_writer_says_so(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t room = 0; room < 20000; room += 257) {
        struct lm_arena texts;
        struct lm_arena arena;
        lm_arena_init(&texts, 65536);
        lm_arena_init(&arena, room);
        struct ag_intent intent;
        assert_true(intent_spec_parse("error_rate; by service; rank; where environment in production", &texts,
                                      &intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
        struct ag_sql sql;
        struct lm_error error;
        if (ag_sql_write(&intent, &context, &arena, &sql, &error) != 0) {
            assert_string_equal(error.kind, "memory");
            refused++;
        }
        lm_arena_free(&arena);
        lm_arena_free(&texts);
    }
    assert_true(refused > 0 && refused < 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_intent_gives_its_golden_sql),
        cmocka_unit_test(narrower_windows_are_offered_that_can_be_read),
        cmocka_unit_test(what_is_to_come_is_no_long_scan),
        cmocka_unit_test(windows_of_counts_begin_with_a_second),
        cmocka_unit_test(without_memory_the_writer_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
