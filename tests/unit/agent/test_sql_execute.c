/*
 * The SQL of random intents against a real PostgreSQL: the statement that prefers rollups, as the guard
 * rewrites it, must return what the plain one over logs returns, cell by cell, as the reader. Needs
 * LOGMILL_TEST_POSTGRES_URL (a superuser).
 */
#include "common/clock.h"
#include "tests/unit/agent/intent_spec.h"
#include "tests/unit/agent/random_intent.h"
#include "tests/unit/agent/sql_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INTENTS 300

#define NOTHING_COUNTED                                                                                      \
    "TRUNCATE logmill.log_rollup_minute, logmill.total_minute, logmill.count_minute, "                       \
    "logmill.duration_minute, "                                                                              \
    "logmill.seconds_minute, logmill.error_pattern_hour, logmill.log_pattern;"
#define FOLD_HOURS                                                                                           \
    "SELECT logmill.fold_hour(h, enum_range(NULL::logmill.log_category)), "                                  \
    "logmill.fold_slots(h, h + interval '1 hour') "                                                          \
    "FROM generate_series('2026-03-12 00:00Z'::timestamptz, '2026-03-18 04:00Z', '1 hour') h;"               \
    "SELECT logmill.fold_slots('2026-03-18 05:00Z', '2026-03-18 05:30Z');"
#define FOLD_DAYS(zone)                                                                                      \
    "SELECT logmill.fold_day('" zone "', d AT TIME ZONE '" zone                                              \
    "', (d + interval '1 day') AT TIME ZONE '" zone                                                          \
    "', c) FROM generate_series('2026-03-13'::timestamp, '2026-03-17', '1 day') d, "                         \
    "unnest(enum_range(NULL::logmill.log_category)) c;"

/* What becomes of the folds between the questions: each is current, stale or not there. */
static const struct {
    const char *what, *sql;
} changes[] = {
    {"nothing is folded", "SELECT 1"},
    {"everything is folded", FOLD_HOURS FOLD_DAYS("Asia/Seoul") FOLD_DAYS("UTC")},
    {"rows were deleted after the folds",
     "UPDATE logmill.logs SET deleted_at = now() WHERE kafka_offset % 13 = 0 AND created_at >= "
     "'2026-03-15' AND created_at < '2026-03-15 20:00Z'"},
    {"late rows came, and one of two stale days was folded anew",
     "INSERT INTO logmill.logs (created_at, category, level, log_type, service, environment, message, "
     "duration_ms, pattern, kafka_partition, kafka_offset, ingested_at) "
     "SELECT '2026-03-16 03:00Z'::timestamptz + i * interval '41 s', 'raw', "
     "(ARRAY['INFO', 'ERROR'])[1 + i % 2]::logmill.log_level, 'BACKEND', 'late', 'production', 'm', i, 7, "
     "0, 900000 + i, now() FROM generate_series(1, 400) i;" NOTHING_COUNTED
     "SELECT logmill.raise_epochs('raw', 0, ARRAY(SELECT extract(epoch FROM h)::bigint * 1000000 FROM "
     "generate_series('2026-03-16 03:00Z'::timestamptz, '2026-03-16 07:00Z', '1 hour') h))"},
};

#define CHANGES ((int)(sizeof changes / sizeof *changes))

/* The rollups from the rows again; one of the days that went stale is folded anew. */
static void refill(struct world *world)
{
    run(world->db, "RESET ROLE; SET default_transaction_read_only = off", "refill");
    run_file(world->db, LOGMILL_TEST_DATA "/agent_rollups.sql");
    run(world->db,
        "SELECT logmill.fold_hour(h, enum_range(NULL::logmill.log_category)), "
        "logmill.fold_slots(h, h + interval '1 hour') FROM "
        "generate_series('2026-03-14 15:00Z'::timestamptz, '2026-03-15 14:00Z', '1 hour') h;"
        "SELECT logmill.fold_day('Asia/Seoul', '2026-03-15 00:00+09', '2026-03-16 00:00+09', c) "
        "FROM unnest(enum_range(NULL::logmill.log_category)) c",
        "folded anew");
    run(world->db, "SET ROLE logmill_reader; SET default_transaction_read_only = on", "refill");
}

