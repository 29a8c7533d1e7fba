#include "consumer/batch/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOURCES 300
#define STEPS 200000

/* What PostgreSQL would hold, and the filter without any bound. */
struct model {
    int64_t last[SOURCES];      /* with the batch being filled */
    int64_t committed[SOURCES]; /* ingest_source */
    int moved_in[SOURCES];      /* batch */
};

static enum co_verdict ask(struct co_sources *sources, int64_t source, int64_t sequence, size_t *moves)
{
    enum co_verdict verdict;
    size_t move;
    assert_int_equal(co_sources_decide(sources, source, sequence, *moves, &verdict, &move), 0);
    if (verdict == CO_VERDICT_NEW) {
        assert_true(move <= *moves);
        *moves += move == *moves;
    }
    return verdict;
}

/* Whatever is forgotten in between, with look-ups in what is committed no verdict differs from the model's.
 */
static void verdicts_are_those_of_an_unbounded_filter(void **state)
{
    struct model model;
    size_t looked_up = 0;
    (void)state;

    for (int seed = 1; seed <= 4; seed++) {
        struct co_sources *sources = co_sources_new((size_t)seed * 40);
        uint32_t serial = 1;
        size_t moves = 0;
        srand((unsigned)seed);
        for (int i = 0; i < SOURCES; i++)
            model.last[i] = model.committed[i] = INT64_MIN;
        co_sources_set_complete(sources, true);
        co_sources_begin(sources, serial);
        for (int step = 0; step < STEPS; step++) {
            int source = rand() % SOURCES;
            int64_t sequence = rand() % 5000 + step / 100;
            enum co_verdict verdict = ask(sources, source, sequence, &moves);
            if (verdict == CO_VERDICT_UNKNOWN) {
                looked_up++;
                assert_int_equal(model.last[source],
                                 model.committed[source]); /* nothing uncommitted is forgotten */
                assert_int_equal(co_sources_load(sources, source, model.committed[source]), 0);
                verdict = ask(sources, source, sequence, &moves);
            }
            assert_int_equal(verdict, sequence > model.last[source] ? CO_VERDICT_NEW : CO_VERDICT_REPEAT);
            if (verdict == CO_VERDICT_NEW)
                model.last[source] = sequence;
            if (rand() % 200 == 0) { /* the batch is sealed; the one before it commits */
                static int64_t sealed[SOURCES];
                if (serial > 1) {
                    co_sources_committed(sources, serial - 1);
                    memcpy(model.committed, sealed, sizeof(sealed));
                }
                memcpy(sealed, model.last, sizeof(sealed));
                co_sources_begin(sources, ++serial);
                moves = 0;
            }
        }
        co_sources_free(sources);
    }
    assert_true(looked_up > 1000);
}

static void a_source_moves_once_in_a_batch_and_again_in_the_next(void **state)
{
    struct co_sources *sources = co_sources_new(1000);
    size_t move;
    enum co_verdict verdict;
    (void)state;

    co_sources_set_complete(sources, true);
    co_sources_begin(sources, 1);
    assert_int_equal(co_sources_decide(sources, 7, 1, 0, &verdict, &move), 0);
    assert_int_equal(move, 0);
    assert_int_equal(co_sources_decide(sources, 8, 1, 1, &verdict, &move), 0);
    assert_int_equal(move, 1);
    assert_int_equal(co_sources_decide(sources, 7, 2, 2, &verdict, &move), 0);
    assert_int_equal(move, 0);
    co_sources_begin(sources, 2);
    assert_int_equal(co_sources_decide(sources, 7, 3, 0, &verdict, &move), 0);
    assert_int_equal(move, 0);
    co_sources_free(sources);
}

static void memory_stays_bounded_when_every_source_is_new(void **state)
{
    struct co_sources *sources = co_sources_new(1000);
    size_t moves = 0;
    (void)state;

    co_sources_set_complete(sources, true);
    for (uint32_t serial = 1; serial <= 200; serial++) {
        co_sources_begin(sources, serial);
        for (int i = 0; i < 100; i++) {
            int64_t source = (int64_t)serial * 1000 + i;
            if (ask(sources, source, 1, &moves) == CO_VERDICT_UNKNOWN)
                assert_int_equal(co_sources_load(sources, source, 0), 0);
        }
        co_sources_committed(sources, serial);
        assert_true(co_sources_count(sources) <= 1200);
    }
    co_sources_free(sources);
}

