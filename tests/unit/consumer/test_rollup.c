#include "common/clock.h"
#include "consumer/batch/duration.h"
#include "consumer/batch/names.h"
#include "consumer/batch/rollup.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS 5000

static const char *const services[] = {"a", "b", "long-service-name", ""};

static struct lm_record make(int i)
{
    struct lm_record record;
    lm_record_init(&record);
    record.timestamp_us =
        INT64_C(1700000000000000) + (rand() % 7200) * LM_SECOND_US - (i % 50 == 0 ? 400 * LM_DAY_US : 0);
    record.level = (enum lm_level)(rand() % LM_LEVEL_COUNT);
    const char *service = services[rand() % 3];
    record.text[LM_SERVICE] = (struct lm_slice){service, strlen(service)};
    record.text[LM_ENVIRONMENT] = rand() % 2 ? LM_SLICE("production") : LM_SLICE("test");
    record.text[LM_MESSAGE] = LM_SLICE("message");
    if (rand() % 2)
        record.text[LM_ERROR_TYPE] = LM_SLICE("Timeout");
    record.has_duration = rand() % 3 > 0;
    record.duration_ms = rand() % 100000 / 7.0;
    return record;
}

static bool same(struct lm_slice a, struct lm_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* As the names number them: one for each service in each environment. */
static uint32_t place_of(const struct lm_record *record)
{
    uint32_t i = 0;
    while (!same((struct lm_slice){services[i], strlen(services[i])}, record->text[LM_SERVICE]))
        i++;
    return i * 2 + (record->text[LM_ENVIRONMENT].len == strlen("test"));
}

static bool in_group(const struct co_group *group, const struct lm_record *record)
{
    return group->minute_us == co_floor_us(record->timestamp_us, LM_MINUTE_US) &&
           group->level == record->level && same(group->service, record->text[LM_SERVICE]) &&
           same(group->environment, record->text[LM_ENVIRONMENT]);
}

static bool in_error_group(const struct co_error_group *group, const struct lm_record *record,
                           int64_t pattern)
{
    return record->level >= LM_ERROR && group->hour_us == co_floor_us(record->timestamp_us, LM_HOUR_US) &&
           group->pattern == pattern && same(group->service, record->text[LM_SERVICE]) &&
           same(group->environment, record->text[LM_ENVIRONMENT]) &&
           same(group->error_type, record->text[LM_ERROR_TYPE]);
}

/* Whether the histogram holds what is expected of each bucket, and nothing else. */
static void assert_histogram(struct co_histogram histogram, const uint32_t *expected)
{
    uint32_t count;
    int bucket = -1;

    for (int b = 0; b <= histogram.bucket_max; b++) {
        if (expected[b] == 0)
            continue;
        bucket = co_histogram_next(&histogram, bucket + 1, &count);
        assert_int_equal(bucket, b);
        assert_int_equal(count, expected[b]);
    }
    assert_int_equal(co_histogram_next(&histogram, bucket + 1, &count), -1);
}

static void groups_hold_what_counting_one_by_one_gives(void **state)
{
    static struct lm_record records[RECORDS];
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    int64_t counted = 0, errors = 0;
    (void)state;

    srand(1);
    for (int i = 0; i < RECORDS; i++) {
        records[i] = make(i);
        assert_int_equal(co_rollup_add(&rollup, &records[i], place_of(&records[i]), i % 5), 0);
        errors += records[i].level >= LM_ERROR;
    }
    for (size_t g = 0; g < rollup.group_count; g++) {
        const struct co_group *group = &rollup.groups[g];
        int64_t n = 0, dn = 0, sum = 0, max = 0;
        uint32_t durations[CO_DURATION_BUCKET_MAX + 1] = {0}, seconds[CO_SECOND_MAX + 1] = {0};
        for (int i = 0; i < RECORDS; i++) {
            if (!in_group(group, &records[i]))
                continue;
            n++;
            seconds[(records[i].timestamp_us - group->minute_us) / LM_SECOND_US]++;
            if (records[i].has_duration) {
                int64_t us = co_duration_us(records[i].duration_ms);
                dn++;
                durations[co_duration_bucket(records[i].duration_ms)]++;
                sum += us;
                max = us > max ? us : max;
            }
        }
        assert_histogram(co_rollup_durations(&rollup, group), durations);
        assert_histogram(co_rollup_seconds(&rollup, group), seconds);
        assert_int_equal(group->n, n);
        assert_int_equal(group->duration_n, dn);
        assert_int_equal(group->duration_sum_us, sum);
        assert_int_equal(group->duration_max_us, max);
        counted += n;
    }
    assert_int_equal(counted, RECORDS); /* every record is in exactly one group */
    for (size_t g = 0; g < rollup.error_count; g++) {
        const struct co_error_group *group = &rollup.errors[g];
        int64_t n = 0, first = INT64_MAX, last = INT64_MIN;
        for (int i = 0; i < RECORDS; i++) {
            if (!in_error_group(group, &records[i], i % 5))
                continue;
            n++;
            first = records[i].timestamp_us < first ? records[i].timestamp_us : first;
            last = records[i].timestamp_us > last ? records[i].timestamp_us : last;
        }
        assert_int_equal(group->n, n);
        assert_int_equal(group->first_us, first);
        assert_int_equal(group->last_us, last);
        errors -= n;
    }
    assert_int_equal(errors, 0);
    /* Every hour touched, each once: their epochs are raised. */
    for (int i = 0; i < RECORDS; i++) {
        int found = 0;
        for (size_t h = 0; h < rollup.hour_count; h++)
            found += rollup.hours[h] == co_floor_us(records[i].timestamp_us, LM_HOUR_US);
        assert_int_equal(found, 1);
    }
    for (size_t h = 0; h < rollup.hour_count; h++) {
        int i = 0;
        while (i < RECORDS && co_floor_us(records[i].timestamp_us, LM_HOUR_US) != rollup.hours[h])
            i++;
        assert_true(i < RECORDS);
    }
    co_rollup_free(&rollup);
}

static void a_cleared_rollup_is_as_new(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct lm_record record = make(1);
        uint32_t seconds[CO_SECOND_MAX + 1] = {[7] = 1}, durations[CO_DURATION_BUCKET_MAX + 1] = {[0] = 1};
        record.timestamp_us = co_floor_us(record.timestamp_us, LM_MINUTE_US) + 7 * LM_SECOND_US;
        record.has_duration = true;
        record.duration_ms = 0;
        co_rollup_clear(&rollup);
        assert_int_equal(co_rollup_add(&rollup, &record, place_of(&record), 1), 0);
        assert_int_equal(rollup.group_count, 1);
        assert_int_equal(rollup.groups[0].n, 1);
        assert_int_equal(rollup.block_count, 2);
        assert_histogram(co_rollup_seconds(&rollup, &rollup.groups[0]), seconds);
        assert_histogram(co_rollup_durations(&rollup, &rollup.groups[0]), durations);
        assert_int_equal(rollup.hour_count, 1);
    }
    co_rollup_free(&rollup);
}

