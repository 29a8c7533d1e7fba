/*
 * What of one input is on its way. Answers may come in any order; the delivered offset moves over records
 * that are settled without a gap: acknowledged, or refused for good (sending those again would change
 * nothing). A record that must go again leaves a gap, which the offset does not pass.
 */
#ifndef LOGMILL_PRODUCER_SHIP_WINDOW_H
#define LOGMILL_PRODUCER_SHIP_WINDOW_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sh_window;

/* One record on its way; the producer's opaque. */
struct sh_sent {
    struct sh_window *window;
    struct sh_sent *next;
    int64_t end;  /* offset behind the record */
    bool settled; /* acknowledged or refused for good */
};

enum sh_fate {
    SH_DELIVERED,
    SH_REFUSED,    /* for good: passed over */
    SH_UNDELIVERED /* it must go again */
};

struct sh_window {
    struct sh_sent *oldest, *newest;
    const char *name;  /* of the input, in messages */
    size_t count;      /* records without an answer */
    int64_t delivered; /* everything up to this offset is settled */
    bool gap;          /* a record must go again: `delivered` does not pass it */
    void (*moved)(struct sh_window *window, void *context); /* after every answer; may be NULL */
    void *context;
};

/* A record that may be sent: give it to sh_window_add once the producer has taken it, else free() it. NULL
 * without memory. */
struct sh_sent *sh_window_prepare(struct sh_window *window, int64_t end);
void sh_window_add(struct sh_sent *sent);
/* The producer's answer; frees what is done with. */
void sh_window_end(struct sh_sent *sent, enum sh_fate fate);
/* Whether a record behind a gap is settled: then the gap cannot be sent again under the same source. */
bool sh_window_passed_gap(const struct sh_window *window);
/* Frees what is left: the producer will not come back to it. */
void sh_window_clear(struct sh_window *window);

#endif
