/*
 * What the filter for producers' repeats costs a row: the verdict and the move for each, and their part of
 * the closing message. Batches of 10,000 rows of 1,000 (or SOURCES) sources, of 100,000 known in the
 * partition.
 *
 *   bench_sources [SOURCES [KNOWN]]
 */
#include "common/clock.h"
#include "consumer/batch/batch.h"
#include "consumer/writer/closing.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS 10000
#define BATCHES 500

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* An id as producers make them: random 64 bits. */
static int64_t id_of(uint64_t number)
{
    return (int64_t)draw(&number);
}

static size_t fill(struct co_sources *sources, struct co_batch *batch, uint32_t serial, uint64_t known,
                   uint64_t count, uint64_t *state, int64_t *sequences)
{
    uint64_t first = draw(state) % (known - count + 1);
    size_t repeats = 0;

    co_sources_begin(sources, serial);
    for (size_t i = 0; i < ROWS; i++) {
        enum co_verdict verdict;
        size_t move;
        uint64_t number = first + draw(state) % count;
        int64_t sequence = sequences[number]++ - (i % 100 == 0); /* one in a hundred is a repeat */

        if (co_batch_reserve(batch) != 0 ||
            co_sources_decide(sources, id_of(number), sequence, batch->move_count, &verdict, &move) != 0)
            exit(1);
        if (verdict != CO_VERDICT_NEW) {
            repeats++;
            continue;
        }
        batch->move_count += move == batch->move_count;
        batch->moves[move] = (struct co_source_move){id_of(number), sequence, sequence};
    }
    return repeats;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t known = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000, state = 1;
    struct co_chunks chunks = {0};
    const struct co_closing_options options = {
        .topic = "logs.raw", .category = LM_RAW, .lock_timeout_ms = 10000};
    struct co_sources *sources = co_sources_new(2 * known);
    struct co_batch *batch = co_batch_new(&chunks);
    int64_t *sequences = calloc(known, sizeof(*sequences));
    double decide = 0, close = 0;
    size_t moves = 0, repeats = 0;
    struct lm_error error;

    if (count == 0 || known < count || sources == NULL || batch == NULL || sequences == NULL)
        return 1;
    for (uint64_t i = 0; i < known; i++) {
        if (co_sources_load(sources, id_of(i), -1) != 0)
            return 1;
    }
    co_sources_set_complete(sources, true);
    for (uint32_t serial = 1; serial <= BATCHES; serial++) {
        double begun = cpu_seconds();
        repeats += fill(sources, batch, serial, known, count, &state, sequences);
        double filled = cpu_seconds();
        if (co_closing_write(batch, &options, &error) != 0)
            return 1;
        co_sources_committed(sources, serial);
        decide += filled - begun;
        close += cpu_seconds() - filled;
        moves += batch->move_count;
        co_batch_reset(batch);
    }
    printf("%llu sources a batch of %d rows, %llu known: %.3f us a row (verdicts %.3f, closing message "
           "%.3f); %zu "
           "moves, %zu repeats\n",
           (unsigned long long)count, ROWS, (unsigned long long)known,
           (decide + close) * 1e6 / (ROWS * (double)BATCHES), decide * 1e6 / (ROWS * (double)BATCHES),
           close * 1e6 / (ROWS * (double)BATCHES), moves, repeats);
    free(sequences);
    co_batch_free(batch);
    co_sources_free(sources);
    return 0;
}
