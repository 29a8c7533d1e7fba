/*
 * What a batch adds to the rollups, aggregated while its rows are written: counts by minute, service,
 * environment and level with durations; error patterns by hour; which event hours and which leaves it
 * touches.
 *
 * The texts of a key are copied when it is met first, into an arena of the aggregation's own.
 */
#ifndef LOGMILL_CONSUMER_ROLLUP_H
#define LOGMILL_CONSUMER_ROLLUP_H

#include "common/arena.h"
#include "common/record.h"
#include "consumer/index.h"

struct co_group {
    int64_t minute_us;
    struct lm_slice service, environment;
    enum lm_level level;
    int64_t n;
    int64_t duration_n;
    int64_t duration_sum_us; /* capped at INT64_MAX */
    int64_t duration_max_us;
};

/* `count` durations of group `group` fell into `bucket`. */
struct co_bucket {
    uint32_t group;
    int16_t bucket;
    int64_t count;
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
    struct co_bucket *buckets;
    size_t bucket_count, bucket_cap;
    struct co_error_group *errors;
    size_t error_count, error_cap;
    int64_t *hours; /* distinct event hours, microseconds */
    size_t hour_count, hour_cap;
    struct co_index group_index, bucket_index, error_index;
    uint32_t last_group; /* the previous record's, tried first */
    struct lm_arena texts;
};

void co_rollup_init(struct co_rollup *rollup);
void co_rollup_free(struct co_rollup *rollup);
void co_rollup_clear(struct co_rollup *rollup);
/* `service` is what the rollups call it: the record's own or "(other)". 0, or -1 without memory (nothing was
 * added). */
int co_rollup_add(struct co_rollup *rollup, const struct lm_record *record, struct lm_slice service,
                  int64_t pattern) LM_MUST_CHECK;
/* Orders buckets by group, then bucket: the order the closing message needs. */
void co_rollup_sort(struct co_rollup *rollup);

/* Start of the minute or hour, also before 1970. */
int64_t co_floor_us(int64_t us, int64_t unit_us);

#endif
