/*
 * Whose fault it is that PostgreSQL refuses a row: the row's, or the table's. A constraint, a trigger or a
 * type that somebody changed refuses good records as it does bad ones, and no SQLSTATE tells the two apart;
 * what tells them apart is how much passes.
 *
 * A row is bad where at least eight of its batch, and as many as were taken out of it, have passed before it.
 * Otherwise up to sixteen other rows, spread over the batch, are tried one by one in transactions that are
 * rolled back: a quarter of them must pass. If fewer do, the fault is the table's and nothing goes to the
 * dead letters. A batch of ten rows or less is too small to tell (a lone bad record is its own batch): it is
 * believed, until ten rows of a category were so believed and none passed. What was read behind a batch and
 * is as much as it holds is tried together with it: bad records that came one by one must not keep good ones
 * waiting. Pure.
 */
#ifndef LOGMILL_CONSUMER_BATCH_REFUSAL_H
#define LOGMILL_CONSUMER_BATCH_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#define CO_REFUSAL_BELIEVED 10

/* What is known of a batch; zeroed with it. */
struct co_refusal {
    size_t taken;   /* rows taken out of it */
    size_t credit;  /* rows that may go without further samples */
    bool sampling;  /* a row is being tried on its own */
    size_t sampled; /* so many were, the one under way included */
    size_t passed;  /* of them */
    bool waited;    /* it was the table's fault before */
};

enum co_blame {
    CO_BLAME_ROW,    /* take it out */
    CO_BLAME_SAMPLE, /* not known: try the row co_refusal_sample() names on its own */
    CO_BLAME_AGAIN,  /* try the whole batch again: what is refused then is bad */
    CO_BLAME_TABLE   /* nearly everything is refused */
};

/* The row is bad, without trying others. */
bool co_refusal_is_clear(const struct co_refusal *refusal, size_t row);
/* `row` of a batch of `rows` was refused, the sample where one was tried. `believed`: the category's count,
 * kept by the caller and zeroed where a batch is committed. */
enum co_blame co_refusal_judge(struct co_refusal *refusal, size_t row, size_t rows, size_t *believed);
/* The sample passed: CO_BLAME_SAMPLE or CO_BLAME_AGAIN. */
enum co_blame co_refusal_passed(struct co_refusal *refusal, size_t rows);
/* The row to try: not the first, each time another. */
size_t co_refusal_sample(const struct co_refusal *refusal, size_t rows);

#endif