static void a_sample_is_cut_at_a_character(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record record = make(1);
    char message[CO_SAMPLE_MAX + 2];
    (void)state;

    memset(message, 'x', sizeof(message));
    memcpy(message + CO_SAMPLE_MAX - 1, "\xea\xb0\x80", 3); /* 가, across the limit */
    record.level = LM_ERROR;
    record.text[LM_MESSAGE] = (struct lm_slice){message, sizeof(message)};
    assert_int_equal(co_rollup_add(&rollup, &record, place_of(&record), 1), 0);
    assert_int_equal(rollup.errors[0].sample.len, CO_SAMPLE_MAX - 1);
    co_rollup_free(&rollup);
}

static void a_sum_of_absurd_durations_stops_at_the_largest_number(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record record = make(1);
    (void)state;

    record.has_duration = true;
    record.duration_ms = 1e300;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(co_rollup_add(&rollup, &record, place_of(&record), 1), 0);
    assert_int_equal(rollup.groups[0].duration_sum_us, INT64_MAX);
    assert_int_equal(rollup.groups[0].duration_n, 2000);
    co_rollup_free(&rollup);
}

static void a_service_without_a_place_counts_as_other_in_its_environment(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record one = make(1), two = make(1);
    (void)state;

    two.timestamp_us = one.timestamp_us;
    two.level = one.level = LM_ERROR;
    one.text[LM_SERVICE] = LM_SLICE("x");
    two.text[LM_SERVICE] = LM_SLICE("y");
    one.text[LM_ENVIRONMENT] = two.text[LM_ENVIRONMENT] = LM_SLICE("production");
    assert_int_equal(co_rollup_add(&rollup, &one, CO_NAMES_NO_PLACE, 1), 0);
    assert_int_equal(co_rollup_add(&rollup, &two, CO_NAMES_NO_PLACE, 1), 0);
    two.text[LM_ENVIRONMENT] = LM_SLICE("test");
    assert_int_equal(co_rollup_add(&rollup, &two, CO_NAMES_NO_PLACE, 1), 0);
    assert_int_equal(co_rollup_add(&rollup, &one, CO_NAMES_NO_PLACE, 1), 0);
    assert_int_equal(rollup.group_count, 2);
    assert_int_equal(rollup.groups[0].n, 3);
    assert_true(same(rollup.groups[0].service, LM_SLICE("(other)")));
    assert_true(same(rollup.groups[1].environment, LM_SLICE("test")));
    assert_true(same(rollup.errors[0].service, LM_SLICE("(other)")));
    co_rollup_free(&rollup);
}

