/*
 * The versions of closed hours (data_epoch), polled once a second while anybody needs them: a cached answer
 * about a closed window is good while the versions of its hours are those it was stored with. Loop thread.
 */
#ifndef LOGMILL_AGENT_CACHE_EPOCHS_H
#define LOGMILL_AGENT_CACHE_EPOCHS_H

#include "agent/database/reads.h"
#include "common/buffer.h"

struct ag_epochs;

/* How many versions there are in some hours, and what they add up to: versions only rise, and by the clock
 * where a server has lost some (sql/0020_epochs.sql), so equal means unchanged. */
struct ag_version {
    int64_t count;
    int64_t sum;
};

/* Half-open spans of time, microseconds; the second may be empty. */
struct ag_spans {
    int64_t from_us, to_us;
    int64_t against_from_us, against_to_us;
};

struct ag_epochs_options {
    uv_loop_t *loop;
    struct ag_reads *reads;
    unsigned poll_ms;
};

/* Polls nothing until it is asked. 0, or -1 without memory (LM_FATAL). */
int ag_epochs_open(const struct ag_epochs_options *options, struct ag_epochs **out,
                   struct lm_error *error) LM_MUST_CHECK;
/* The version of the hours that the spans touch, as last polled. False while nothing current is known (not
 * polled within the last few seconds); asking starts the polling, which goes on for a minute after the last
 * asking. */
bool ag_epochs_version(struct ag_epochs *epochs, const struct ag_spans *spans, struct ag_version *out);
/* The same as SQL that gives two columns, count and sum, for reading them in a statement's own snapshot. */
void ag_epochs_write_sql(const struct ag_spans *spans, struct lm_buffer *out);
/* Before the pool closes. Freed when `closed` (may be NULL) is called. */
void ag_epochs_close(struct ag_epochs *epochs, void (*closed)(void *context), void *context);

#endif
