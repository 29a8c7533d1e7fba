/*
 * Work that PostgreSQL does by itself once it is asked: folding, summarising, forgetting. All consumers ask
 * now and then, and one at a time is let in; a portion takes a fraction of a second, for leaves and positions
 * wait behind it on the control connection, and the next one follows soon where there is more to do. No batch
 * depends on it. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_CHORE_H
#define LOGMILL_CONSUMER_CHORES_CHORE_H

#include "common/buffer.h"
#include "common/log.h"
#include "consumer/writer/control.h"

#include <stdbool.h>

struct co_chore_kind {
    const char *name;    /* in the log */
    const char *failure; /* what was not done, and what that costs */
    int64_t first_us;    /* after the start */
    int64_t every_us;
    int64_t more_after_us;
    /* Appends the statement; `again`: the portion before left something. */
    void (*write)(struct lm_buffer *out, bool again, void *context);
    /* Reads its one row: is there more to do? May be called with another row than that, or not at all. */
    bool (*read)(const PGresult *row, void *context);
};

struct co_chore {
    /* Set by the owner. */
    const struct co_chore_kind *kind;
    struct co_control *control;
    void *context;

    int64_t due_us; /* monotonic */
    bool asked, more;
    struct lm_log_limit limit;
};

/* Once a second. */
void co_chore_tick(struct co_chore *chore);

#endif