static size_t folded_days(struct world *world)
{
    PGresult *result =
        PQexec(world->db, "SELECT coalesce(cardinality(days), 0) FROM rollup_cover('2026-03-12', "
                          "'2026-03-18', 'day', 'Asia/Seoul')");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    size_t days = (size_t)atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return days;
}

static void rollups_answer_as_the_rows_do(void **state)
{
    static const size_t days[] = {0, 5, 3, 4};
    size_t from[4] = {0};
    const char *only = getenv("LOGMILL_INTENTS");
    int intents = only == NULL ? INTENTS : atoi(only);
    for (int i = 0; i < intents; i++) {
        char spec[MAX_SPEC];
        if (i % (intents / CHANGES) == 0 && i / (intents / CHANGES) < CHANGES) {
            int step = i / (intents / CHANGES);
            change(*state, changes[step].sql, changes[step].what);
            if (step == CHANGES - 1) {
                refill(*state);
            }
            assert_int_equal(folded_days(*state), days[step]);
        }
        random_spec(spec);
        from[compare(*state, spec, 1e-9)]++;
    }
    print_message("logs %zu, minutes %zu, patterns %zu\n", from[AG_FROM_LOGS], from[AG_FROM_MINUTES],
                  from[AG_FROM_PATTERNS]);
    assert_true(from[AG_FROM_MINUTES] * 4 > (size_t)intents);
    assert_true(from[AG_FROM_PATTERNS] * 40 > (size_t)intents);
}

static void whatever_is_asked_runs_or_is_refused(void **state)
{
    struct world *world = *state;
    size_t ran = 0;
    for (int i = 0; i < 1200; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome outcome = {.rows = NULL};
        lm_arena_init(&arena, (size_t)64 << 20);
        random_wild_intent(&outcome.intent);
        const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                               .max_rows = 50,
                                               .scan_window_us = 40 * LM_DAY_US,
                                               .rows_since_us = INT64_MIN,
                                               .no_rollups = random_draw(4) == 0};
        if (ag_sql_write(&outcome.intent, &context, &arena, &outcome.sql, &error) != 0) {
            assert_string_not_equal(error.kind, "memory");
        } else {
            execute(world, "a wild intent", &outcome, true);
            assert_answered("a wild intent", &outcome, &arena);
            ran++;
        }
        PQclear(outcome.rows);
        lm_arena_free(&arena);
    }
    print_message("%zu ran\n", ran);
    assert_true(ran > 100);
}

static void lists_filled_from_the_coarse_index_are_the_same_rows(void **state)
{
    for (int i = 0; i < 40; i++) {
        char spec[MAX_SPEC];
        snprintf(spec, sizeof spec, "list; limit %u", 1 + random_draw(300));
        for (unsigned filters = random_draw(3); filters > 0; filters--) {
            random_add(spec, random_coarse_filter());
        }
        random_window(spec, "in");
        random_add(spec, random_draw(2) == 0 ? "order oldest" : "order newest");
        struct lm_arena arena;
        struct lm_error error;
        struct outcome coarse;
        struct outcome plain;
        lm_arena_init(&arena, (size_t)64 << 20);
        if (ask(*state, spec, &arena, false, &coarse, &error)) {
            assert_true(ask(*state, spec, &arena, true, &plain, &error));
            assert_int_equal(PQntuples(coarse.rows), PQntuples(plain.rows));
            for (int row = 0; row < PQntuples(coarse.rows); row++) {
                for (int column = 0; column < PQnfields(coarse.rows); column++) {
                    assert_string_equal(PQgetvalue(coarse.rows, row, column),
                                        PQgetvalue(plain.rows, row, column));
                }
            }
            assert_answered(spec, &coarse, &arena);
            PQclear(plain.rows);
        }
        PQclear(coarse.rows);
        lm_arena_free(&arena);
    }
}

