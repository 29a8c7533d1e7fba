/*
 * What to do about a batch that failed. One decision for every error there is; the writer carries it out.
 * Pure.
 */
#ifndef LOGMILL_CONSUMER_WRITER_RETRY_H
#define LOGMILL_CONSUMER_WRITER_RETRY_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum co_remedy {
    CO_REMEDY_WAIT,       /* back off and send it again, for ever */
    CO_REMEDY_READ_BACK,  /* the connection broke while COMMIT was out: ask what became of it */
    CO_REMEDY_TAKE_ROW,   /* PostgreSQL named the row: to the dead letters, and send the rest again */
    CO_REMEDY_SEARCH,     /* some row is bad and the error does not say which: halve */
    CO_REMEDY_LEAF,       /* a leaf is gone: make it and send again */
    CO_REMEDY_END_HOLDER, /* somebody sits on the partition's lock: end its backend, send again */
    CO_REMEDY_START_OVER, /* the offset is not ours any more: drop everything, read the position */
    CO_REMEDY_RECONNECT   /* this server cannot (any more): another connection, then send again */
};

/* `line`: the row COPY named, or 0. `closing`: it was the closing message that failed. */
enum co_remedy co_retry_decide(const struct lm_error *error, long long line, bool closing);

const char *co_remedy_name(enum co_remedy remedy);

/* What went wrong and what a person can do about it, for /readyz: at most `size` bytes with the NUL, UTF-8.
 * `everything`: a refusal that is the table's fault (refusal.h). */
void co_retry_explain(const struct lm_error *error, bool everything, char *out, size_t size);

#endif
