/*
 * Expressions of time in a question: rolling spans, moments, ranges, relations ("since", 까지, around), zones. Each found one
 * is consumed and kept in p->times with its canonical text.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_WINDOW_H
#define LOGMILL_AGENT_UNDERSTAND_WINDOW_H

#include "agent/understand/parse.h"

/* Zone words: sets p->zone and p->zone_name for everything that follows. */
void ag_zone_rule(struct ag_parse *p);
/* All expressions of time, from left to right; a clock and a day said apart are joined. */
void ag_times_find(struct ag_parse *p);
/* Number and unit ("30분", "an hour", 하루) at token `i` as a length: the token behind, or `i`. For buckets and thresholds. */
size_t ag_length_read(const struct ag_parse *p, size_t i, double *n, char *unit);
/* Seconds × 1e6 of a unit letter; months are 30 days, years 365; 'z' is a millisecond. */
int64_t ag_unit_us(char unit);

#endif
