/*
 * One file, read from its delivered position to its end and beyond: appended, renamed, cut back.
 *
 * A file is known by its identity, not its name. Renamed away, it is read to its end and let go when nothing
 * came for a minute; cut back, it is read from its beginning as the file that it now is. That is seen by its
 * size, or by its first line when it has grown again since the last look; a file that was cut back and has
 * grown beyond what was delivered while no shipper ran, with the same first line, cannot be told.
 *
 * Loop thread; reads run on the loop's thread pool.
 */
#ifndef LOGMILL_PRODUCER_SHIP_TAIL_H
#define LOGMILL_PRODUCER_SHIP_TAIL_H

#include "producer/ship/input.h"
#include "producer/ship/positions.h"

#include <uv.h>

enum sh_tail_state {
    SH_TAIL_UNKNOWN, /* its first line is not complete: who it is cannot be told */
    SH_TAIL_IDLE,    /* at its end, or waiting for the next look */
    SH_TAIL_READING, /* a read is under way */
    SH_TAIL_BLOCKED, /* Kafka or memory has no room */
    SH_TAIL_FAILED,  /* there is no topic, or the file cannot be read: a followed one is tried again later */
    SH_TAIL_ENDED    /* read to its end for good; records may be on their way */
};

struct sh_tail;

struct sh_tail_options {
    uv_loop_t *loop;
    struct sh_output *output;
    struct sh_positions *positions;
    const char *path;
    bool follow;
};

/* Opens the file and starts. LM_RETRY where it cannot be opened. */
int sh_tail_open(const struct sh_tail_options *options, struct sh_tail **out,
                 struct lm_error *error) LM_MUST_CHECK;
/* Looks for what changed: growth, a rename, an end. Called once a poll interval. */
void sh_tail_look(struct sh_tail *tail, int64_t now_us);
/* Kafka has room again. */
void sh_tail_resume(struct sh_tail *tail);
/* No more reading; what was read to a line's end goes out. */
void sh_tail_stop(struct sh_tail *tail);
enum sh_tail_state sh_tail_state(const struct sh_tail *tail);
/* Nothing will be read any more and nothing is on its way. A followed file that failed is not done. */
bool sh_tail_done(const struct sh_tail *tail);
/* Everything of it has arrived: up to its end, or where it is followed, up to where it was read. */
bool sh_tail_complete(const struct sh_tail *tail);
/* Whether it reads the file of that device and inode. */
bool sh_tail_is(const struct sh_tail *tail, uint64_t device, uint64_t inode);
/* The name now leads to this file (a rename within what is watched). 0, or -1 without memory: the old name
 * stays. */
int sh_tail_rename(struct sh_tail *tail, const char *path) LM_MUST_CHECK;
/* Only when done, or after the producer has closed; never while a read is under way. */
void sh_tail_free(struct sh_tail *tail);

#endif
