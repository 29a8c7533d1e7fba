#include "consumer/chores/expiry.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdlib.h>

static void write_call(struct lm_buffer *out, bool again, void *context)
{
    const struct co_expiry *expiry = context;

    (void)again;
    lm_buffer_printf(out,
                     "SELECT hours, more FROM logmill.expire_rollups(%" PRId64
                     " * interval '1 ms', interval '150 ms')",
                     expiry->retention_ms);
}

static bool read_row(const PGresult *row, void *context)
{
    struct co_expiry *expiry = context;

    if (PQnfields(row) != 2)
        return false;
    if (PQgetisnull(row, 0, 0)) /* another is at it: it may be folding */
        return true;
    lm_counter_add(expiry->hours, strtoull(PQgetvalue(row, 0, 0), NULL, 10));
    return PQgetvalue(row, 0, 1)[0] == 't';
}

const struct co_chore_kind co_expiry_kind = {
    .name = "expiry",
    .failure = "what was counted longer ago than rollup_retention was not forgotten",
    .first_us = 5 * LM_SECOND_US,
    .every_us = LM_HOUR_US,
    .more_after_us = 2 * LM_SECOND_US,
    .write = write_call,
    .read = read_row,
};
