#include "consumer/chores/seconds.h"

#include "common/clock.h"

static void write_call(struct lm_buffer *out, bool again, void *context)
{
    (void)again;
    (void)context;
    lm_buffer_append_text(out, "SELECT more FROM logmill.forget_seconds(interval '150 ms')");
}

static bool read_row(const PGresult *row, void *context)
{
    (void)context;
    /* NULL where another is at it. */
    return PQnfields(row) == 1 && PQgetvalue(row, 0, 0)[0] == 't';
}

const struct co_chore_kind co_seconds_kind = {
    .name = "seconds",
    .failure = "counts by the second were not forgotten (they take room)",
    .first_us = 30 * LM_SECOND_US,
    .every_us = LM_MINUTE_US,
    .more_after_us = 2 * LM_SECOND_US,
    .write = write_call,
    .read = read_row,
};
