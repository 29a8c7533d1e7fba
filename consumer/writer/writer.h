/*
 * Batches into PostgreSQL: a few connections, batches of different partitions in parallel, those of one
 * partition in order. The life of a batch:
 *
 *   sealed    waits for its dead letters to be confirmed and its leaves to exist
 *   ready     waits for a connection
 *   copying   BEGIN; COPY logs_<category>; one that flows comes here at once, and is filled and sealed here
 *   copied    waits for the batch before it to commit
 *   closing   one message: lock, rollups, names, sources, offset by compare-and-set, COMMIT
 *
 * Whatever fails is rolled back, decided (retry.c) and comes back to sealed; what follows it in its partition
 * is rolled back with it. What runs is decided in one place, schedule(), called after every event: nothing is
 * forgotten because a callback did not think of it. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_WRITER_H
#define LOGMILL_CONSUMER_WRITER_H

#include "consumer/batch/partition.h"
#include "consumer/batch/pool.h"
#include "consumer/kafka/dead_letter.h"
#include "consumer/writer/control.h"
#include "consumer/writer/leaves.h"

struct co_writer;

struct co_writer_options {
    uv_loop_t *loop;
    const char *conninfo; /* must outlive it */
    unsigned connections;
    int64_t lock_timeout_ms;
    bool count_seconds;
    uint32_t retry_base_ms, retry_cap_ms;
    struct co_pool *pool;
    struct co_control *control;
    struct co_leaves *leaves;
    struct co_letters *letters;
    struct co_patterns *patterns;
    struct lm_metrics *metrics;
    /* The offset was moved by another: everything of the partition has been dropped, locate it anew. */
    void (*position_lost)(struct co_partition *partition, void *context);
    /* There may be room for more: a batch has gone or a connection is free. */
    void (*room)(void *context);
    /* Whether at least one connection is open; NULL: yes. */
    void (*state)(const struct lm_error *error, void *context);
    void *context;
};

/* What can change while it runs. */
struct co_writer_settings {
    const char *conninfo; /* for connections made from now on; must outlive the writer, or the next call */
    int64_t lock_timeout_ms;
    bool count_seconds;
    uint32_t retry_base_ms, retry_cap_ms;
};

/* Begins to connect; at most CO_LANES_MAX connections. 0, or -1 without memory (LM_FATAL). */
int co_writer_open(const struct co_writer_options *options, struct co_writer **out,
                   struct lm_error *error) LM_MUST_CHECK;

/* A sealed batch of partition->line may be handed over: a line has room, and a batch that is only old also
 * finds a connection free. */
bool co_writer_wants(const struct co_writer *writer, const struct co_partition *partition, bool full);
/* Puts partition->filling on a connection while it is filled, or feeds it where it is on one: where it may
 * flow and a connection is free. `behind`: see co_batch_due. */
void co_writer_flow(struct co_writer *writer, struct co_partition *partition, bool behind);
/* It would, if it were told that the partition is behind. */
bool co_writer_may_flow(const struct co_writer *writer, const struct co_partition *partition);
/* Takes partition->filling, which becomes the last of its line, or is that already and flows: it is sealed.
 */
void co_writer_submit(struct co_writer *writer, struct co_partition *partition);
/* Drops all batches of the partition, the one being filled too; those in PostgreSQL are rolled back, but for
 * one whose closing message is out: it commits or not, nobody waits for it. */
void co_writer_drop(struct co_writer *writer, struct co_partition *partition);
void co_writer_set(struct co_writer *writer, const struct co_writer_settings *settings);
/* Once a second: says which partitions PostgreSQL has not answered for long. */
void co_writer_tick(struct co_writer *writer);
/* A dead letter was confirmed, or anything else may have changed. */
void co_writer_kick(struct co_writer *writer);
/* No connection is free: all carry a batch, or are down. */
bool co_writer_busy(const struct co_writer *writer);
/* No batch is with the writer. */
bool co_writer_idle(const struct co_writer *writer);

/* Closes the connections; all partitions have been dropped. After co_control_close and co_letters_close. */
void co_writer_close(struct co_writer *writer, void (*closed)(void *context), void *context);

#endif
