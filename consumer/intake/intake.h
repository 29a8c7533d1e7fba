/*
 * From a partition's queue into its batch: decode, complete, time window, repeat filter, COPY bytes. Poison
 * goes to the dead letters at once; a record that must wait for something (its writer's schema, a source not
 * in memory, whether a replayed record was stored before) is held, and its partition with it. In slices, so
 * that the loop stays responsive. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_INTAKE_H
#define LOGMILL_CONSUMER_INTAKE_H

#include "common/record/record_avro.h"
#include "consumer/batch/partition.h"
#include "consumer/batch/pool.h"
#include "consumer/batch/window.h"
#include "consumer/intake/registry.h"
#include "consumer/kafka/dead_letter.h"
#include "consumer/writer/control.h"

struct co_intake;

struct co_intake_options {
    struct co_control *control;
    struct co_letters *letters;
    struct co_pool *pool;
    struct co_patterns *patterns;
    struct lm_metrics *metrics;
    struct co_window windows[LM_CATEGORY_COUNT];
    int64_t schema_wait_us;
    /* The broker refused the partition's position: locate it anew. */
    void (*position_refused)(struct co_partition *partition, void *context);
    /* A held record may go on: read the partition again. */
    void (*awake)(void *context);
    void *context;
};

/* What the options point to must outlive it. 0, or -1 without memory (LM_FATAL). */
int co_intake_open(const struct co_intake_options *options, struct co_intake **out,
                   struct lm_error *error) LM_MUST_CHECK;
/* After co_control_close and co_letters_close. */
void co_intake_free(struct co_intake *intake);

/* From the next record on. */
void co_intake_set(struct co_intake *intake, const struct co_window windows[LM_CATEGORY_COUNT],
                   int64_t schema_wait_us);

/* The writers' schemas it decodes with. */
struct lm_schema_set *co_intake_schemas(struct co_intake *intake);
/* Who is asked for schemas named by an id; before anything is read. */
void co_intake_use_registry(struct co_intake *intake, struct co_registry *registry);
/* Reads at most `limit` messages of a running partition into its batch. True: there may be more. */
bool co_intake_read(struct co_intake *intake, struct co_partition *partition, size_t limit);
/* Once a second: looks again for what held records wait for. */
void co_intake_tick(struct co_intake *intake, struct co_partition *partition);

#endif
