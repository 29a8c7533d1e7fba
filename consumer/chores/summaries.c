#include "consumer/chores/summaries.h"

#include "common/clock.h"

static void write_call(struct lm_buffer *out, bool again, void *context)
{
    (void)again;
    (void)context;
    lm_buffer_append_text(out, "SELECT more FROM logmill.summarise(interval '150 ms')");
}

static bool read_row(const PGresult *row, void *context)
{
    (void)context;
    /* NULL where another is at it. */
    return PQnfields(row) == 1 && PQgetvalue(row, 0, 0)[0] == 't';
}

const struct co_chore_kind co_summaries_kind = {
    .name = "summaries",
    .failure = "what was written was not summarised (lists and look-ups take longer)",
    .first_us = 3 * LM_SECOND_US,
    .every_us = 3 * LM_SECOND_US,
    .more_after_us = LM_SECOND_US,
    .write = write_call,
    .read = read_row,
};