/* Answered from folded hours, whose units say too little by themselves. */
static bool is_folded(const char *spec)
{
    struct lm_arena arena;
    struct lm_error error;
    struct outcome folds = {.rows = NULL};
    lm_arena_init(&arena, (size_t)1 << 20);
    assert_true(intent_spec_parse(spec, &arena, &folds.intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
    bool written = ag_sql_write(&folds.intent, &context, &arena, &folds.sql, &error) == 0;
    bool folded = written && strstr(folds.sql.text, "log_rollup(") != NULL;
    lm_arena_free(&arena);
    return folded;
}

static void silent_and_new_are_the_same_from_rollups(void **state)
{
    int folded = 0;
    for (int i = 0; i < 40; i++) {
        char spec[MAX_SPEC];
        bool silent = random_draw(2) == 0;
        snprintf(spec, sizeof spec, silent ? "count; silent %u" : "count; new", 30 + random_draw(7200));
        if (random_draw(2) == 0) {
            random_add(spec, "where level >= ERROR");
            random_add(spec, random_draw(2) == 0 ? "by error_type" : "by service");
        } else {
            random_add(spec, random_coarse_group());
        }
        random_add(spec, random_coarse_filter());
        random_window(spec, "in");
        compare(*state, spec, 0);
        folded += is_folded(spec);
    }
    assert_true(folded > 3);
}

/* A service that lives from 04:10:20 to 04:49:40, in one folded hour: whether it is new or silent is decided
 * within that hour. */
static void silent_and_new_are_decided_within_a_folded_hour(void **state)
{
    static const struct {
        const char *spec;
        bool found;
    } asked[] = {
        {"count; new; by service; where service in brief; in 2026-03-16T04:10:20Z/2026-03-16T09:00:00Z",
         true},
        {"count; new; by service; where service in brief; in 2026-03-16T04:10:21Z/2026-03-16T09:00:00Z",
         false},
        {"count; silent 15019; where service in brief; in 2026-03-15T01:00:00Z/2026-03-16T09:00:00Z", true},
        {"count; silent 15020; where service in brief; in 2026-03-15T01:00:00Z/2026-03-16T09:00:00Z", false},
    };
    struct world *world = *state;
    change(
        world,
        "INSERT INTO logmill.logs (created_at, category, level, log_type, service, environment, message, "
        "pattern, kafka_partition, kafka_offset, ingested_at) "
        "SELECT '2026-03-16 04:10:20Z'::timestamptz + i * interval '40 s', 'raw', 'INFO', 'BACKEND', "
        "'brief', 'production', 'm', 7, 0, 910000 + i, now() FROM generate_series(0, 59) i;" NOTHING_COUNTED,
        "a service of forty minutes");
    refill(world);
    change(world,
           "SELECT logmill.raise_epochs('raw', 0, ARRAY[extract(epoch FROM '2026-03-16 04:00Z'::timestamptz)"
           "::bigint * 1000000]);" FOLD_HOURS,
           "folded");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome outcome;
        lm_arena_init(&arena, (size_t)1 << 20);
        assert_true(is_folded(asked[i].spec));
        compare(world, asked[i].spec, 0);
        assert_true(ask(world, asked[i].spec, &arena, false, &outcome, &error));
        assert_int_equal(PQntuples(outcome.rows), asked[i].found);
        PQclear(outcome.rows);
        lm_arena_free(&arena);
    }
}

/* The rollup counts a service's only record, at 04:20:05; a window that begins five seconds later has none of
 * it. Of a minute whose rows are gone nothing is counted rather than all. */
static void what_is_outside_of_a_window_is_taken_away_with_its_group(void **state)
{
    static const char asked[] = "count; by service; in 2026-03-16T04:20:10Z/2026-03-16T09:00:00Z";
    static const int64_t minute_us = INT64_C(1773634800000000);
    struct world *world = *state;
    change(world,
           "INSERT INTO logmill.logs (created_at, category, level, log_type, service, environment, message, "
           "pattern, kafka_partition, kafka_offset, ingested_at) VALUES ('2026-03-16 04:20:05Z', 'raw', "
           "'INFO', 'BACKEND', 'once', 'production', 'm', 7, 0, 920000, now());" NOTHING_COUNTED,
           "a service of one record");
    refill(world);
    change(world,
           "SELECT logmill.raise_epochs('raw', 0, ARRAY[extract(epoch FROM '2026-03-16 04:00Z'::timestamptz)"
           "::bigint * 1000000]);" FOLD_HOURS,
           "folded");
    compare(world, asked, 0);
    for (int kept = 0; kept < 2; kept++) {
        struct lm_arena arena;
        struct lm_error error;
        struct ag_intent intent;
        struct ag_sql sql;
        lm_arena_init(&arena, (size_t)1 << 20);
        assert_true(intent_spec_parse(asked, &arena, &intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = minute_us + (kept == 0)};
        assert_int_equal(ag_sql_write(&intent, &context, &arena, &sql, &error), 0);
        assert_non_null(strstr(sql.text, kept ? ":20:10+" : ":21:00+"));
        lm_arena_free(&arena);
    }
}

/* Windows that begin and end inside a second, told by the second and then by the minute. */
static void windows_that_end_inside_a_second_are_what_the_rows_are(void **state)
{
    static const char *const specs[] = {
        "count; in 2026-03-16T04:00:20.3Z/2026-03-16T09:00:40.6Z",
        "count; by service; in 2026-03-16T04:00:20.6Z/2026-03-16T09:00:40.3Z",
        "count; by level; in 2026-03-16T04:10:20.3Z/2026-03-16T04:20:00.7Z",
        "count; where level >= ERROR; in 2026-03-16T04:00:59.9Z/2026-03-16T09:00:00.1Z",
        "share; where hour_of_day between 4|5; in 2026-03-16T04:50:20.6Z/2026-03-16T05:10:40.3Z",
        "error_rate; by service; in 2026-03-16T04:00:20.3Z/2026-03-16T09:00:40.6Z",
        "count; series 60; in 2026-03-16T04:10:20.3Z/2026-03-16T04:30:40.6Z",
        "count; series 3600; where environment in production; in "
        "2026-03-16T00:10:20.3Z/2026-03-16T09:30:40.6Z",
        "count; by hour_of_day; in 2026-03-16T00:10:20.3Z/2026-03-16T09:30:40.6Z",
        "count; by service; in 2026-03-16T04:00:20.3Z/2026-03-16T09:00:40.6Z; against "
        "2026-03-15T04:00:20.3Z/2026-03-15T09:00:40.6Z",
        "count; by service; in 2026-03-16T04:00:20.3Z/2026-03-16T05:00:40Z; against "
        "2026-03-16T03:00:00Z/2026-03-16T04:00:20.3Z",
    };
    static const char *const seconds[] = {"2000-01-01", "infinity"};
    for (size_t kept = 0; kept < sizeof seconds / sizeof *seconds; kept++) {
        char view[200];
        snprintf(view, sizeof view,
                 "CREATE OR REPLACE VIEW logmill_read.seconds_since WITH (security_invoker = true) AS "
                 "SELECT timestamptz '%s' AS since",
                 seconds[kept]);
        change(*state, view, "seconds");
        for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
            compare(*state, specs[i], 1e-9);
        }
    }
}

/* Who had none of something: the same from rollups as from rows, and nobody who had one. */
static void who_had_none_is_the_same_from_rollups(void **state)
{
    static const char *const parts[] = {"where level >= ERROR", "where level in FATAL",
                                        "where level in WARN|ERROR"};
    for (int i = 0; i < 40; i++) {
        char spec[MAX_SPEC];
        snprintf(spec, sizeof spec, "count; without");
        random_add(spec, random_coarse_filter());
        random_add(spec, parts[random_draw(3)]);
        random_add(spec, random_draw(2) == 0 ? "by service" : "by environment");
        random_window(spec, "in");
        compare(*state, spec, 0);
    }
}

/* Several statistics at once are what each is alone. */
static void several_statistics_are_the_same_from_rollups(void **state)
{
    static const char *const specs[] = {"avg; also max", "max; also sum avg", "sum; also avg"};
    for (int i = 0; i < 20; i++) {
        char spec[MAX_SPEC];
        snprintf(spec, sizeof spec, "%s", specs[random_draw(3)]);
        random_add(spec, random_coarse_filter());
        random_add(spec, random_coarse_group());
        random_window(spec, "in");
        compare(*state, spec, 1e-9);
    }
}

/* What a key holds besides numbers counts for nothing, and ends no statement. */
static void numbers_of_a_key_are_what_the_rows_hold(void **state)
{
    static const char *const measures[] = {"avg", "min", "max", "sum"};
    static const char *const keys[] = {"retries", "region"};
    struct world *world = *state;

    for (size_t i = 0; i < 8; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome out;
        char text[MAX_SPEC];
        const char *measure = measures[i / 2];
        const char *key = keys[i % 2];
        lm_arena_init(&arena, (size_t)16 << 20);
        snprintf(text, sizeof text, "%s metadata.%s; in 2026-03-17T00:00:00Z/2026-03-18T05:35:20Z", measure,
                 key);
        assert_true(ask(world, text, &arena, false, &out, &error));
        snprintf(text, sizeof text,
                 "SELECT %s(v::double precision), count(v) FROM (SELECT CASE WHEN jsonb_typeof(metadata -> "
                 "'%s') = "
                 "'number' THEN metadata ->> '%s' END AS v FROM logs WHERE created_at >= '2026-03-17Z' AND "
                 "created_at < '2026-03-18 05:35:20Z') AS t",
                 measure, key, key);
        PGresult *rows = PQexec(world->db, text);
        assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
        assert_int_equal(atoi(PQgetvalue(rows, 0, 1)) > 100, i % 2 == 0);
        assert_int_equal(PQgetisnull(out.rows, 0, 0), i % 2 == 1);
        assert_true(same_cell(PQgetvalue(out.rows, 0, 0), PQgetvalue(rows, 0, 0), AG_NUMBER, 1e-9));
        assert_string_equal(PQgetvalue(out.rows, 0, 1), PQgetvalue(rows, 0, 1));
        PQclear(rows);
        PQclear(out.rows);
        lm_arena_free(&arena);
    }
}

static bool same_text(const PGresult *a, int row_a, const PGresult *b, int row_b, int column)
{
    return strcmp(PQgetvalue(a, row_a, column), PQgetvalue(b, row_b, column)) == 0;
}

/* So many of each are the first of each in the ranking of all; what has no name is of none. */
static void so_many_of_each_are_the_first_of_all(void **state)
{
    static const char *const rankings[] = {
        "count; by service; by error_type; rank; order most",
        "count; where level >= ERROR; by environment; by service; rank; order fewest",
        "error_rate; by service; by environment; rank; order most",
        "p 0.95; by service; by endpoint; rank; order most",
        "count; by host; by metadata.region; rank; order most",
    };
    for (size_t i = 0; i < sizeof rankings / sizeof *rankings; i++) {
        for (int most = 1; most <= 3; most++) {
            struct lm_arena arena;
            struct lm_error error;
            struct outcome all;
            struct outcome each;
            char spec[MAX_SPEC];
            lm_arena_init(&arena, (size_t)64 << 20);
            snprintf(spec, sizeof spec, "%s; in 2026-03-15T00:00:00Z/2026-03-18T05:35:20Z", rankings[i]);
            assert_true(ask(*state, spec, &arena, false, &all, &error));
            snprintf(spec, sizeof spec, "%s; each %d; in 2026-03-15T00:00:00Z/2026-03-18T05:35:20Z",
                     rankings[i], most);
            assert_true(ask(*state, spec, &arena, false, &each, &error));
            int expected = 0;
            for (int row = 0; row < PQntuples(all.rows); row++) {
                int before = 0;
                for (int k = 0; k < row; k++) {
                    before += same_text(all.rows, k, all.rows, row, 0) && !PQgetisnull(all.rows, k, 1);
                }
                if (before >= most || PQgetisnull(all.rows, row, 0) || PQgetisnull(all.rows, row, 1)) {
                    continue;
                }
                expected++;
                int at = 0;
                while (at < PQntuples(each.rows) && !(same_text(all.rows, row, each.rows, at, 0) &&
                                                      same_text(all.rows, row, each.rows, at, 1) &&
                                                      same_text(all.rows, row, each.rows, at, 2))) {
                    at++;
                }
                if (at == PQntuples(each.rows)) {
                    fail_msg("%s\n%s, %s is not among them\n%s", spec, PQgetvalue(all.rows, row, 0),
                             PQgetvalue(all.rows, row, 1), each.sql.text);
                }
            }
            if (expected < 2 || PQntuples(each.rows) != expected) {
                fail_msg("%s\n%d rows, of %d expected", spec, PQntuples(each.rows), expected);
            }
            assert_answered(spec, &each, &arena);
            PQclear(all.rows);
            PQclear(each.rows);
            lm_arena_free(&arena);
        }
    }
}

/* Those above one of them are what a list of all has above it. */
static void groups_above_one_are_those_listed_above_it(void **state)
{
    static const char *const measures[] = {
        "count", "count; where level >= ERROR", "error_rate", "distinct user_id", "p 0.95", "avg"};
    static const char *const windows[] = {"in 2026-03-16T00:10:00Z/2026-03-18T00:00:00Z",
                                          "in 2026-03-17T13:00:00Z/2026-03-17T14:00:00Z"};
    int some = 0;
    for (size_t i = 0; i < sizeof measures / sizeof *measures * 4; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome listed;
        struct outcome above;
        char spec[MAX_SPEC];
        char clause[MAX_SPEC];
        lm_arena_init(&arena, (size_t)64 << 20);
        snprintf(spec, sizeof spec, "%s; by %s; rank; order most; %s", measures[i / 4],
                 i % 2 ? "host" : "service", windows[i / 2 % 2]);
        assert_true(ask(*state, spec, &arena, true, &listed, &error));
        int one = PQntuples(listed.rows) / 2;
        if (PQntuples(listed.rows) > 2 && !PQgetisnull(listed.rows, one, 0)) {
            int expected = 0;
            double figure = strtod(PQgetvalue(listed.rows, one, 1), NULL);
            for (int row = 0; row < PQntuples(listed.rows); row++) {
                expected += !PQgetisnull(listed.rows, row, 0) && !PQgetisnull(listed.rows, row, 1) &&
                            strtod(PQgetvalue(listed.rows, row, 1), NULL) > figure;
            }
            snprintf(clause, sizeof clause, "above %s", PQgetvalue(listed.rows, one, 0));
            random_add(spec, clause);
            compare(*state, spec, 1e-9);
            assert_true(ask(*state, spec, &arena, true, &above, &error));
            if (PQntuples(above.rows) != expected) {
                fail_msg("%s\n%d, not %d\n%s", spec, PQntuples(above.rows), expected, above.sql.text);
            }
            some += expected > 0;
            PQclear(above.rows);
        }
        PQclear(listed.rows);
        lm_arena_free(&arena);
    }
    assert_true(some > 0);
}

/* Groups are as many as a list of them would have, whatever they are read from. */
static void groups_counted_are_as_many_as_are_listed(void **state)
{
    static const char *const conditions[] = {
        "count; having > 300",
        "count; where level >= ERROR; having >= 20",
        "error_rate; having > 0.1",
        "avg; having > 60",
        "p 0.95; having > 90",
        "distinct user_id; having >= 5",
        "count; without; where level in FATAL",
        "count; rank; order most; against 2026-03-14T00:00:00Z/2026-03-16T00:00:00Z",
        "error_rate; rank; order fewest; against 2026-03-14T00:00:00Z/2026-03-16T00:00:00Z",
    };
    static const char *const fields[] = {"by service", "by host", "by metadata.region", "by tag"};
    int some = 0;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions * 2; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome listed;
        struct outcome counted;
        char spec[MAX_SPEC];
        lm_arena_init(&arena, (size_t)64 << 20);
        snprintf(spec, sizeof spec, "%s; %s; in 2026-03-16T00:10:00Z/2026-03-18T00:00:00Z", conditions[i / 2],
                 fields[i % 2 == 0 ? 0 : 1 + i / 2 % 3]);
        assert_true(ask(*state, spec, &arena, true, &listed, &error));
        random_add(spec, "counted");
        compare(*state, spec, 0);
        assert_true(ask(*state, spec, &arena, false, &counted, &error));
        assert_int_equal(PQntuples(counted.rows), 1);
        int found = atoi(PQgetvalue(counted.rows, 0, 0));
        int named = 0;
        for (int row = 0; row < PQntuples(listed.rows); row++) {
            named += !PQgetisnull(listed.rows, row, 0);
        }
        if (found != named) {
            fail_msg("%s\n%d, of %d listed\n%s", spec, found, named, counted.sql.text);
        }
        some += found > 0;
        PQclear(counted.rows);
        if (i / 2 < 2) {
            long long sum = 0;
            for (int row = 0; row < PQntuples(listed.rows); row++) {
                sum += PQgetisnull(listed.rows, row, 0) ? 0 : atoll(PQgetvalue(listed.rows, row, 1));
            }
            memcpy(strstr(spec, "counted"), "summed ", strlen("counted"));
            spec[strlen(spec) - 1] = '\0';
            assert_true(ask(*state, spec, &arena, false, &counted, &error));
            assert_int_equal(atoll(PQgetvalue(counted.rows, 0, 0)), sum);
            PQclear(counted.rows);
        }
        PQclear(listed.rows);
        lm_arena_free(&arena);
    }
    assert_true(some > 9);
}