/* Two rows of one key in a closing message would be refused for ever. */
static void a_service_that_is_called_other_counts_with_those_without_a_place(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record named = make(1), other = named;
    (void)state;

    named.level = other.level = LM_ERROR;
    named.text[LM_SERVICE] = LM_SLICE("(other)");
    other.text[LM_SERVICE] = LM_SLICE("x");
    assert_int_equal(co_rollup_add(&rollup, &named, 0, 1), 0);
    assert_int_equal(co_rollup_add(&rollup, &other, CO_NAMES_NO_PLACE, 1), 0);
    assert_int_equal(co_rollup_add(&rollup, &named, 0, 1), 0);
    assert_int_equal(rollup.group_count, 1);
    assert_int_equal(rollup.groups[0].n, 3);
    assert_int_equal(rollup.error_count, 1);
    co_rollup_free(&rollup);
}

/* The ends of what a bucket can be. */
static void the_shortest_and_the_longest_durations_have_their_buckets(void **state)
{
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record record = make(1);
    uint32_t expected[CO_DURATION_BUCKET_MAX + 1] = {[0] = 1, [CO_DURATION_BUCKET_MAX] = 1};
    (void)state;

    record.has_duration = true;
    record.duration_ms = 0;
    assert_int_equal(co_rollup_add(&rollup, &record, 0, 1), 0);
    record.duration_ms = 1e300;
    assert_int_equal(co_rollup_add(&rollup, &record, 0, 1), 0);
    assert_histogram(co_rollup_durations(&rollup, &rollup.groups[0]), expected);
    co_rollup_free(&rollup);
}

/* Also before 1970, and each group for itself. */
static void records_count_in_the_second_of_their_minute(void **state)
{
    static const int64_t minutes[] = {28333333, 0, -1, -28333333};
    static const struct {
        int64_t us;
        int second;
    } times[] = {{0, 0},         {1, 0},         {999999, 0},    {1000000, 1},   {31999999, 31},
                 {32000000, 32}, {32000000, 32}, {58999999, 58}, {59000000, 59}, {59999999, 59}};
    struct co_rollup rollup;
    co_rollup_init(&rollup);
    struct lm_record record = make(1);
    (void)state;

    for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
        for (size_t m = 0; m < sizeof(minutes) / sizeof(minutes[0]); m++) {
            record.timestamp_us = minutes[m] * LM_MINUTE_US + times[t].us;
            assert_int_equal(co_rollup_add(&rollup, &record, 0, 1), 0);
        }
    }
    record.timestamp_us = -1;
    record.level = record.level == LM_INFO ? LM_WARN : LM_INFO;
    assert_int_equal(co_rollup_add(&rollup, &record, 0, 1), 0);

    assert_int_equal(rollup.group_count, 5);
    for (size_t g = 0; g < 4; g++) {
        uint32_t expected[CO_SECOND_MAX + 1] = {0};
        for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++)
            expected[times[t].second]++;
        assert_int_equal(rollup.groups[g].minute_us, minutes[g] * LM_MINUTE_US);
        assert_histogram(co_rollup_seconds(&rollup, &rollup.groups[g]), expected);
    }
    uint32_t expected[CO_SECOND_MAX + 1] = {[59] = 1};
    assert_histogram(co_rollup_seconds(&rollup, &rollup.groups[4]), expected);
    co_rollup_free(&rollup);
}

static void times_before_1970_belong_to_the_minute_they_fall_into(void **state)
{
    (void)state;
    assert_int_equal(co_floor_us(-1, LM_MINUTE_US), -LM_MINUTE_US);
    assert_int_equal(co_floor_us(-LM_MINUTE_US, LM_MINUTE_US), -LM_MINUTE_US);
    assert_int_equal(co_floor_us(LM_MINUTE_US - 1, LM_MINUTE_US), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_hold_what_counting_one_by_one_gives),
        cmocka_unit_test(a_cleared_rollup_is_as_new),
        cmocka_unit_test(a_sample_is_cut_at_a_character),
        cmocka_unit_test(a_sum_of_absurd_durations_stops_at_the_largest_number),
        cmocka_unit_test(a_service_without_a_place_counts_as_other_in_its_environment),
        cmocka_unit_test(a_service_that_is_called_other_counts_with_those_without_a_place),
        cmocka_unit_test(the_shortest_and_the_longest_durations_have_their_buckets),
        cmocka_unit_test(records_count_in_the_second_of_their_minute),
        cmocka_unit_test(times_before_1970_belong_to_the_minute_they_fall_into)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
