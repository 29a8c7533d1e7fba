/*
 * The records on their way: a bounded queue from the application's threads to the background thread, and the
 * list of all that is not yet delivered, in the order accepted. One lock for both, which the client also
 * holds while it encodes a record: so the sequences are in the order of the queue.
 */
#ifndef LOGMILL_PRODUCER_LIB_QUEUE_H
#define LOGMILL_PRODUCER_LIB_QUEUE_H

#include "producer/lib/logmill.h"

#include <pthread.h>

struct pl_entry {
    struct pl_entry *next_queued;     /* towards the background thread */
    struct pl_entry *previous, *next; /* among the undelivered, oldest first */
    uint64_t ticket;                  /* 1, 2, 3 … in the order accepted */
    enum logmill_category category;
    size_t len;
    char data[]; /* the record, Avro single-object encoded */
};

enum pl_outcome { PL_DELIVERED, PL_REFUSED, PL_LOST };

struct pl_queue {
    pthread_mutex_t lock;
    pthread_cond_t progress; /* an entry ended; by the monotonic clock */
    struct pl_entry *first_queued, *last_queued;
    struct pl_entry *oldest, *newest;
    size_t max_records, max_bytes;
    struct logmill_stats stats;
    bool closing;
};

/* 0, or -1 when the lock cannot be made. */
int pl_queue_init(struct pl_queue *queue, size_t max_records, size_t max_bytes) LOGMILL_CHECKED;
/* Frees what is left in it. No other thread uses it any more. */
void pl_queue_free(struct pl_queue *queue);

/* The next two with the lock held: whether a record of `len` bytes fits, and taking it (ownership of `entry`
 * moves). */
bool pl_queue_has_room(const struct pl_queue *queue, size_t len);
void pl_queue_push(struct pl_queue *queue, struct pl_entry *entry);

/* Background thread: all that is queued, as a list over next_queued; they stay undelivered. *closing: it is
 * the last. */
struct pl_entry *pl_queue_take_all(struct pl_queue *queue, bool *closing);
/* Background thread: the entry's fate is known; frees it. */
void pl_queue_end(struct pl_queue *queue, struct pl_entry *entry, enum pl_outcome outcome);

/* Waits until everything accepted so far has ended. 0, or -1 at the deadline. */
int pl_queue_wait(struct pl_queue *queue, unsigned deadline_ms) LOGMILL_CHECKED;

#endif
