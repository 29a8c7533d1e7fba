/*
 * A batch: consecutive records of one partition on their way into one transaction. It holds the rows as
 * ready-made COPY bytes and what they add to rollups, names and sources. The Kafka messages the rows came
 * from are kept only where PostgreSQL has refused a row of the partition lately: a refused row is
 * dead-lettered from its message, byte for byte, but messages would take more than half of the memory.
 *
 * While the topic holds much more, a batch flows: it is on a connection while it is still open, PostgreSQL
 * takes each chunk as soon as it is full, and its memory is free again at once. So a batch may be far larger
 * than what it holds. One that fails half-way has not all its tuples any more: its partition starts over from
 * what is committed, Kafka still has them.
 *
 * The one policy of when a batch is full and when it is due stands here. No I/O; loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_H
#define LOGMILL_CONSUMER_BATCH_H

#include "common/arena.h"
#include "common/backoff.h"
#include "common/buffer.h"
#include "common/record/record_json.h"
#include "consumer/batch/chunk.h"
#include "consumer/batch/names.h"
#include "consumer/batch/patterns.h"
#include "consumer/batch/refusal.h"
#include "consumer/batch/rollup.h"
#include "consumer/batch/sources.h"

#include <librdkafka/rdkafka.h>

struct co_partition;

enum co_batch_state {
    CO_BATCH_FILLING, /* takes records */
    CO_BATCH_SEALED,  /* waits for its dead letters' confirmation and its leaves */
    CO_BATCH_READY,   /* may be written, not before not_before_us */
    CO_BATCH_COPYING, /* on a connection: BEGIN, COPY; one that flows may be open still */
    CO_BATCH_COPIED,  /* on a connection: waits for its predecessor's commit */
    CO_BATCH_CLOSING, /* on a connection: the closing message is out */
    CO_BATCH_UNKNOWN, /* the connection broke during the closing message: the offset must be read back */
    CO_BATCH_DONE     /* committed, or dropped: goes when nothing points to it */
};

struct co_policy {
    size_t rows;
    size_t bytes;
    int64_t age_us;
};

/* Of a batch that keeps messages. */
struct co_row {
    rd_kafka_message_t *message;
    const struct co_chunk *chunk; /* where its tuple is */
    uint32_t from, to;            /* in there */
    uint32_t place;               /* of its service, for the rollups */
    size_t replay;                /* its place in the batch's replays, from 1; 0: it was not put back */
};

struct co_pattern_row {
    int64_t id;
    struct lm_slice template; /* in `kept` */
    int64_t first_us;
};

/* A record put back from a dead-letter topic: where it first stood. */
struct co_replay {
    struct lm_slice topic; /* in `kept` */
    int32_t partition;
    int64_t offset;
};

struct co_batch {
    struct co_partition *partition;
    enum co_batch_state state;
    uint32_t serial;         /* 1, 2, … within the partition's assignment */
    int64_t expected_offset; /* what ingest_offset holds before */
    int64_t next_offset;     /* and after */
    int64_t kafka_time_us;   /* of the last record; 0: none */
    int64_t first_time_us;   /* Kafka time of the first record */
    int64_t opened_us;       /* monotonic time of the first record, or since when it flows; 0: empty */
    int64_t since_us;        /* monotonic time of the last change of state, but of sealed where it is ready */
    int64_t decoding_us;     /* time spent reading its records */

    struct co_row *rows; /* NULL or stale where it keeps no messages */
    size_t row_count, row_cap;
    bool keeps_messages; /* of its rows; see partition.h */
    bool open;           /* flows, and takes records still */
    bool flows;          /* its chunks go one by one, and their memory with them */
    bool broken;    /* is not sent again: some rows have gone, or one is refused and no messages are kept */
    size_t cleared; /* rows that may go: their leaves are there */
    size_t record_count; /* rows, repeats and dead letters */
    size_t record_max;   /* it takes no more, whatever the policy says */
    size_t repeat_count;
    size_t payload_bytes; /* of the messages held */
    int64_t *letters;     /* offsets of what went to the dead letters */
    size_t letter_count, letter_cap;
    size_t letter_bytes; /* of those messages */
    struct co_chunks *chunks;
    struct co_chunk *copy, *copy_last; /* tuples; a row taken out leaves its bytes behind */
    size_t copy_bytes;                 /* of all rows, gone or not */
    size_t copy_held;                  /* of the chunks still here */
    struct lm_arena arena;             /* what decoding the record at hand took */
    struct lm_arena kept;              /* templates, topics of replays */
    struct co_rollup rollup;
    struct co_source_move *moves;
    size_t move_count, move_cap;
    struct co_pattern_row *patterns;
    size_t pattern_count, pattern_cap;
    struct co_index pattern_index;
    struct co_name_row *names;
    size_t name_count, name_cap;
    struct co_replay *replays;
    size_t replay_count, replay_cap;
    struct co_index replay_index;
    bool recount;             /* the rollups are not those of the rows to be written: co_batch_recount */
    struct lm_buffer closing; /* the closing message */

