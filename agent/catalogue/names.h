/*
 * The agent's copy of the names in the data: read from log_name once every few seconds where there are new
 * ones, and at once when a question uses a name that the copy does not know. Loop thread; the catalogue
 * handed out may be read by any.
 */
#ifndef LOGMILL_AGENT_CATALOGUE_NAMES_H
#define LOGMILL_AGENT_CATALOGUE_NAMES_H

#include "agent/catalogue/catalogue.h"
#include "agent/catalogue/mask.h"
#include "agent/database/reads.h"

struct ag_names;

#define AG_DATABASE_SIZE 64
#define AG_CATEGORY_COUNT 4
/* "raw", "summary", "training", "tagged" */
extern const char *const ag_categories[AG_CATEGORY_COUNT];

/* A catalogue with a count of its holders. */
struct ag_names_copy {
    struct ag_catalogue *catalogue;
    unsigned holders;
    unsigned generation; /* of the reads (reads.h) it was made from */
};

/* What else is known of the data as a whole. */
struct ag_kept {
    bool services_overflowed; /* a rollup holds services under "(other)" */
    int64_t oldest_us;        /* when the first record known of was made; INT64_MIN: there is none */
    /* By category, in the order of ag_categories: rows before it were dropped; INT64_MIN: none were. */
    int64_t rows_since_us[AG_CATEGORY_COUNT];
    /* The same of what was counted, which outlives the rows. */
    int64_t counts_since_us[AG_CATEGORY_COUNT];
    /* Names this very database and no other, wherever it is restored or copied to; "": not known. */
    char database[AG_DATABASE_SIZE];
};

struct ag_names_options {
    uv_loop_t *loop;
    struct ag_reads *reads;
    unsigned refresh_ms;
    const char *role; /* database role whose names these are; NULL or "": the reader. Kept by pointer */
    const struct ag_mask *mask;     /* names that are left out; may be NULL */
    struct lm_condition *condition; /* met after the first reading; may be NULL */
    struct lm_metrics *metrics;
};

/* Starts with an empty copy and reads at once. */
int ag_names_open(const struct ag_names_options *options, struct ag_names **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* The present copy; never NULL. Give it back with ag_names_drop. */
struct ag_names_copy *ag_names_hold(struct ag_names *names);
void ag_names_drop(struct ag_names_copy *copy);
/* Has there been a reading at all? */
bool ag_names_known(const struct ag_names *names);
/* As of the last reading. */
struct ag_kept ag_names_kept(const struct ag_names *names);

/* One that waits for a reading; memory of the caller's. */
struct ag_names_waiter {
    struct ag_names_waiter *next, *previous;
    bool waiting;
    void (*read)(void *context); /* the copy is fresh, or could not be read: it is what it was */
    void *context;
};
/* Reads now and calls `read` once, later, from the loop. False when the copy is younger than a second and of
 * the server that is read now, or nothing can be read: then nothing is called. */
bool ag_names_read_now(struct ag_names *names, struct ag_names_waiter *waiter);
void ag_names_forget(struct ag_names *names, struct ag_names_waiter *waiter);

/* Before the pool closes. Waiters are forgotten. Freed when `closed` (may be NULL) is called. */
void ag_names_close(struct ag_names *names, void (*closed)(void *context), void *context);

#endif
