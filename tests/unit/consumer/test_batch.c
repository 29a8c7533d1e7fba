#include "consumer/batch/batch.h"
#include "consumer/batch/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct co_chunks chunks;
static const struct co_policy policy = {.rows = 100, .bytes = 10000, .age_us = 50000};

static void an_empty_batch_is_never_due(void **state)
{
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;
    assert_false(co_batch_due(batch, &policy, INT64_MAX / 2, false));
    assert_false(co_batch_full(batch, &policy));
    co_batch_free(batch);
}

static void what_is_never_delivered_leaves_something_to_commit(void **state)
{
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;
    co_batch_skip(batch, 8, 1000);
    assert_true(co_batch_due(batch, &policy, 1000 + policy.age_us, false));
    assert_int_equal(batch->next_offset, 8);
    assert_int_equal(batch->kafka_time_us, 0);
    co_batch_skip(batch, 12, 2000);
    assert_int_equal(batch->record_count, 1);
    assert_int_equal(batch->opened_us, 1000);
    assert_int_equal(batch->next_offset, 12);
    co_batch_free(batch);
}

static void a_batch_is_due_when_its_first_record_is_old_enough(void **state)
{
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;
    co_batch_passed(batch, 10, 1, 1000000);
    co_batch_passed(batch, 11, 1, 1049999);
    assert_false(co_batch_due(batch, &policy, 1049999, false));
    assert_true(co_batch_due(batch, &policy, 1050000, false));
    assert_int_equal(batch->next_offset, 12);
    co_batch_free(batch);
}

static void a_batch_is_full_by_records_by_bytes_and_by_what_it_sends_to_the_dead_letters(void **state)
{
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_false(co_batch_full(batch, &policy));
        co_batch_passed(batch, i, 1, 1);
    }
    assert_true(co_batch_full(batch, &policy));
    assert_true(co_batch_due(batch, &policy, 1, false));

    co_batch_reset(batch);
    assert_false(co_batch_full(batch, &policy));
    batch->letter_bytes = policy.bytes;
    assert_true(co_batch_full(batch, &policy));

    co_batch_reset(batch);
    batch->copy_bytes = policy.bytes;
    assert_true(co_batch_full(batch, &policy));
    co_batch_free(batch);
}

static void a_batch_whose_records_are_from_all_over_the_past_is_full_before_its_groups_take_much(void **state)
{
    static const struct co_policy many = {.rows = 200000, .bytes = 256 << 20, .age_us = 50000};
    struct co_batch *batch = co_batch_new(&chunks);
    struct lm_record record;
    int64_t rows = 0;
    (void)state;

    lm_record_init(&record);
    record.text[LM_SERVICE] = LM_SLICE("pay");
    record.text[LM_ENVIRONMENT] = LM_SLICE("production");
    record.has_duration = true;
    record.duration_ms = 5;
    for (; rows < 100000 && !co_batch_full(batch, &many); rows++) {
        record.timestamp_us = rows * 60 * 1000000;
        assert_int_equal(co_rollup_add(&batch->rollup, &record, 0, 1), 0);
    }
    /* Each has a block for its second and one for its duration. */
    assert_in_range(rows * (int64_t)(sizeof(struct co_group) + 2 * sizeof(struct co_bucket_block)), 1,
                    8 << 20);
    co_batch_free(batch);
}

static void an_open_batch_grows_while_its_topic_holds_much_more(void **state)
{
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;
    co_batch_passed(batch, 10, 1, 1000000);
    assert_true(co_batch_due(batch, &policy, 1050000, true)); /* it does not flow: nothing is gained */
    batch->open = batch->flows = true;
    assert_true(co_batch_due(batch, &policy, 1050000, false));
    assert_false(co_batch_due(batch, &policy, 1050000, true));
    assert_false(co_batch_due(batch, &policy, 1499999, true));
    assert_true(co_batch_due(batch, &policy, 1500000, true));
    co_batch_free(batch);
}

/* Three chunks, of two rows, one and one. */
static struct co_batch *chunked(struct co_chunks *from)
{
    static const size_t first[] = {0, 2, 3};
    static const char *const tuples[] = {"aabb", "cc", "dd"};
    struct co_batch *batch = co_batch_new(from);

