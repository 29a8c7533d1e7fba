/*
 * An error that carries its decision.
 *
 * Functions that can fail return 0 or a negative code and fill a caller-owned `struct lm_error`. The caller
 * branches on `decision`, which says what to do about it, and shows `text`, which says what was wrong, where,
 * and what the reader can do. Nothing here allocates.
 */
#ifndef LOGMILL_COMMON_ERROR_H
#define LOGMILL_COMMON_ERROR_H

#define LM_MUST_CHECK __attribute__((warn_unused_result))
#define LM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum lm_decision {
    LM_OK = 0,      /* no error */
    LM_RETRY,       /* can pass: try again after a back-off, for ever */
    LM_DEAD_LETTER, /* this record can never be stored: to the dead-letter topic */
    LM_FATAL        /* needs a person: wrong configuration, broken installation */
};

struct lm_error {
    enum lm_decision decision;
    char kind[32];    /* stable machine-readable name, e.g. "too_long"; the DLQ's dlq.error.class */
    char sqlstate[6]; /* PostgreSQL's code where it has one, else "" */
    char text[512];   /* one sentence, UTF-8, truncated at a character boundary */
};

/* Fills `error` (which may be NULL: nothing is done) and always returns -1, so that `return lm_error_set(…)`
 * ends a function. `kind` is cut at 31 bytes; sqlstate becomes "". Arguments may point into `error` itself.
 * Any thread. */
int lm_error_set(struct lm_error *error, enum lm_decision decision, const char *kind, const char *format, ...)
    LM_PRINTF(4, 5);

/* Empties `error`: decision LM_OK, all texts "". NULL: nothing is done. */
void lm_error_clear(struct lm_error *error);

#endif
