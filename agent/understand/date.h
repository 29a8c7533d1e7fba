/*
 * The date of a moment, in every way it is said: 어제, "3 days ago", "Friday of last week", 지난달 15일,
 * "March 15th 2026", 3월 초, 2026-03-15, seconds since 1970.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_DATE_H
#define LOGMILL_AGENT_UNDERSTAND_DATE_H

#include "agent/understand/moment.h"

/* Reads a date at token `i` into the fields of `m` that say the date, or the instant where it is written out
 * with its clock; the token behind it, or `i` where there is none, and `m` is then worth nothing. Consumes
 * nothing. `anchor` as for ag_moment_read. */
size_t ag_date_read(struct ag_parse *p, size_t i, const struct ag_moment *anchor, struct ag_moment *m);

/* The first token from `i` on that is no article, particle or small word between the parts of one moment. */
size_t ag_date_skip(const struct ag_tokens *t, size_t i);

#endif
