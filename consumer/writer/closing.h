/*
 * The closing message: everything of a batch's transaction that touches rows others may want too, and the
 * COMMIT, as the text of one simple Query, so that no row lock ever waits for this client. Values are
 * literals: the extended protocol takes one statement a message.
 */
#ifndef LOGMILL_CONSUMER_WRITER_CLOSING_H
#define LOGMILL_CONSUMER_WRITER_CLOSING_H

#include "consumer/batch/batch.h"

struct co_closing_options {
    const char *topic;
    int32_t partition;
    enum lm_category category;
    int64_t lock_timeout_ms;
    bool count_seconds; /* false: the call is the one that leaves them out and marks the minutes as such */
    bool rehearse;      /* everything but the offset, then ROLLBACK: whether the rows would pass */
};

/* Writes batch->closing anew. 0, or -1 (LM_RETRY "memory"). */
int co_closing_write(struct co_batch *batch, const struct co_closing_options *options,
                     struct lm_error *error) LM_MUST_CHECK;

#endif