/* Of each bucket the first of its groups, as in the series of all. */
static void the_first_of_each_bucket_are_those_of_the_series(void **state)
{
    static const char *const rankings[] = {
        "count; series 3600; by service; rank; order most; where level >= ERROR",
        "count; series 86400; by host; rank; order fewest",
        "error_rate; series 7200; by environment; rank; order most",
    };
    for (size_t i = 0; i < sizeof rankings / sizeof *rankings; i++) {
        struct lm_arena arena;
        struct lm_error error;
        struct outcome all;
        struct outcome each;
        char spec[MAX_SPEC];
        lm_arena_init(&arena, (size_t)64 << 20);
        snprintf(spec, sizeof spec, "%s; in 2026-03-15T00:00:00Z/2026-03-18T05:35:20Z", rankings[i]);
        assert_true(ask(*state, spec, &arena, true, &all, &error));
        bool fewest = all.intent.order == AG_FEWEST;
        random_add(spec, "each 1");
        compare(*state, spec, 1e-9);
        assert_true(ask(*state, spec, &arena, false, &each, &error));
        int buckets = 0;
        for (int row = 0; row < PQntuples(all.rows); row++) {
            buckets += row == 0 || !same_text(all.rows, row, all.rows, row - 1, 0);
        }
        assert_int_equal(PQntuples(each.rows), buckets);
        for (int row = 0; row < PQntuples(all.rows); row++) {
            int at = 0;
            while (at < buckets && !same_text(all.rows, row, each.rows, at, 0)) {
                at++;
            }
            assert_true(at < buckets);
            double any = atof(PQgetvalue(all.rows, row, 2));
            double first = atof(PQgetvalue(each.rows, at, 2));
            assert_true(PQgetisnull(all.rows, row, 1) || (fewest ? any >= first : any <= first));
        }
        PQclear(all.rows);
        PQclear(each.rows);
        lm_arena_free(&arena);
    }
}

