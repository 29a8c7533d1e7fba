/*
 * What writer.c (what runs when, on which connection) and remedy.c (what becomes of a batch) share. Nobody
 * else's.
 */
#ifndef LOGMILL_CONSUMER_WRITER_INTERNAL_H
#define LOGMILL_CONSUMER_WRITER_INTERNAL_H

#include "common/log.h"
#include "consumer/writer/lane.h"
#include "consumer/writer/writer.h"

#define CO_LANES_MAX 16

struct co_writer {
    struct co_writer_options options;
    struct co_lane_events events;
    struct co_lane lanes[CO_LANES_MAX];
    unsigned connected;
    char copy_sql[LM_CATEGORY_COUNT][768];
    struct co_batch *first, **last; /* all batches with the writer, in the order they came */
    bool scheduling, schedule_again;
    bool flow_first;                   /* who gets the connection that is free next */
    struct lm_log_limit refused_limit; /* for rows that go to the dead letters */
    uv_timer_t timer;                  /* for the next batch that waits for a time */
    struct lm_log_limit connection_limit, stuck_limit;
    struct lm_histogram *decode_seconds, *wait_seconds, *copy_seconds, *turn_seconds, *commit_seconds;
    struct lm_histogram *latency_seconds, *batch_rows;
    struct lm_gauge *connections;
    struct lm_counter *batches, *names_overflow;
    size_t believed[LM_CATEGORY_COUNT]; /* see refusal.h */
    bool closing;
    unsigned open_parts;
    void (*closed)(void *context);
    void *closed_context;
};

/* The connection that carries the batch, or NULL. */
struct co_lane *co_writer_lane_of(struct co_writer *writer, const struct co_batch *batch);
/* Its place in its partition's line, 0 for the next to commit; line_count where it is in none. */
size_t co_writer_place(const struct co_batch *batch);
/* The batch being filled, open or not, takes no more records; it has its names. */
void co_writer_seal(struct co_writer *writer, struct co_batch *batch);
/* Adds it to the writer's batches. */
void co_writer_enlist(struct co_writer *writer, struct co_batch *batch);
/* Does whatever can be done now; after every event. */
void co_writer_schedule(struct co_writer *writer);

/* PostgreSQL has it: moves the partition's committed offset and leaves its line. */
void co_remedy_commit(struct co_writer *writer, struct co_batch *batch);
/* A batch that flowed failed: its partition is read again from what is committed, and its next batches keep
 * their tuples: they can be sent again themselves. */
void co_remedy_read_again(struct co_writer *writer, struct co_batch *batch);
/* Rows of a batch that is searched for a bad one have passed. */
void co_remedy_part_passed(struct co_writer *writer, struct co_batch *batch);
/* Decides what is to be done about a failure, and does it; what stands behind the batch in its line is rolled
 * back. */
void co_remedy_apply(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error,
                     long long line, bool closing);
/* PostgreSQL refuses a row, by its place in the batch: to the dead letters with it, and smaller pieces from
 * now on, once it is known to be the row's fault (refusal.h). The partition may start over. */
void co_remedy_blame(struct co_writer *writer, struct co_batch *batch, size_t row,
                     const struct lm_error *error);
/* A copied batch waits outside of its transaction. */
void co_remedy_give_back(struct co_writer *writer, struct co_batch *batch);
/* Counts its rollups anew where rows were taken out. 0, or -1: the partition starts over. */
int co_remedy_recount(struct co_writer *writer, struct co_batch *batch);
/* Asks what became of a COMMIT whose connection broke. */
void co_remedy_read_back(struct co_writer *writer, struct co_batch *batch);
/* Asks for the leaves the batch needs. */
void co_remedy_ask_leaves(struct co_writer *writer, struct co_batch *batch);
/* The batch waits before it is tried again. */
void co_remedy_back_off(struct co_batch *batch);
/* Says on /readyz, and now and then in the log, what a partition waits for. */
void co_remedy_say_stuck(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error);

#endif
