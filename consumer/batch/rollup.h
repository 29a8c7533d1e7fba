/*
 * What a batch adds to the rollups, aggregated while its rows are written: counts by minute, service,
 * environment and level with their seconds and durations; error patterns by hour; which event hours and which
 * leaves it touches.
 *
 * The texts of a key are copied when it is met first, into an arena of the aggregation's own.
 */
#ifndef LOGMILL_CONSUMER_BATCH_ROLLUP_H
#define LOGMILL_CONSUMER_BATCH_ROLLUP_H

#include "common/arena.h"
#include "common/record/record.h"
#include "consumer/batch/duration.h"
#include "consumer/batch/index.h"

/* Histograms are kept in blocks of buckets, which take room only where something was counted. */
enum {
    CO_BLOCK_BUCKETS = 32,
    CO_SECOND_MAX = 59, /* of a minute */
    CO_DURATION_BLOCKS = CO_DURATION_BUCKET_MAX / CO_BLOCK_BUCKETS + 1,
    CO_SECOND_BLOCKS = CO_SECOND_MAX / CO_BLOCK_BUCKETS + 1
};

struct co_group {
    int64_t minute_us;
    uint32_t place; /* service and environment, as co_names_add numbers them */
    enum lm_level level;
    int64_t n;
    int64_t duration_n;
    int64_t duration_sum_us; /* capped at INT64_MAX */
    int64_t duration_max_us;
    /* Positions of blocks in co_rollup.blocks, from 1; 0: nothing in these buckets. */
    uint32_t second_blocks[CO_SECOND_BLOCKS];
    uint32_t duration_blocks[CO_DURATION_BLOCKS];
    struct lm_slice service, environment;
};

/* How much of a group fell into each of these buckets. */
struct co_bucket_block {
    uint32_t count[CO_BLOCK_BUCKETS];
};

/* One of a group's histograms; as long as nothing is added to the rollup. */
struct co_histogram {
    const struct co_bucket_block *all; /* co_rollup.blocks */
    const uint32_t *blocks;            /* the group's */
    int bucket_max;
};

struct co_error_group {
    int64_t hour_us;
    struct lm_slice service, environment;
    struct lm_slice error_type; /* "" where the record has none */
    int64_t pattern;
    int64_t n;
    int64_t first_us, last_us;
    struct lm_slice sample; /* message, at most CO_SAMPLE_MAX bytes, cut at a character */
};
#define CO_SAMPLE_MAX 1000

struct co_rollup {
    struct co_group *groups;
    size_t group_count, group_cap;
    struct co_bucket_block *blocks;
    size_t block_count, block_cap;
    struct co_error_group *errors;
    size_t error_count, error_cap;
    int64_t *hours; /* distinct event hours, microseconds */
    size_t hour_count, hour_cap;
    struct co_index group_index, error_index;
    uint32_t last_group; /* the previous record's, tried first */
    struct lm_arena texts;
};

void co_rollup_init(struct co_rollup *rollup);
void co_rollup_free(struct co_rollup *rollup);
void co_rollup_clear(struct co_rollup *rollup);
/*
 * `place` is what co_names_add says of the record's service in its environment: the same number means the
 * same texts. CO_NAMES_NO_PLACE: the rollups call the service "(other)". 0, or -1 without memory (nothing was
 * added).
 */
int co_rollup_add(struct co_rollup *rollup, const struct lm_record *record, uint32_t place,
                  int64_t pattern) LM_MUST_CHECK;
/* The group's durations by co_duration_bucket. */
struct co_histogram co_rollup_durations(const struct co_rollup *rollup, const struct co_group *group);
/* The group's records by the second of their minute, 0..59. */
struct co_histogram co_rollup_seconds(const struct co_rollup *rollup, const struct co_group *group);
/* The first bucket that is not below `from` and not empty, *count in it; -1: all are. */
int co_histogram_next(const struct co_histogram *histogram, int from, uint32_t *count);

/* Start of the minute or hour, also before 1970. */
int64_t co_floor_us(int64_t us, int64_t unit_us);

#endif
