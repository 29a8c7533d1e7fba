#include "consumer/summaries.h"

#include "common/clock.h"

#include <string.h>

#define EVERY_US (10 * LM_SECOND_US)
#define MORE_AFTER_US LM_SECOND_US

static void on_summarised(const PGresult *result, void *context)
{
    struct co_summaries *summaries = context;

    /* NULL where another is at it. */
    summaries->more = PQntuples(result) == 1 && PQnfields(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
}

static void on_done(const struct lm_error *error, void *context)
{
    struct co_summaries *summaries = context;

    summaries->asked = false;
    summaries->due_us = lm_clock_mono_us() + (error == NULL && summaries->more ? MORE_AFTER_US : EVERY_US);
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&summaries->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "summaries",
                       "what was written was not summarised (lists and look-ups take longer): %s",
                       error->text);
}

void co_summaries_tick(struct co_summaries *summaries)
{
    struct lm_error error;
    int64_t now_us = lm_clock_mono_us();
    struct co_question question = {.sql = "SELECT more FROM logmill.summarise(interval '150 ms')",
                                   .result = on_summarised,
                                   .done = on_done,
                                   .context = summaries};

    if (summaries->due_us == 0) /* not in the rush of a start */
        summaries->due_us = now_us + EVERY_US;
    if (summaries->asked || now_us < summaries->due_us)
        return;
    summaries->due_us = now_us + EVERY_US;
    summaries->more = false;
    summaries->asked = co_control_ask(summaries->control, &question, &error) == 0;
}
