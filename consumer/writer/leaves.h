/*
 * Leaves of the log table, made before anything is copied into them: known ones are remembered by their
 * bounds, missing ones made on the control connection, never in a batch's transaction. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_WRITER_LEAVES_H
#define LOGMILL_CONSUMER_WRITER_LEAVES_H

#include "common/record/record.h"
#include "consumer/writer/control.h"

struct co_leaves;

struct co_leaves_options {
    uv_loop_t *loop;
    struct co_control *control;
    int64_t ahead_ms; /* how far ahead of time leaves are made, every ten minutes */
};

/* Knows no leaf yet. 0, or -1 without memory (LM_FATAL). */
int co_leaves_open(const struct co_leaves_options *options, struct co_leaves **out,
                   struct lm_error *error) LM_MUST_CHECK;

/* All of the event hours (µs, whole hours) lie in known leaves. */
bool co_leaves_known(const struct co_leaves *leaves, enum lm_category category, const int64_t *hours,
                     size_t count);
/*
 * Makes what is missing for them. `done` is called once, later: NULL when all are there, else what to do
 * (LM_RETRY also when too many leaves were asked for this minute). 0, or -1 with LM_RETRY and `done` is not
 * called.
 */
int co_leaves_make(struct co_leaves *leaves, enum lm_category category, const int64_t *hours, size_t count,
                   void (*done)(const struct lm_error *error, void *context), void *context,
                   struct lm_error *error) LM_MUST_CHECK;
/* A row found no leaf although it was known: somebody dropped it. */
void co_leaves_forget(struct co_leaves *leaves, enum lm_category category);

/* From the next time on. */
void co_leaves_set_ahead(struct co_leaves *leaves, int64_t ahead_ms);

/* Before co_control_close. Calls on the way are answered by the control connection's end. */
void co_leaves_close(struct co_leaves *leaves, void (*closed)(void *context), void *context);

#endif
