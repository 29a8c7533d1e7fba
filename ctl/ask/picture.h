/*
 * The picture of an answer in characters, by the type of its `chart`:
 *
 *   number  the row, a line a column
 *   bar     a table with a bar behind the first measure
 *   line    a sparkline for each series, all on one scale; few buckets of one series: bars
 *   table   a table, as for an answer without a chart and with `as_table`
 *
 * Nothing in the answer can reach the terminal as an escape sequence (ctl/terminal.h).
 */
#ifndef LOGMILL_CTL_ASK_PICTURE_H
#define LOGMILL_CTL_ASK_PICTURE_H

#include "common/buffer.h"
#include "ctl/terminal.h"

#include <jansson.h>

/* Appends lines, none where the answer has no rows. 0, or -1: it is no answer, or no memory is left. */
int ct_picture_append(const json_t *answer, const struct ct_terminal *terminal, bool as_table,
                      struct lm_buffer *out) LM_MUST_CHECK;

#endif
