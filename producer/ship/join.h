/*
 * Lines to records: which lines belong together, by the input's format.
 *
 * The format `auto` is decided by the first line that is not empty: a JSON object, a line that begins with a
 * time, or plain. A record ends when the next one begins, or when its owner says that it has waited long
 * enough (sh_join_flush): what was sent is never joined with what comes after it.
 */
#ifndef LOGMILL_PRODUCER_SHIP_JOIN_H
#define LOGMILL_PRODUCER_SHIP_JOIN_H

#include "common/buffer.h"
#include "producer/ship/config.h"
#include "producer/ship/lines.h"

/* A record's text, joined with line feeds. */
struct sh_entry {
    struct lm_slice text;  /* valid until the next call on the join */
    enum sh_format format; /* SH_PLAIN, SH_JSON or SH_LOG4J: how to read it */
    int64_t start, end;    /* offsets in the input */
};

struct sh_join {
    enum sh_format format; /* SH_AUTO until decided */
    bool utc;
    size_t max_record;
    struct lm_buffer text;  /* the record that may go on */
    struct lm_buffer given; /* the record given out */
    int64_t start, end;
    bool open; /* a record waits in `text` */
};

void sh_join_init(struct sh_join *join, enum sh_format format, bool utc, size_t max_record);
void sh_join_free(struct sh_join *join);
/* Settles the format `auto` by an input's beginning, for a join that starts further on. */
void sh_join_settle(struct sh_join *join, const char *beginning, size_t len);
/* Takes one line. 1: *out is a record that this line completed; 0: none yet; -1: no memory (the line was not
 * taken). */
int sh_join_line(struct sh_join *join, const struct sh_line *line, struct sh_entry *out) LM_MUST_CHECK;
/* The record that waits, if any: 1 and *out, else 0. */
int sh_join_flush(struct sh_join *join, struct sh_entry *out) LM_MUST_CHECK;

#endif
