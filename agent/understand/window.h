/*
 * Expressions of time in a question: rolling spans, moments, ranges, relations ("since", 까지, around),
 * zones. Each found one is consumed and kept in p->times with its canonical text.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_WINDOW_H
#define LOGMILL_AGENT_UNDERSTAND_WINDOW_H

#include "agent/understand/parse.h"

/* Zone words: sets p->zone and p->zone_name for everything that follows. */
void ag_zone_rule(struct ag_parse *p);
/* All expressions of time, from left to right; a clock and a day said apart are joined. */
void ag_times_find(struct ag_parse *p);
/* Number and unit ("30분", "an hour", 하루) at token `i` as a length: the token behind, or `i`. For buckets
 * and thresholds. */
size_t ag_length_read(const struct ag_parse *p, size_t i, double *n, char *unit);
/* Seconds × 1e6 of a unit letter; months are 30 days, years 365; 'z' is a millisecond. */
int64_t ag_unit_us(char unit);

/* What window.c and relation.c share. Each fills `f` and returns whether the window can be resolved. */
bool ag_settle(struct ag_parse *p, struct ag_time_found *f, const char *symbolic);
bool ag_settle_span(struct ag_parse *p, struct ag_time_found *f, int64_t from, int64_t to, bool until_now);
/* Minutes `from` to `to` (-1: until now) of the local day `day`; past midnight where `to` is not after
 * `from`. */
bool ag_clock_range(struct ag_parse *p, struct ag_time_found *f, int64_t day, int from, int to);
/* "last N UNIT", or NULL where it is no whole number of any unit. */
const char *ag_rolling(struct ag_parse *p, double n, char unit);
/* shared_day.c: is a day what something is compared with (어제랑 비교, "vs yesterday")? */
bool ag_is_set_against(const struct ag_parse *p, const struct ag_time_found *day);
/* shared_day.c: is `earlier` compared only as far as `later`, which goes on, has come: last week, a whole day
 * against today? */
bool ag_may_be_cut(const struct ag_parse *p, const struct ag_time_found *earlier,
                   const struct ag_time_found *later);
/* shared_day.c: one day said by its weekday, of which the one before is a week ago ("this Monday vs last
 * Monday")?
 */
bool ag_is_weekday(const struct ag_time_found *f);
/* shared_day.c: hours set against each other whose day is said once are all of that day. */
void ag_share_day(struct ag_parse *p);
/* Outcome needs_clarification: that time has not come yet. */
void ag_ask_future(struct ag_parse *p);
/* relation.c: a moment or range at token `i`; the token behind it, or `i`. */
size_t ag_moment_rule(struct ag_parse *p, size_t i, struct ag_time_found *f);
/* relation.c: where a clock said so lies, or a day begins; false for what is neither, or may be either end of
 * a day. */
struct ag_moment;
bool ag_moment_point(struct ag_parse *p, const struct ag_moment *m, int64_t *at);
/* stretch.c: a length that hangs on a moment, and one that hangs on nothing; as ag_moment_rule. */
size_t ag_stretch_rule(struct ag_parse *p, size_t i, struct ag_time_found *f);
size_t ag_lone_length_rule(struct ag_parse *p, size_t i, struct ag_time_found *f);
/* stretch.c: of the one window the question has, the equal span before it said with its length ("vs the 5
 * minutes before", 직전 30분보다) is consumed, by the rule "shift": that is
 * what a window is compared with. */
void ag_take_equal_span(struct ag_parse *p);

#endif
