#include "consumer/reading.h"

#include "common/clock.h"

/* Messages taken in one turn of the loop: about a third of a millisecond. */
#define SLICE 128
/* Of a batch that keeps its messages: they would take its memory otherwise. */
#define CAREFUL_RECORDS 5000
/* Ready for a connection, besides what libpq has: what it takes while another is read for. They get it
 * whatever the budget says. */
#define FED_BYTES ((size_t)1024 * 1024)

size_t co_reading_memory(const struct co_reading *reading)
{
    size_t held = reading->pool->chunks.taken;

    for (const struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->filling != NULL && !p->filling->open)
            held += co_batch_memory(p->filling);
        for (size_t i = 0; i < p->line_count; i++)
            held += co_batch_memory(p->line[i]);
    }
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

/* The topic is known to hold a tenth of a full batch more; for a batch that flows already a record will do,
 * so that the end of a backlog goes with it. */
static bool is_behind(const struct co_reading *reading, const struct co_partition *partition)
{
    bool flows = partition->filling != NULL && partition->filling->open;
    int64_t low, high, enough = flows ? 1 : (int64_t)reading->pool->policy.rows / 10;

    return partition->state == CO_PARTITION_RUNNING &&
           rd_kafka_get_watermark_offsets(reading->prompter->kafka, partition->topic, partition->number, &low,
                                          &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           high - partition->position >= enough;
}

static void hand_over(struct co_reading *reading, struct co_partition *partition, bool urgent)
{
    const struct co_policy *policy = &reading->pool->policy;
    struct co_batch *batch = partition->filling;
    int64_t now_us = lm_clock_mono_us();
    bool behind, full;

    if (batch == NULL || batch->record_count == 0)
        return;
    /* Asked only where it matters. */
    behind = ((batch->open && co_batch_due(batch, policy, now_us, false)) ||
              co_writer_may_flow(reading->writer, partition)) &&
             is_behind(reading, partition);
    if (!urgent)
        co_writer_flow(reading->writer, partition, behind);
    if (partition->filling != batch) /* its connection broke, and the partition starts over */
        return;
    full = urgent || co_batch_full(batch, policy);
    if ((full || co_batch_due(batch, policy, now_us, behind)) &&
        (batch->open || co_writer_wants(reading->writer, partition, full))) {
        partition->filled_last = ++reading->turn;
        co_writer_submit(reading->writer, partition);
    }
}

static void on_age(uv_timer_t *timer)
{
    co_reading_hand_over(timer->data, false);
}

/* One that is due already waits for a connection, not for time. */
static void arm_age(struct co_reading *reading)
{
    int64_t next_us = INT64_MAX, now_us = lm_clock_mono_us();

    for (const struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        int64_t due_us = p->filling != NULL && p->filling->record_count > 0
                             ? p->filling->opened_us + reading->pool->policy.age_us
                             : 0;
        if (due_us > now_us && due_us < next_us)
            next_us = due_us;
    }
    if (next_us != INT64_MAX && !reading->stopped)
        (void)uv_timer_start(&reading->age, on_age, (uint64_t)(next_us - now_us) / 1000 + 1, 0);
}

static size_t begun(const struct co_partition *partition)
{
    return partition->filling != NULL ? partition->filling->record_count : 0;
}

/* Whose batch was handed over longest ago, of those this pass has not seen; NULL: it has seen all. */
static struct co_partition *next_in_turn(const struct co_reading *reading)
{
    struct co_partition *next = NULL;

    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->seen_last != reading->pass && (next == NULL || p->filled_last < next->filled_last))
            next = p;
    }
    return next;
}

/* Under load all are due whenever a connection is free: each has its turn. */
void co_reading_hand_over(struct co_reading *reading, bool urgent)
{
    struct co_partition *partition;

    reading->pass++;
    while ((partition = next_in_turn(reading)) != NULL) {
        partition->seen_last = reading->pass;
        hand_over(reading, partition, urgent);
    }
    arm_age(reading);
}

/* Of a batch that flows, or will when a connection is free, so much is ready for it. More would only be cold
 * when its turn comes. What does not flow goes whole: the last of a topic is one batch, not a row of small
 * ones. */
static bool has_enough(const struct co_reading *reading, const struct co_partition *partition)
{
    const struct co_batch *batch = partition->filling;

    if (batch == NULL || batch->copy_held < FED_BYTES)
        return false;
    return batch->open || (co_writer_busy(reading->writer) && !batch->keeps_messages &&
                           partition->wary_batches == 0 && is_behind(reading, partition));
}

static bool may_read(const struct co_reading *reading, const struct co_partition *partition)
{
    return partition->state == CO_PARTITION_RUNNING && !partition->drained && !partition->outdated &&
           (partition->filling == NULL || !co_batch_full(partition->filling, &reading->pool->policy)) &&
           !has_enough(reading, partition);
}

/* Whose connection is next to run out of rows; NULL: nobody's. */
static struct co_partition *hungriest(const struct co_reading *reading)
{
    struct co_partition *best = NULL;

    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->filling != NULL && p->filling->open && may_read(reading, p) &&
            (best == NULL || p->filling->copy_held < best->filling->copy_held))
            best = p;
    }
    return best;
}

/*
 * Whose turn it is where connections have enough: whoever has most in its batch, so that one batch after the
 * other becomes full instead of all becoming large and being cut off by age; with nothing begun, whoever has
 * waited longest. NULL: nobody.
 */
static struct co_partition *largest(struct co_reading *reading)
{
    struct co_partition *best = NULL;

    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (may_read(reading, p) &&
            (best == NULL || begun(p) > begun(best) ||
             (begun(p) == 0 && begun(best) == 0 && p->filled_last < best->filled_last)))
            best = p;
    }
    return best != NULL && open_batch(reading, best) ? best : NULL;
}

static void open_for_held(struct co_reading *reading)
{
    for (struct co_partition *p = co_assignment_first(reading->assignment); p != NULL; p = p->next) {
        if (p->state == CO_PARTITION_HOLDING)
            (void)open_batch(reading, p);
    }
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
    struct co_partition *partition = hungriest(reading);
    bool short_of_memory = partition == NULL && co_reading_memory(reading) >= reading->pool->budget;

    if (partition == NULL && !short_of_memory) {
        open_for_held(reading);
        partition = largest(reading);
    }
    if (partition == NULL) {
        (void)uv_idle_stop(idle);
        /* A batch that comes back makes room; with none out, one must go. */
        co_reading_hand_over(reading, short_of_memory && co_writer_idle(reading->writer));
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
