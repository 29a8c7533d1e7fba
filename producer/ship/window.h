/*
 * What of one input is on its way: acknowledgements may come in any order, the delivered offset moves only
 * over records that are acknowledged without a gap.
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
    int64_t end; /* offset behind the record */
    bool acknowledged;
};

struct sh_window {
    struct sh_sent *oldest, *newest;
    size_t count;
    int64_t delivered; /* everything up to this offset is acknowledged */
    bool failed;       /* a record was refused for good: `delivered` does not pass it */
    void (*moved)(struct sh_window *window, void *context); /* after an acknowledgement or a failure */
    void *context;
};

/* A record that may be sent: give it to sh_window_add once the producer has taken it, else free() it. NULL
 * without memory. */
struct sh_sent *sh_window_prepare(struct sh_window *window, int64_t end);
void sh_window_add(struct sh_sent *sent);
/* The producer's answer; frees what is done with. */
void sh_window_end(struct sh_sent *sent, bool acknowledged);
/* Frees what is left: the producer will not come back to it. */
void sh_window_clear(struct sh_window *window);

#endif
