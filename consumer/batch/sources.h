/*
 * The repeat filter of one partition: the last sequence of each producer's stream (design.md 3).
 *
 * Loaded from ingest_source when the partition is assigned; from then on this consumer is the only one that
 * moves it (another's commit would fail our compare-and-set, and then the whole cache is dropped), so memory
 * is the truth and PostgreSQL is not asked again. Bounded by two generations: when the young one is full the
 * old one is forgotten, and a source in neither must be looked up. Only what a commit has covered is ever
 * forgotten.
 *
 * Batches of a partition are numbered from 1 upwards; they commit in that order or are all dropped with this
 * cache.
 */
#ifndef LOGMILL_CONSUMER_BATCH_SOURCES_H
#define LOGMILL_CONSUMER_BATCH_SOURCES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co_sources;

/* What a batch moves: one for each source it holds records of. */
struct co_source_move {
    int64_t source;
    int64_t sequence; /* the highest */
    int64_t time_us;  /* Kafka time of the last record */
};

enum co_verdict {
    CO_VERDICT_NEW,    /* store it */
    CO_VERDICT_REPEAT, /* drop it */
    CO_VERDICT_UNKNOWN /* not in the cache and the cache is not complete: look it up, co_sources_load, ask
                          again */
};

/* At most about `max` sources are held. NULL without memory. */
struct co_sources *co_sources_new(size_t max);
void co_sources_free(struct co_sources *sources);

/* Whether the verdict on a source is known without PostgreSQL. */
bool co_sources_knows(const struct co_sources *sources, int64_t source);
/* A source as PostgreSQL has it; one that is there already stays as it is. 0, or -1 without memory. */
int co_sources_load(struct co_sources *sources, int64_t source, int64_t sequence) LM_MUST_CHECK;
/* A source that PostgreSQL does not have: whatever sequence comes first is new. As above. */
int co_sources_load_new(struct co_sources *sources, int64_t source) LM_MUST_CHECK;
/* Everything PostgreSQL has was loaded (true) or only a part. */
void co_sources_set_complete(struct co_sources *sources, bool complete);

/* Every later verdict belongs to batch `serial`, whose moves are collected anew. */
void co_sources_begin(struct co_sources *sources, uint32_t serial);
/* Batches up to `serial` are committed. */
void co_sources_committed(struct co_sources *sources, uint32_t serial);

/*
 * Decides, and moves the source forward on CO_VERDICT_NEW; *move is then the position in moves[] to fill:
 * equal to move_count for a source the batch did not have yet. 0, or -1 without memory.
 */
int co_sources_decide(struct co_sources *sources, int64_t source, int64_t sequence, size_t move_count,
                      enum co_verdict *verdict, size_t *move) LM_MUST_CHECK;
/* How many are remembered. */
size_t co_sources_count(const struct co_sources *sources);

#endif
