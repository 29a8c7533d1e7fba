/*
 * Bytes of one input to lines with their positions. A line longer than the limit is given out in pieces, cut
 * between characters, so that nothing is lost and memory is bounded.
 */
#ifndef LOGMILL_PRODUCER_SHIP_LINES_H
#define LOGMILL_PRODUCER_SHIP_LINES_H

#include "common/buffer.h"
#include "common/record/record.h"

struct sh_lines {
    struct lm_buffer bytes;
    size_t taken;   /* bytes of it already given out */
    int64_t offset; /* in the input, of bytes.data[taken] */
    size_t max_line;
    bool in_pieces; /* the line now read was begun by an earlier piece */
};

struct sh_line {
    struct lm_slice text;  /* without its line end; valid until the next call on the lines */
    int64_t start, end;    /* offsets in the input: of its first byte, behind its line end */
    bool piece_of_earlier; /* goes on where the line before it was cut */
};

/* `offset`: where in the input the first byte given will be. */
void sh_lines_init(struct sh_lines *lines, int64_t offset, size_t max_line);
void sh_lines_free(struct sh_lines *lines);
/* 0, or -1 without memory; the bytes are then not taken. */
int sh_lines_add(struct sh_lines *lines, const char *data, size_t len) LM_MUST_CHECK;
/* 1 and the next line, 0 when more bytes are needed. `at_end`: what is left without a line end is a line too.
 */
int sh_lines_next(struct sh_lines *lines, bool at_end, struct sh_line *out) LM_MUST_CHECK;

#endif
