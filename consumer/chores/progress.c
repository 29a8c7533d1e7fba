#include "consumer/chores/progress.h"

#include "common/clock.h"

#include <inttypes.h>
#include <string.h>

#define EVERY_US (10 * LM_SECOND_US)
/* So late, the process was stopped or the machine asleep. */
#define STOPPED_US (2 * LM_SECOND_US)

static bool at_end(const struct co_partition *partition)
{
    return partition->state == CO_PARTITION_RUNNING && co_partition_empty(partition) && partition->lag == 0;
}

/* The array a column of the question is made of. */
static void write_column(const struct co_progress *progress, struct lm_buffer *sql,
                         void (*write)(struct lm_buffer *sql, const struct co_partition *partition))
{
    bool first = true;

    lm_buffer_append_text(sql, "ARRAY[");
    for (const struct co_partition *p = co_assignment_first(progress->assignment); p != NULL; p = p->next) {
        if (!at_end(p))
            continue;
        lm_buffer_append_text(sql, first ? "" : ",");
        write(sql, p);
        first = false;
    }
    lm_buffer_append_char(sql, ']');
}

static void write_topic(struct lm_buffer *sql, const struct co_partition *partition)
{
    lm_buffer_append_literal(sql, partition->topic, strlen(partition->topic));
}

static void write_number(struct lm_buffer *sql, const struct co_partition *partition)
{
    lm_buffer_printf(sql, "%d", (int)partition->number);
}

static void write_offset(struct lm_buffer *sql, const struct co_partition *partition)
{
    lm_buffer_printf(sql, "%" PRId64, partition->committed);
}

static void on_said(const struct lm_error *error, void *context)
{
    struct co_progress *progress = context;

    progress->asked = false;
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&progress->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "progress",
                       "which partitions are stored to their end could not be noted: %s", error->text);
}

static void say(struct co_progress *progress)
{
    struct lm_buffer sql;
    struct lm_error error;

    lm_buffer_init(&sql, (size_t)4 << 20);
    lm_buffer_append_text(&sql, "SELECT logmill.check_offsets(");
    write_column(progress, &sql, write_topic);
    lm_buffer_append_text(&sql, "::text[],");
    write_column(progress, &sql, write_number);
    lm_buffer_append_text(&sql, "::integer[],");
    write_column(progress, &sql, write_offset);
    lm_buffer_append_text(&sql, "::bigint[])");
    struct co_question question = {.sql = lm_buffer_text(&sql), .done = on_said, .context = progress};
    progress->asked = question.sql != NULL && co_control_ask(progress->control, &question, &error) == 0;
    lm_buffer_free(&sql);
}

void co_progress_tick(struct co_progress *progress, int64_t late_us)
{
    const struct co_partition *p = co_assignment_first(progress->assignment);
    int64_t now_us = lm_clock_mono_us();

    if (late_us > STOPPED_US)
        progress->due_us = now_us + EVERY_US;
    while (p != NULL && !at_end(p))
        p = p->next;
    if (p == NULL || progress->asked || now_us < progress->due_us)
        return;
    progress->due_us = now_us + EVERY_US;
    say(progress);
}
