#include "consumer/batch/rollup.h"

#include "common/clock.h"
#include "consumer/batch/array.h"
#include "consumer/batch/names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define TEXTS_MAX ((size_t)1 << 30)
#define OTHER LM_SLICE("(other)")

static uint64_t hash_text(struct lm_slice text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.data, text.len, seed);
}

static uint64_t hash_number(uint64_t value, uint64_t seed)
{
    uint64_t x = (value ^ seed) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

int64_t co_floor_us(int64_t us, int64_t unit_us)
{
    int64_t rest = us % unit_us;
    return us - (rest < 0 ? rest + unit_us : rest);
}

void co_rollup_init(struct co_rollup *rollup)
{
    *rollup = (struct co_rollup){0};
    lm_arena_init(&rollup->texts, TEXTS_MAX);
}

void co_rollup_free(struct co_rollup *rollup)
{
    free(rollup->groups);
    free(rollup->blocks);
    free(rollup->errors);
    free(rollup->hours);
    co_index_free(&rollup->group_index);
    co_index_free(&rollup->error_index);
    lm_arena_free(&rollup->texts);
    co_rollup_init(rollup);
}

void co_rollup_clear(struct co_rollup *rollup)
{
    rollup->group_count = 0;
    rollup->block_count = 0;
    rollup->error_count = 0;
    rollup->hour_count = 0;
    rollup->last_group = 0;
    lm_arena_reset(&rollup->texts);
    co_index_clear(&rollup->group_index);
    co_index_clear(&rollup->error_index);
}

/* A copy that lasts as long as the aggregation. */
static int keep(struct co_rollup *rollup, struct lm_slice *text)
{
    text->data = lm_arena_copy(&rollup->texts, text->data, text->len);
    return text->data == NULL ? -1 : 0;
}

/* Records whose service found no place differ by their environment's text. */
static bool is_group(const struct co_group *group, int64_t minute_us, enum lm_level level, uint32_t place,
                     struct lm_slice environment)
{
    return group->minute_us == minute_us && group->place == place && group->level == level &&
           (place != CO_NAMES_NO_PLACE || lm_slice_equal(group->environment, environment));
}

static uint64_t hash_group(int64_t minute_us, enum lm_level level, uint32_t place,
                           struct lm_slice environment)
{
    uint64_t hash = hash_number((uint64_t)minute_us, (uint64_t)place * LM_LEVEL_COUNT + (uint64_t)level);
    return place == CO_NAMES_NO_PLACE ? hash_text(environment, hash) : hash;
}

static uint32_t find_group(const struct co_rollup *rollup, int64_t minute_us, enum lm_level level,
                           uint32_t place, struct lm_slice environment)
{
    uint64_t hash = hash_group(minute_us, level, place, environment);
    size_t cursor = co_index_start(&rollup->group_index, hash);
    uint32_t at;

    while ((at = co_index_next(&rollup->group_index, hash, &cursor)) != CO_INDEX_NONE) {
        if (is_group(&rollup->groups[at], minute_us, level, place, environment))
            break;
    }
    return at;
}

/* Position of the record's group, made where it is missing; CO_INDEX_NONE without memory. */
static uint32_t group_of(struct co_rollup *rollup, const struct lm_record *record, uint32_t place,
                         struct lm_slice service)
{
    struct lm_slice environment = record->text[LM_ENVIRONMENT];
    int64_t minute_us = co_floor_us(record->timestamp_us, LM_MINUTE_US);
    uint32_t at;

    if (rollup->last_group < rollup->group_count &&
        is_group(&rollup->groups[rollup->last_group], minute_us, record->level, place, environment))
        return rollup->last_group;
    at = find_group(rollup, minute_us, record->level, place, environment);
    if (at != CO_INDEX_NONE)
        return at;

    if (co_array_room(&rollup->groups, rollup->group_count, &rollup->group_cap, sizeof(rollup->groups[0])) !=
        0)
        return CO_INDEX_NONE;
    at = (uint32_t)rollup->group_count;
    if (keep(rollup, &service) != 0 || keep(rollup, &environment) != 0 ||
        co_index_add(&rollup->group_index, hash_group(minute_us, record->level, place, environment), at) != 0)
        return CO_INDEX_NONE;
    rollup->groups[rollup->group_count++] = (struct co_group){.minute_us = minute_us,
                                                              .place = place,
                                                              .level = record->level,
                                                              .service = service,
                                                              .environment = environment};
    return at;
}

/* Makes the block that `bucket` is counted in where it is missing; -1 without memory. */
static int make_block(struct co_rollup *rollup, uint32_t *blocks, int bucket)
{
    uint32_t *block = &blocks[bucket / CO_BLOCK_BUCKETS];

    if (*block != 0)
        return 0;
    if (co_array_room(&rollup->blocks, rollup->block_count, &rollup->block_cap, sizeof(rollup->blocks[0])) !=
        0)
        return -1;
    rollup->blocks[rollup->block_count++] = (struct co_bucket_block){.count = {0}};
    *block = (uint32_t)rollup->block_count;
    return 0;
}

/* Counts one more in `bucket`, whose block is there. */
static void count_bucket(struct co_rollup *rollup, const uint32_t *blocks, int bucket)
{
    uint32_t block = blocks[bucket / CO_BLOCK_BUCKETS];
    rollup->blocks[block - 1].count[bucket % CO_BLOCK_BUCKETS]++;
}

struct co_histogram co_rollup_durations(const struct co_rollup *rollup, const struct co_group *group)
{
    return (struct co_histogram){rollup->blocks, group->duration_blocks, CO_DURATION_BUCKET_MAX};
}

struct co_histogram co_rollup_seconds(const struct co_rollup *rollup, const struct co_group *group)
{
    return (struct co_histogram){rollup->blocks, group->second_blocks, CO_SECOND_MAX};
}

int co_histogram_next(const struct co_histogram *histogram, int from, uint32_t *count)
{
    for (int bucket = from; bucket <= histogram->bucket_max; bucket++) {
        uint32_t block = histogram->blocks[bucket / CO_BLOCK_BUCKETS];
        if (block == 0) {
            bucket |= CO_BLOCK_BUCKETS - 1; /* on to the next block */
            continue;
        }
        *count = histogram->all[block - 1].count[bucket % CO_BLOCK_BUCKETS];
        if (*count > 0)
            return bucket;
    }
    return -1;
}

/* The longest start of `text` within `max` bytes that ends at a character. */
static struct lm_slice cut(struct lm_slice text, size_t max)
{
    if (text.len > max) {
        text.len = max;
        while (text.len > 0 && ((unsigned char)text.data[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return text;
}

static bool is_error_group(const struct co_error_group *group, const struct co_error_group *key)
{
    return group->hour_us == key->hour_us && group->pattern == key->pattern &&
           lm_slice_equal(group->service, key->service) &&
           lm_slice_equal(group->environment, key->environment) &&
           lm_slice_equal(group->error_type, key->error_type);
}

static struct co_error_group *error_group_of(struct co_rollup *rollup, const struct lm_record *record,
                                             struct lm_slice service, int64_t pattern)
{
    struct co_error_group key = {.hour_us = co_floor_us(record->timestamp_us, LM_HOUR_US),
                                 .service = service,
                                 .environment = record->text[LM_ENVIRONMENT],
                                 .error_type = record->text[LM_ERROR_TYPE],
                                 .pattern = pattern,
                                 .sample = cut(record->text[LM_MESSAGE], CO_SAMPLE_MAX),
                                 .first_us = record->timestamp_us,
                                 .last_us = record->timestamp_us};
    uint64_t hash;
    uint32_t at;

    if (key.error_type.data == NULL)
        key.error_type = LM_SLICE("");
    hash = hash_text(key.error_type,
                     hash_text(key.environment,
                               hash_text(service, hash_number((uint64_t)pattern, (uint64_t)key.hour_us))));
    size_t cursor = co_index_start(&rollup->error_index, hash);
    while ((at = co_index_next(&rollup->error_index, hash, &cursor)) != CO_INDEX_NONE) {
        if (is_error_group(&rollup->errors[at], &key))
            return &rollup->errors[at];
    }
    if (co_array_room(&rollup->errors, rollup->error_count, &rollup->error_cap, sizeof(rollup->errors[0])) !=
            0 ||
        keep(rollup, &key.service) != 0 || keep(rollup, &key.environment) != 0 ||
        keep(rollup, &key.error_type) != 0 || keep(rollup, &key.sample) != 0 ||
        co_index_add(&rollup->error_index, hash, (uint32_t)rollup->error_count) != 0)
        return NULL;
    rollup->errors[rollup->error_count] = key;
    return &rollup->errors[rollup->error_count++];
}

/* A batch touches few hours, nearly always the last one again. */
static int touch_hour(struct co_rollup *rollup, int64_t hour_us)
{
    for (size_t i = rollup->hour_count; i-- > 0;) {
        if (rollup->hours[i] == hour_us)
            return 0;
    }
    if (co_array_room(&rollup->hours, rollup->hour_count, &rollup->hour_cap, sizeof(rollup->hours[0])) != 0)
        return -1;
    rollup->hours[rollup->hour_count++] = hour_us;
    return 0;
}

static int64_t add_capped(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

int co_rollup_add(struct co_rollup *rollup, const struct lm_record *record, uint32_t place, int64_t pattern)
{
    struct lm_slice service = record->text[LM_SERVICE];
    struct co_error_group *error_group = NULL;
    int bucket = 0;
    uint32_t at;

    /* One that is called so is of the same groups: a closing message may bring a key once. */
    if (place == CO_NAMES_NO_PLACE || lm_slice_equal(service, OTHER)) {
        place = CO_NAMES_NO_PLACE;
        service = OTHER;
    }
    /* First everything that can fail, then the counting. */
    if (touch_hour(rollup, co_floor_us(record->timestamp_us, LM_HOUR_US)) != 0)
        return -1;
    at = group_of(rollup, record, place, service);
    if (at == CO_INDEX_NONE)
        return -1;
    struct co_group *group = &rollup->groups[at];
    int second = (int)((record->timestamp_us - group->minute_us) / LM_SECOND_US);
    if (make_block(rollup, group->second_blocks, second) != 0)
        return -1;
    if (record->has_duration) {
        bucket = co_duration_bucket(record->duration_ms);
        if (make_block(rollup, group->duration_blocks, bucket) != 0)
            return -1;
    }
    if (record->level >= LM_ERROR && (error_group = error_group_of(rollup, record, service, pattern)) == NULL)
        return -1;

    rollup->last_group = at;
    group->n++;
    count_bucket(rollup, group->second_blocks, second);
    if (record->has_duration) {
        int64_t us = co_duration_us(record->duration_ms);
        count_bucket(rollup, group->duration_blocks, bucket);
        group->duration_n++;
        group->duration_sum_us = add_capped(group->duration_sum_us, us);
        if (us > group->duration_max_us)
            group->duration_max_us = us;
    }
    if (error_group != NULL) {
        error_group->n++;
        if (record->timestamp_us < error_group->first_us)
            error_group->first_us = record->timestamp_us;
        if (record->timestamp_us > error_group->last_us)
            error_group->last_us = record->timestamp_us;
    }
    return 0;
}