static void a_source_postgres_does_not_know_may_begin_with_any_sequence(void **state)
{
    struct co_sources *sources = co_sources_new(1000);
    size_t moves = 0;
    (void)state;

    co_sources_begin(sources, 1);
    assert_int_equal(ask(sources, 7, INT64_MIN, &moves), CO_VERDICT_UNKNOWN);
    assert_int_equal(co_sources_load_new(sources, 7), 0);
    assert_int_equal(ask(sources, 7, INT64_MIN, &moves), CO_VERDICT_NEW);
    assert_int_equal(ask(sources, 7, INT64_MIN, &moves), CO_VERDICT_REPEAT);
    assert_int_equal(co_sources_load(sources, 8, INT64_MIN), 0);
    assert_int_equal(ask(sources, 8, INT64_MIN, &moves), CO_VERDICT_REPEAT);
    co_sources_free(sources);
}

static void loading_a_source_again_changes_nothing(void **state)
{
    struct co_sources *sources = co_sources_new(1000);
    size_t moves = 0;
    (void)state;

    co_sources_begin(sources, 1);
    assert_false(co_sources_knows(sources, 7));
    assert_int_equal(co_sources_load(sources, 7, 5), 0);
    assert_true(co_sources_knows(sources, 7));
    assert_int_equal(ask(sources, 7, 9, &moves), CO_VERDICT_NEW);
    assert_int_equal(co_sources_load(sources, 7, 5), 0); /* asked twice: the answer is older than the batch */
    assert_int_equal(co_sources_load_new(sources, 7), 0);
    assert_int_equal(ask(sources, 7, 9, &moves), CO_VERDICT_REPEAT);
    assert_int_equal(co_sources_count(sources), 1);
    co_sources_free(sources);
}

/* ---- a partition: its log, what PostgreSQL holds, and a consumer that fails at any moment ---- */

#define LOG 6000
#define PRODUCERS 150

struct sent {
    int source;
    int64_t sequence;
};

struct partition {
    struct sent log[LOG];
    int stored[LOG];         /* how often record i is a row */
    int64_t last[PRODUCERS]; /* ingest_source; INT64_MIN: no row */
    bool expired[PRODUCERS]; /* its row was removed once: what it sends again may be stored again */
    int committed;           /* ingest_offset */
};

/* Streams of many producers, each of which now and then sends again from an old position. */
static void write_log(struct partition *partition)
{
    int64_t at[PRODUCERS] = {0};

    *partition = (struct partition){0};
    for (int i = 0; i < LOG; i++) {
        int source = rand() % PRODUCERS;
        if (rand() % 20 == 0)
            at[source] -= rand() % (at[source] + 1);
        partition->log[i] = (struct sent){source, ++at[source]};
    }
    for (int i = 0; i < PRODUCERS; i++)
        partition->last[i] = INT64_MIN;
}

/* As a partition is located: of what PostgreSQL holds everything, or what there is room for. */
static struct co_sources *locate(const struct partition *partition, size_t max)
{
    struct co_sources *sources = co_sources_new(max);
    size_t loaded = 0;

    co_sources_set_complete(sources, true);
    for (int i = 0; i < PRODUCERS; i++) {
        if (partition->last[i] == INT64_MIN)
            continue;
        if (loaded++ == max)
            co_sources_set_complete(sources, false);
        if (loaded <= max)
            assert_int_equal(co_sources_load(sources, i, partition->last[i]), 0);
    }
    return sources;
}

#define LINE_MAX 3 /* two in line, one being filled */

struct batch {
    int from, to; /* of the log */
    int rows[200];
    size_t row_count;
    int64_t last[PRODUCERS]; /* its moves; INT64_MIN: none */
};

static void begin(struct co_sources *sources, struct batch *batch, uint32_t serial, int position)
{
    co_sources_begin(sources, serial);
    batch->from = batch->to = position;
    batch->row_count = 0;
    for (int i = 0; i < PRODUCERS; i++)
        batch->last[i] = INT64_MIN;
}

