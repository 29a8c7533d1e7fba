#include "consumer/chores/folds.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

/* Every hour it is looked further back, for what was soft-deleted or came late; what is older still is left
 * to logmill-ctl fold. */
#define FAR_EVERY 60
#define NEAR "interval '3 days'"
#define FAR "interval '35 days'"
#define PORTION "interval '150 ms'"

static void write_call(struct lm_buffer *out, bool again, void *context)
{
    struct co_folds *folds = context;

    if (!again)
        folds->far = folds->calls++ % FAR_EVERY == 0;
    lm_buffer_append_text(out, "SELECT hours, days, more FROM logmill.fold(");
    lm_buffer_append_literal(out, folds->zone, strlen(folds->zone));
    lm_buffer_append_text(out, folds->far ? ", " FAR ", " PORTION ")" : ", " NEAR ", " PORTION ")");
}

static bool read_row(const PGresult *row, void *context)
{
    struct co_folds *folds = context;

    /* Nothing but NULLs where another is at it: the look far back is not left for an hour then. */
    if (PQnfields(row) != 3 || PQgetisnull(row, 0, 0))
        return folds->far;
    lm_counter_add(folds->made,
                   strtoull(PQgetvalue(row, 0, 0), NULL, 10) + strtoull(PQgetvalue(row, 0, 1), NULL, 10));
    return PQgetvalue(row, 0, 2)[0] == 't';
}

const struct co_chore_kind co_folds_kind = {
    .name = "folds",
    .failure = "hours and days were not folded (questions about long windows take longer)",
    .first_us = 15 * LM_SECOND_US,
    .every_us = LM_MINUTE_US,
    .more_after_us = 2 * LM_SECOND_US,
    .write = write_call,
    .read = read_row,
};

static void write_running_call(struct lm_buffer *out, bool again, void *context)
{
    (void)again;
    (void)context;
    lm_buffer_append_text(out, "SELECT logmill.fold_running()");
}

static bool read_running_row(const PGresult *row, void *context)
{
    (void)row;
    (void)context;
    return false;
}

const struct co_chore_kind co_slots_kind = {
    .name = "slots",
    .failure = "slots were not folded (questions about windows up to now take longer)",
    .first_us = 20 * LM_SECOND_US,
    .every_us = 10 * LM_SECOND_US,
    .write = write_running_call,
    .read = read_running_row,
};
