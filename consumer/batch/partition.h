/*
 * One assigned partition: where it stands, what it holds, and the state it is in. Assigned anew it is a new
 * one; the old one lives until nothing points to it any more (batches, questions under way).
 *
 *   locating → seeking → running ⇄ holding       running → refused (what was read is stored first) → gone
 *      ↕                    ↓ (lost the offset, or the broker refused it)
 *   beyond_end            locating …                         any → gone
 *
 * Only a running partition's queue is read. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_PARTITION_H
#define LOGMILL_CONSUMER_BATCH_PARTITION_H

#include "common/metrics.h"
#include "consumer/batch/ahead.h"
#include "consumer/batch/batch.h"
#include "consumer/batch/names.h"
#include "consumer/batch/sources.h"

enum co_partition_state {
    CO_PARTITION_LOCATING,   /* asks PostgreSQL and Kafka where to read from */
    CO_PARTITION_BEYOND_END, /* the stored offset is behind the topic's end: asks again, until somebody
                                decides */
    CO_PARTITION_SEEKING,    /* librdkafka is told */
    CO_PARTITION_RUNNING,    /* its queue is read */
    CO_PARTITION_HOLDING,    /* a record waits for something to be looked up */
    CO_PARTITION_REFUSED,    /* the broker had not what came next, and librdkafka has given up on it */
    CO_PARTITION_GONE        /* revoked */
};

/* What the held record waits for. */
enum co_hold {
    CO_HOLD_NONE,
    CO_HOLD_SOURCE,
    CO_HOLD_REPLAY,
    CO_HOLD_SCHEMA,
    CO_HOLD_REGISTRY,     /* to answer */
    CO_HOLD_UNREGISTERED, /* to know its id */
    CO_HOLD_MEMORY
};

/* Batches of a partition with the writer, in order; two, so that one is copied while the other commits. */
#define CO_LINE_MAX 2

struct co_topic_metrics {
    struct lm_counter *consumed, *stored, *repeats, *lost_by_retention;
};

struct co_partition {
    char topic[256];
    int32_t number;
    enum lm_category category;
    enum co_partition_state state;
    unsigned refs;
    uint32_t epoch; /* raised whenever it starts over: answers to older questions are stale */

    rd_kafka_queue_t *queue;
    struct co_ahead ahead;     /* taken from it before their turn */
    bool drained;              /* the queue was empty when last read */
    bool prompting;            /* its broker is being asked, see prompt.h */
    int64_t prompted_us;       /* monotonic time it was asked last */
    size_t message_bytes;      /* of a message, on average of late */
    uint64_t filled_last;      /* the turn in which its last batch was handed over */
    uint64_t seen_last;        /* the pass of co_reading_hand_over that saw it last */
    int64_t position;          /* next offset no batch covers yet */
    int64_t committed;         /* next offset PostgreSQL has */
    int64_t committed_time_us; /* Kafka time of the last record committed; 0: none yet */
    bool commit_to_kafka;      /* committed is newer than what Kafka was told */
    uint32_t serial;           /* of the batch filled last */
    size_t piece_rows;         /* most rows in one COPY, see piece.h */

    struct co_sources *sources;
    struct co_names *names;
    struct co_batch *filling;
    struct co_batch *line[CO_LINE_MAX];
    size_t line_count;
    bool outdated; /* it is read again from what is committed: what comes next in its queue is for nothing */

    enum co_hold hold;
    rd_kafka_message_t *held;
    int64_t held_source; /* of the held record, for CO_HOLD_SOURCE */
    bool hold_asked;
    bool hold_unanswered; /* PostgreSQL does not say what it waits for, and /readyz that it does not */
    int64_t held_since_us;
    int64_t hold_again_us; /* monotonic time to look again */
    bool replay_answered, replay_stored;
    /* PostgreSQL has refused a row: so many batches still keep their messages. A batch that kept none is read
     * again to find the one the row came from. */
    unsigned careful_batches;
    unsigned wary_batches; /* so many do not flow, after one that did has failed */
    int64_t *buried;       /* offsets not committed yet that the dead letters have already, ascending */
    size_t buried_count, buried_cap;

    unsigned start_overs;        /* since the last commit */
    int64_t lost_to;             /* offsets below this that retention deleted have been counted */
    unsigned looks_beyond_end;   /* in a row, that found its position there */
    bool expiring, expiry_asked; /* producers' old sequences are being removed; a portion is under way */
    int64_t expiry_from;         /* the source the next portion begins with */

    unsigned locate_attempts; /* that failed in a row */
    int64_t locate_again_us;  /* monotonic; INT64_MAX while an attempt is under way */
    struct co_topic_metrics metrics;
    int64_t lag;          /* records in the topic that are not committed; -1: not known yet */
    int64_t located_high; /* the topic's end as the broker said it when the position was found; 0: what has
                             been fetched since says more */
    int64_t caught_up_us; /* wall clock: when `lag` was last 0; 0: never */
    struct lm_gauge *lag_records, *lag_seconds;
    struct lm_condition *condition; /* "logs.raw/3" of /readyz; may be NULL */
    struct co_partition *next;      /* in the assignment */
};

/* With one reference. NULL without memory. */
struct co_partition *co_partition_new(const char *topic, int32_t number, enum lm_category category);
struct co_partition *co_partition_ref(struct co_partition *partition);
/* Frees it with the last reference; batches have gone by then. */
void co_partition_unref(struct co_partition *partition);

/* The one way to another state; logs it and refuses (-1) what cannot follow. */
int co_partition_change_state(struct co_partition *partition, enum co_partition_state to);

/* Says on /readyz why it stands still; NULL: all well. */
void co_partition_say(struct co_partition *partition, const char *reason);

/* Remembers which records of a batch the dead letters have, so that they do not go there again when the
 * partition is read anew from what is committed. Without memory they do. */
void co_partition_keep_buried(struct co_partition *partition, const struct co_batch *batch);
bool co_partition_is_buried(const struct co_partition *partition, int64_t offset);

/* Nothing of it is filling, in line or held. */
bool co_partition_empty(const struct co_partition *partition);

#endif