/* Within 3 % of a sample, where the window is longer than rows may be read. */
static void percentiles_from_histograms_are_close(void **state)
{
    struct world *world = *state;
    size_t compared = 0;
    for (int i = 0; i < 20; i++) {
        char spec[MAX_SPEC];
        snprintf(spec, sizeof spec, "p 0.5 0.9");
        if (random_draw(2) == 0) {
            random_add(spec, random_coarse_group());
        }
        if (random_draw(2) == 0) {
            random_add(spec, "where service in api");
        }
        /* In the short one a group has few durations: the two a percentile lies between are far apart. */
        random_add(spec, i % 2 == 0 ? "in 2026-03-13T11:22:33Z/2026-03-18T05:35:20Z"
                                    : "in 2026-03-18T04:10:33Z/2026-03-18T05:35:20Z");
        struct lm_arena arena;
        struct lm_error error;
        struct outcome exact;
        struct outcome close;
        lm_arena_init(&arena, (size_t)16 << 20);
        assert_true(ask(world, spec, &arena, true, &exact, &error));
        assert_true(intent_spec_parse(spec, &arena, &close.intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 10000, .rows_since_us = INT64_MIN};
        assert_int_equal(ag_sql_write(&close.intent, &context, &arena, &close.sql, &error), 0);
        assert_int_equal(close.sql.source, AG_FROM_HISTOGRAMS);
        close.rows = PQexecParams(world->db, close.sql.text, 0, NULL, NULL, NULL, NULL, 0);
        assert_int_equal(PQresultStatus(close.rows), PGRES_TUPLES_OK);
        assert_int_equal(PQntuples(close.rows), PQntuples(exact.rows));
        int samples = PQfnumber(exact.rows, "samples");
        for (int row = 0; row < PQntuples(exact.rows); row++) {
            int other = 0;
            while (!same_key(&exact, row, &close, other)) {
                other++;
                assert_true(other < PQntuples(close.rows));
            }
            assert_string_equal(PQgetvalue(exact.rows, row, samples), PQgetvalue(close.rows, other, samples));
            for (size_t column = 0; column < exact.sql.column_count; column++) {
                if (exact.sql.columns[column].role == AG_ROLE_MEASURE) {
                    assert_true(same_cell(PQgetvalue(exact.rows, row, (int)column),
                                          PQgetvalue(close.rows, other, (int)column), AG_NUMBER, 0.031));
                    compared++;
                }
            }
        }
        PQclear(exact.rows);
        PQclear(close.rows);
        lm_arena_free(&arena);
    }
    assert_true(compared > 50);
}

static void parts_of_the_rollups_are_those_of_the_rows(void **state)
{
    size_t from[4] = {0};

    for (int i = 0; i < 120; i++) {
        char spec[MAX_SPEC];
        random_parts(spec);
        from[compare(*state, spec, 1e-9)]++;
    }
    assert_true(from[AG_FROM_MINUTES] > 20 && from[AG_FROM_LOGS] > 20);
}

int main(void)
{
    if (getenv("LOGMILL_TEST_POSTGRES_URL") == NULL) {
        puts("skipped: LOGMILL_TEST_POSTGRES_URL does not name a PostgreSQL to test against");
        return 77;
    }
    if (getenv("LOGMILL_SEED") != NULL) {
        random_seed(strtoull(getenv("LOGMILL_SEED"), NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rollups_answer_as_the_rows_do),
        cmocka_unit_test(whatever_is_asked_runs_or_is_refused),
        cmocka_unit_test(numbers_of_a_key_are_what_the_rows_hold),
        cmocka_unit_test(lists_filled_from_the_coarse_index_are_the_same_rows),
        cmocka_unit_test(silent_and_new_are_the_same_from_rollups),
        cmocka_unit_test(silent_and_new_are_decided_within_a_folded_hour),
        cmocka_unit_test(what_is_outside_of_a_window_is_taken_away_with_its_group),
        cmocka_unit_test(windows_that_end_inside_a_second_are_what_the_rows_are),
        cmocka_unit_test(several_statistics_are_the_same_from_rollups),
        cmocka_unit_test(who_had_none_is_the_same_from_rollups),
        cmocka_unit_test(so_many_of_each_are_the_first_of_all),
        cmocka_unit_test(groups_counted_are_as_many_as_are_listed),
        cmocka_unit_test(groups_above_one_are_those_listed_above_it),
        cmocka_unit_test(the_first_of_each_bucket_are_those_of_the_series),
        cmocka_unit_test(percentiles_from_histograms_are_close),
        cmocka_unit_test(parts_of_the_rollups_are_those_of_the_rows),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