    unsigned letters_pending; /* dead letters not confirmed yet */
    int64_t letters_until_us; /* monotonic: how long an open transaction waits for them; 0: none does */
    bool asked;               /* a question about it is under way on the control connection */
    int64_t read_back;        /* the answer where the outcome of a COMMIT was unknown; -1: none */
    unsigned attempts;        /* that failed */
    bool unanswered;          /* /readyz says that PostgreSQL does not answer it */
    struct lm_backoff backoff;
    int64_t not_before_us; /* monotonic */
    /* Looking for the one row that a nameless error is about: rows [probe_from, probe_to) are tried and
     * rolled back. */
    bool probing;
    size_t probe_low, probe_high; /* the bad row is within */
    size_t probe_from, probe_to;
    struct co_refusal refusal;
    struct co_batch *next; /* in the writer's list or the pool */
};

struct co_batch_scratch {
    const struct lm_schema_set *schemas;
    struct lm_buffer template; /* of the pattern at hand */
    int64_t now_us;            /* wall clock, read once a slice of records */
    struct lm_record record;
    bool decoded; /* `record` is what the value says, whether or not it may be stored */
};

/* NULL without memory. Its COPY bytes' memory comes from `chunks` and goes back there. */
struct co_batch *co_batch_new(struct co_chunks *chunks);
void co_batch_free(struct co_batch *batch);
/* As new, memory kept; messages are given back. For a new use within `partition`. */
void co_batch_reset(struct co_batch *batch);

/* Takes no more. */
bool co_batch_full(const struct co_batch *batch, const struct co_policy *policy);
/* Should be written: full, or old enough. An empty batch is never due. `behind`: the topic is known to hold
 * much more, which lets an open batch grow for ten times its age, or five seconds longer. */
bool co_batch_due(const struct co_batch *batch, const struct co_policy *policy, int64_t now_us, bool behind);
/* Memory it holds, for the budget, but for its chunks, which the pool counts. */
size_t co_batch_memory(const struct co_batch *batch);

/* Decodes a message and completes it for `category`; its texts live in the message or the arena, until the
 * next one is decoded. As lm_record_decode and lm_record_complete. */
int co_batch_decode(struct co_batch *batch, struct co_batch_scratch *scratch,
                    const rd_kafka_message_t *message, enum lm_category category,
                    struct lm_error *error) LM_MUST_CHECK;
/*
 * Appends scratch->record, decoded from `message`, as a row and adds it to the rollups under the place that
 * co_names_add gave it; the pattern's
 * template is taken along where `patterns` does not know it yet. A batch that keeps messages has this one
 * from then on, else it is still the caller's. 0; -1 with the batch as before: LM_DEAD_LETTER, or LM_RETRY
 * "memory".
 */
int co_batch_add(struct co_batch *batch, struct co_batch_scratch *scratch, rd_kafka_message_t *message,
                 enum lm_category category, uint32_t place, struct co_patterns *patterns,
                 struct lm_error *error) LM_MUST_CHECK;
/* Room for one more element behind each of the lists a record may add to. 0, or -1 without memory. */
int co_batch_reserve(struct co_batch *batch) LM_MUST_CHECK;
/* The record with this offset went to the dead letters. 0, or -1 without memory. */
int co_batch_note_letter(struct co_batch *batch, int64_t offset) LM_MUST_CHECK;
/* The record with this offset is decided: stored, a repeat or a dead letter. */
void co_batch_passed(struct co_batch *batch, int64_t offset, int64_t kafka_time_us, int64_t now_us);
/* Up to here there is nothing that is ever delivered. */
void co_batch_skip(struct co_batch *batch, int64_t next_offset, int64_t now_us);

/* The rows [*from, *to) that are to be written: all, or the part that is tried. */
void co_batch_range(const struct co_batch *batch, size_t *from, size_t *to);
/* The rows from `row` on, before `end`, whose tuples stand side by side in *bytes, one at least; returns the
 * row behind them. Where the batch keeps no messages `row` is 0 or what this returned. */
size_t co_batch_run(const struct co_batch *batch, size_t row, size_t end, struct lm_slice *bytes);
/* Of a batch that flows: the tuples that go next; false: none are ready. While it is open the chunk that
 * takes rows is not, and none is before its rows are cleared. */
bool co_batch_front(const struct co_batch *batch, struct lm_slice *tuples);
/* They have gone: gives their memory back. */
void co_batch_drop_front(struct co_batch *batch);
/* Takes a row out, and what says that it was put back with it: it is not stored. Its message is the caller's,
 * and the rollups, which may point into it, are not to be read before co_batch_recount. */
rd_kafka_message_t *co_batch_take_row(struct co_batch *batch, size_t row);
/* Where batch->recount is set: makes the rollups those of the rows in co_batch_range, out of their tuples. 0,
 * or -1 without memory. */
int co_batch_recount(struct co_batch *batch, struct lm_error *error) LM_MUST_CHECK;

/* The one way to another state; logs it, and refuses (logged as an error, -1) what cannot follow. */
int co_batch_change_state(struct co_batch *batch, enum co_batch_state to);

/* Kafka's time of a message in microseconds, the clock's where it has none. */
int64_t co_message_time_us(const rd_kafka_message_t *message);

#endif