static void take(struct co_sources *sources, struct partition *partition, struct batch *batch, size_t *moves)
{
    const struct sent *sent = &partition->log[batch->to];
    enum co_verdict verdict = ask(sources, sent->source, sent->sequence, moves);

    if (verdict == CO_VERDICT_UNKNOWN) {
        int64_t last = partition->last[sent->source];
        assert_int_equal(last == INT64_MIN ? co_sources_load_new(sources, sent->source)
                                           : co_sources_load(sources, sent->source, last),
                         0);
        verdict = ask(sources, sent->source, sent->sequence, moves);
    }
    assert_int_not_equal(verdict, CO_VERDICT_UNKNOWN);
    if (verdict == CO_VERDICT_NEW) {
        batch->rows[batch->row_count++] = batch->to;
        batch->last[sent->source] = sent->sequence;
    }
    batch->to++;
}

static void commit(struct partition *partition, const struct batch *batch)
{
    assert_int_equal(partition->committed, batch->from);
    for (size_t i = 0; i < batch->row_count; i++)
        partition->stored[batch->rows[i]]++;
    for (int i = 0; i < PRODUCERS; i++) {
        if (batch->last[i] != INT64_MIN)
            partition->last[i] = batch->last[i];
    }
    partition->committed = batch->to;
}

/* A record is stored once, at the first place where it stands: what stands later is a repeat. */
static void check(const struct partition *partition)
{
    static bool seen[PRODUCERS][LOG + 1];
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < LOG; i++) {
        const struct sent *sent = &partition->log[i];
        bool *before = &seen[sent->source][sent->sequence];
        if (!*before || !partition->expired[sent->source])
            assert_int_equal(partition->stored[i], *before ? 0 : 1);
        *before = true;
    }
}

static void whatever_fails_every_record_is_stored_once(void **state)
{
    static struct partition partition;
    static struct batch line[LINE_MAX];
    size_t starts = 0, expiries = 0;
    (void)state;

    for (int seed = 1; seed <= 60; seed++) {
        srand((unsigned)seed);
        write_log(&partition);
        while (partition.committed < LOG) {
            struct co_sources *sources = locate(&partition, (size_t)(4 + rand() % 300));
            uint32_t serial = 1, committed = 0;
            size_t moves = 0;
            bool lost = false;

            starts++;
            begin(sources, &line[serial % LINE_MAX], serial, partition.committed);
            while (!lost && partition.committed < LOG) {
                struct batch *batch = &line[serial % LINE_MAX];
                int chance = rand() % 1000;
                if (chance < 3) { /* killed, fenced, or the outcome unknown: the committed state decides */
                    lost = true;
                } else if (chance < 5) { /* long ago for PostgreSQL, whatever memory still knows */
                    int source = rand() % PRODUCERS;
                    partition.expired[source] = true;
                    expiries += partition.last[source] != INT64_MIN;
                    partition.last[source] = INT64_MIN;
                } else if (chance < 60 && committed + 1 < serial) {
                    commit(&partition, &line[++committed % LINE_MAX]);
                    co_sources_committed(sources, committed);
                } else if ((batch->row_count == 200 || batch->to == LOG || chance < 80) &&
                           batch->to > batch->from && serial - committed < LINE_MAX) {
                    begin(sources, &line[(serial + 1) % LINE_MAX], serial + 1, batch->to);
                    serial++;
                    moves = 0;
                } else if (batch->row_count < 200 && batch->to < LOG) {
                    take(sources, &partition, batch, &moves);
                }
            }
            co_sources_free(sources);
        }
        check(&partition);
    }
    assert_true(starts > 200 && expiries > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_those_of_an_unbounded_filter),
        cmocka_unit_test(a_source_moves_once_in_a_batch_and_again_in_the_next),
        cmocka_unit_test(memory_stays_bounded_when_every_source_is_new),
        cmocka_unit_test(a_source_postgres_does_not_know_may_begin_with_any_sequence),
        cmocka_unit_test(loading_a_source_again_changes_nothing),
        cmocka_unit_test(whatever_fails_every_record_is_stored_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
