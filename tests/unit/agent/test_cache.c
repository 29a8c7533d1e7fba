/* The result cache: what it keeps, what it drops, and when an entry is no longer good. */
#include "agent/cache/cache.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_US INT64_C(60000000)

struct fixture {
    struct lm_metrics *metrics;
    struct ag_cache *cache;
};

/* What the epochs say, and whether they know; in place of agent/cache/epochs.c. */
static struct ag_version polled;
static bool known;

bool ag_epochs_version(struct ag_epochs *epochs, const struct ag_spans *spans, struct ag_version *out)
{
    (void)epochs;
    (void)spans;
    *out = polled;
    return known;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->metrics = lm_metrics_new();
    fixture->cache = ag_cache_new(80000, NULL, fixture->metrics);
    assert_non_null(fixture->cache);
    polled = (struct ag_version){0, 0};
    known = true;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    ag_cache_free(fixture->cache);
    lm_metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

/* As operators see it. */
static double bytes(const struct fixture *fixture)
{
    return lm_gauge_get(lm_gauge(fixture->metrics, "logmill_agent_cache_bytes", NULL, ""));
}

static void put(struct ag_cache *cache, uint8_t name, size_t len, const struct ag_validity *validity)
{
    const uint8_t key[AG_KEY_SIZE] = {name};
    char *body = malloc(len);
    assert_non_null(body);
    memset(body, 'x', len);
    struct ag_result *result = ag_result_new(body, len, 1, len);
    assert_non_null(result);
    ag_cache_put(cache, key, result, validity);
    ag_result_drop(result);
}

static bool has(struct ag_cache *cache, uint8_t name)
{
    const uint8_t key[AG_KEY_SIZE] = {name};
    struct ag_result *result = ag_cache_get(cache, key);
    ag_result_drop(result);
    return result != NULL;
}

static struct ag_validity for_us(int64_t us)
{
    return (struct ag_validity){.until_us = lm_clock_mono_us() + us};
}

static void an_entry_is_there_until_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity good = for_us(MINUTE_US), over = for_us(-1);
    put(fixture->cache, 1, 100, &good);
    put(fixture->cache, 2, 100, &over);
    assert_true(has(fixture->cache, 1));
    assert_false(has(fixture->cache, 2));
    assert_false(has(fixture->cache, 3));
}

static void a_closed_window_is_good_while_its_versions_hold(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity stored = {.version = {2, 7}};
    polled = (struct ag_version){2, 7};
    put(fixture->cache, 1, 100, &stored);
    assert_true(has(fixture->cache, 1));
    polled = (struct ag_version){2, 8};
    assert_false(has(fixture->cache, 1));
    polled = (struct ag_version){2, 7};
    assert_false(has(fixture->cache, 1)); /* dropped: versions never come back */
}

static void a_poll_older_than_the_entry_is_a_miss_that_passes(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity stored = {.version = {2, 7}};
    put(fixture->cache, 1, 100, &stored);
    polled = (struct ag_version){1, 6};
    assert_false(has(fixture->cache, 1));
    known = false;
    assert_false(has(fixture->cache, 1));
    known = true;
    polled = (struct ag_version){2, 7};
    assert_true(has(fixture->cache, 1));
}

static void the_least_recently_used_goes_first_and_memory_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity good = for_us(MINUTE_US);
    for (uint8_t i = 1; i <= 8; i++) {
        put(fixture->cache, i, 9000, &good);
    }
    assert_true(has(fixture->cache, 1)); /* used: the second is now the oldest */
    put(fixture->cache, 9, 9000, &good);
    assert_true(has(fixture->cache, 1));
    assert_false(has(fixture->cache, 2));
    assert_true(bytes(fixture) > 0 && bytes(fixture) <= 80000);
}

static void an_answer_over_an_eighth_of_the_cache_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity good = for_us(MINUTE_US);
    put(fixture->cache, 1, 20000, &good);
    assert_false(has(fixture->cache, 1));
    assert_true(bytes(fixture) == 0);
}

static void the_same_key_again_replaces_and_a_held_result_outlives_its_entry(void **state)
{
    struct fixture *fixture = *state;
    const struct ag_validity good = for_us(MINUTE_US);
    const uint8_t key[AG_KEY_SIZE] = {1};
    put(fixture->cache, 1, 100, &good);
    struct ag_result *held = ag_cache_get(fixture->cache, key);
    assert_non_null(held);
    put(fixture->cache, 1, 200, &good);
    struct ag_result *newer = ag_cache_get(fixture->cache, key);
    assert_int_equal(held->len, 100);
    assert_int_equal(newer->len, 200);
    ag_result_drop(held);
    ag_result_drop(newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_is_there_until_its_time_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_window_is_good_while_its_versions_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_poll_older_than_the_entry_is_a_miss_that_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_recently_used_goes_first_and_memory_is_bounded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_answer_over_an_eighth_of_the_cache_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_key_again_replaces_and_a_held_result_outlives_its_entry,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