    for (size_t i = 0; i < 3; i++) {
        struct co_chunk *chunk = co_chunk_take(from, 2);
        chunk->first_row = first[i];
        lm_buffer_append_text(&chunk->bytes, tuples[i]);
        if (batch->copy == NULL)
            batch->copy = chunk;
        else
            batch->copy_last->next = chunk;
        batch->copy_last = chunk;
        batch->copy_held += chunk->bytes.cap;
    }
    batch->row_count = 4;
    batch->flows = true;
    return batch;
}

static void a_batch_that_flows_lets_go_what_is_full_and_cleared(void **state)
{
    struct co_chunks own = {0};
    struct co_batch *batch = chunked(&own);
    struct lm_slice tuples;
    size_t held = own.taken;
    (void)state;

    assert_int_equal(held, batch->copy_held);
    batch->open = true;
    batch->cleared = 1; /* the first chunk's second row has no leaf yet */
    assert_false(co_batch_front(batch, &tuples));
    batch->cleared = 4;
    assert_true(co_batch_front(batch, &tuples));
    assert_memory_equal(tuples.data, "aabb", tuples.len);
    assert_false(batch->broken);
    co_batch_drop_front(batch);
    assert_true(batch->broken);
    assert_true(co_batch_front(batch, &tuples));
    assert_memory_equal(tuples.data, "cc", tuples.len);
    co_batch_drop_front(batch);
    assert_false(co_batch_front(batch, &tuples)); /* the last one takes rows still */
    assert_int_equal(own.taken, held / 3);
    batch->open = false;
    assert_true(co_batch_front(batch, &tuples));
    assert_memory_equal(tuples.data, "dd", tuples.len);
    co_batch_drop_front(batch);
    assert_false(co_batch_front(batch, &tuples));
    assert_null(batch->copy_last);
    assert_int_equal(own.taken, 0);
    assert_int_equal(batch->copy_held, 0);
    co_batch_reset(batch);
    assert_false(batch->flows || batch->broken);
    co_batch_free(batch);
    co_chunks_free(&own);
}

static void a_batch_goes_its_way_and_no_other(void **state)
{
    static const enum co_batch_state way[] = {CO_BATCH_SEALED, CO_BATCH_READY,   CO_BATCH_COPYING,
                                              CO_BATCH_SEALED, CO_BATCH_READY,   CO_BATCH_COPYING,
                                              CO_BATCH_COPIED, CO_BATCH_CLOSING, CO_BATCH_UNKNOWN,
                                              CO_BATCH_SEALED, CO_BATCH_DONE};
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;

    assert_int_equal(co_batch_change_state(batch, CO_BATCH_CLOSING), -1);
    assert_int_equal(co_batch_change_state(batch, CO_BATCH_READY), -1);
    assert_int_equal(batch->state, CO_BATCH_FILLING);
    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
        assert_int_equal(co_batch_change_state(batch, way[i]), 0);
    for (int to = 0; to <= CO_BATCH_DONE; to++)
        assert_int_equal(co_batch_change_state(batch, (enum co_batch_state)to), -1);
    co_batch_free(batch);
}

static void the_pool_gives_back_a_batch_as_new(void **state)
{
    struct co_pool pool;
    (void)state;
    co_pool_init(&pool, &policy, 1000);
    struct co_batch *first = co_pool_take(&pool);
    co_batch_passed(first, 1, 1, 1);
    first->letters_pending = 3;
    co_pool_give(&pool, first);
    struct co_batch *second = co_pool_take(&pool);
    assert_ptr_equal(first, second);
    assert_int_equal(second->record_count, 0);
    assert_int_equal(second->letters_pending, 0);
    assert_int_equal(second->state, CO_BATCH_FILLING);
    co_pool_give(&pool, second);
    co_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_batch_is_never_due),
        cmocka_unit_test(what_is_never_delivered_leaves_something_to_commit),
        cmocka_unit_test(a_batch_is_due_when_its_first_record_is_old_enough),
        cmocka_unit_test(a_batch_is_full_by_records_by_bytes_and_by_what_it_sends_to_the_dead_letters),
        cmocka_unit_test(
            a_batch_whose_records_are_from_all_over_the_past_is_full_before_its_groups_take_much),
        cmocka_unit_test(an_open_batch_grows_while_its_topic_holds_much_more),
        cmocka_unit_test(a_batch_that_flows_lets_go_what_is_full_and_cleared),
        cmocka_unit_test(a_batch_goes_its_way_and_no_other),
        cmocka_unit_test(the_pool_gives_back_a_batch_as_new)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
