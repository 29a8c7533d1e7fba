#include "consumer/sources.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts_are_those_of_an_unbounded_filter),
                                       cmocka_unit_test(a_source_moves_once_in_a_batch_and_again_in_the_next),
                                       cmocka_unit_test(memory_stays_bounded_when_every_source_is_new)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
