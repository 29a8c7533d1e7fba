#include "consumer/reading.h"

#include "common/clock.h"

/* Messages taken in one turn of the loop: about a third of a millisecond. */
#define SLICE 128
/* Of a batch that keeps its messages: they would take its memory otherwise. */
#define CAREFUL_RECORDS 5000

size_t co_reading_memory(const struct co_reading *reading)
{
    size_t held = reading->pool->sealed;
    for (const struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next)
        held += p->filling != NULL ? co_batch_memory(p->filling) : 0;
    return held;
}

/* A batch to fill; false without memory. */
static bool open_batch(struct co_reading *reading, struct co_partition *partition)
{
    if (partition->filling != NULL)
        return true;
    struct co_batch *batch = co_pool_take(reading->pool);
    if (batch == NULL)
        return false;
    batch->partition = co_partition_ref(partition);
    batch->serial = ++partition->serial;
    batch->expected_offset = batch->next_offset = partition->position;
    batch->keeps_messages = partition->careful_batches > 0;
    if (batch->keeps_messages)
        batch->record_max = CAREFUL_RECORDS;
    co_sources_begin(partition->sources, batch->serial);
    partition->filling = batch;
    return true;
}

/* A partition with nothing to read holds no batch: its buffers serve another. */
static void give_back_empty(struct co_reading *reading, struct co_partition *partition)
{
    struct co_batch *batch = partition->filling;

    if (batch == NULL || batch->record_count > 0 || batch->letters_pending > 0 || partition->held != NULL)
        return;
    partition->filling = NULL;
    partition->serial--;
    co_pool_give(reading->pool, batch);
    co_partition_unref(partition);
}

static void hand_over(struct co_reading *reading, struct co_partition *partition, bool urgent)
{
    struct co_batch *batch = partition->filling;
    bool full;

    if (batch == NULL || batch->record_count == 0)
        return;
    full = urgent || co_batch_full(batch, &reading->pool->policy);
    if ((full || co_batch_due(batch, &reading->pool->policy, lm_clock_mono_us())) &&
        co_writer_wants(reading->writer, partition, full)) {
        partition->filled_last = ++reading->turn;
        co_writer_submit(reading->writer, partition);
    }
}

static void on_age(uv_timer_t *timer)
{
    co_reading_hand_over(timer->data, false);
}

static void arm_age(struct co_reading *reading)
{
    int64_t oldest_us = INT64_MAX, now_us = lm_clock_mono_us(), due_us;

    for (const struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->filling != NULL && p->filling->record_count > 0 && p->filling->opened_us < oldest_us)
            oldest_us = p->filling->opened_us;
    }
    if (oldest_us == INT64_MAX || reading->stopped)
        return;
    due_us = oldest_us + reading->pool->policy.age_us;
    /* One that is due already waits for a connection, not for time. */
    if (due_us > now_us)
        (void)uv_timer_start(&reading->age, on_age, (uint64_t)(due_us - now_us) / 1000 + 1, 0);
}

static size_t begun(const struct co_partition *partition)
{
    return partition->filling != NULL ? partition->filling->record_count : 0;
}

/* Whose batch has most in it; NULL: no partition. */
static struct co_partition *most_begun(const struct co_reading *reading)
{
    struct co_partition *best = NULL;

    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (best == NULL || begun(p) > begun(best))
            best = p;
    }
    return best;
}

void co_reading_hand_over(struct co_reading *reading, bool urgent)
{
    struct co_partition *largest = most_begun(reading);

    /* A connection that is free gets the largest: where all are busy the others have time to become so. */
    if (largest != NULL)
        hand_over(reading, largest, urgent);
    for (struct co_partition *p = co_assignment_first(reading->assignment), *next; p != NULL; p = next) {
        next = p->next;
        hand_over(reading, p, urgent);
    }
    arm_age(reading);
}

/*
 * While every connection is busy and half of the memory is used there is time to wait for the next fetch of
 * the partition whose batch is largest. Batches of others would share what is left, and all of them be small.
 */
static bool hold_back(const struct co_reading *reading)
{
    const struct co_partition *largest = most_begun(reading);

    return largest != NULL && largest->state == CO_PARTITION_RUNNING && begun(largest) > 0 &&
           !co_batch_full(largest->filling, &reading->pool->policy) && co_writer_busy(reading->writer) &&
           co_reading_memory(reading) >= reading->pool->budget / 2;
}

/*
 * Whose turn it is: under load whoever has most in its batch, so that one batch after the other becomes full
 * instead of all becoming large and being cut off by age; with nothing begun, whoever has waited longest.
 * NULL: nobody.
 */
static struct co_partition *choose(struct co_reading *reading)
{
    struct co_partition *best = NULL;
    size_t least = hold_back(reading) ? begun(most_begun(reading)) : 0;

    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->state == CO_PARTITION_HOLDING)
            (void)open_batch(reading, p); /* for the record that is held */
        if (p->state != CO_PARTITION_RUNNING || p->drained || begun(p) < least ||
            (p->filling != NULL && co_batch_full(p->filling, &reading->pool->policy)))
            continue;
        if (best == NULL || begun(p) > begun(best) ||
            (begun(p) == 0 && begun(best) == 0 && p->filled_last < best->filled_last))
            best = p;
    }
    return best != NULL && open_batch(reading, best) ? best : NULL;
}

/* True: there may be more. */
static bool read_slice(struct co_reading *reading, struct co_partition *partition)
{
    int64_t begun_us = lm_clock_mono_us();
    bool more = co_intake_read(reading->intake, partition, SLICE);

    if (partition->filling != NULL)
        partition->filling->decoding_us += lm_clock_mono_us() - begun_us;
    return more;
}

static void on_idle(uv_idle_t *idle)
{
    struct co_reading *reading = idle->data;
    bool short_of_memory = co_reading_memory(reading) >= reading->pool->budget;
    struct co_partition *partition = short_of_memory ? NULL : choose(reading);

    if (partition == NULL) {
        (void)uv_idle_stop(idle);
        /* A batch that comes back makes room; with none out, one must go. */
        co_reading_hand_over(reading, short_of_memory && reading->pool->sealed == 0);
        return;
    }
    if (!read_slice(reading, partition) && partition->state == CO_PARTITION_RUNNING &&
        partition->filling != NULL && !co_batch_full(partition->filling, &reading->pool->policy))
        partition->drained = true;
    co_prompt(reading->prompter, partition);
    hand_over(reading, partition, false);
    if (partition->drained)
        give_back_empty(reading, partition);
    arm_age(reading);
}

void co_reading_go_on(struct co_reading *reading)
{
    if (!reading->stopped && !uv_is_active((uv_handle_t *)&reading->idle))
        (void)uv_idle_start(&reading->idle, on_idle);
}

void co_reading_arrived(struct co_reading *reading)
{
    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next)
        p->drained = false;
    co_reading_go_on(reading);
}

void co_reading_stop(struct co_reading *reading)
{
    reading->stopped = true;
    (void)uv_idle_stop(&reading->idle);
    (void)uv_timer_stop(&reading->age);
}

void co_reading_init(struct co_reading *reading, uv_loop_t *loop)
{
    (void)uv_idle_init(loop, &reading->idle);
    (void)uv_timer_init(loop, &reading->age);
    reading->idle.data = reading->age.data = reading;
}
