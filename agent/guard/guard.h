/*
 * The SQL guard. Every SQL text that runs as the reader passes it, whoever wrote it: a model, a person, or
 * our own writer. It fails closed: what is not named in the tables of allow.c is rejected.
 *
 * The text is parsed by PostgreSQL's own grammar (libpg_query), every node is checked against the
 * allow-lists, names are resolved per SELECT the way PostgreSQL resolves them, and each relation that is
 * keyed by time must be bounded below by its own time column. What comes out is never the text that went in:
 * it is written anew from the checked tree, every expression in parentheses (write.c), parsed again, and must
 * give the same tree.
 *
 * Deliberately not done here: anything that needs the database (whether types fit, what a plan costs, row
 * security).
 */
#ifndef LOGMILL_AGENT_GUARD_GUARD_H
#define LOGMILL_AGENT_GUARD_GUARD_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define AG_GUARD_MAX_SQL 16384 /* bytes */

struct ag_guard_limits {
    int64_t now_us; /* what now() is taken for when a bound is folded; microseconds since 1970 */
    /* A lower bound before now_us minus this is rejected; 0: AG_GUARD_LONGEST_WINDOW_US. */
    int64_t longest_window_us;
    int max_rows; /* the text that runs is wrapped in LIMIT max_rows; 0: not wrapped */
};

#define AG_GUARD_LONGEST_WINDOW_US (INT64_C(1110) * 86400 * 1000000) /* three years and some days */

struct ag_guard_verdict {
    bool pass;
    char reason[256]; /* of a rejection, one phrase; "" on pass */
    char *sql;        /* on pass the text that may run, else NULL; freed by ag_guard_verdict_free */
};

/*
 * Judges `sql` (NUL-terminated UTF-8). Returns 0 with a verdict, or -1 (LM_RETRY "guard": no memory or no
 * thread); then the verdict is a rejection too, so that nothing runs. Any thread. Takes below a millisecond
 * for usual texts, and up to 4 KiB of stack for each byte of text, for the parser recurses as deep as that
 * nests: where the caller's has not so much, it is done on a thread of its own and the caller waits for it.
 */
int ag_guard(const char *sql, const struct ag_guard_limits *limits, struct ag_guard_verdict *out,
             struct lm_error *error) LM_MUST_CHECK;

/*
 * Raises the limit of the main thread's stack so that texts of any length are judged there without a thread
 * of their own. Where the hard limit is lower it is raised as far as that.
 */
void ag_guard_widen_stack(void);

/* Frees verdict->sql; a zeroed verdict is fine. */
void ag_guard_verdict_free(struct ag_guard_verdict *verdict);

#endif
