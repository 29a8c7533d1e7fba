/*
 * The canonical text of a window, and its meaning. The parser writes these; an intent given back (`previous`)
 * or a cached one is resolved again from them against the present.
 *
 *   all                               everything kept
 *   last N UNIT                       rolling, ends at now:        "last 1 hour", "last 30 minute"
 *   last N UNIT -K                    the K-th such span before it: "last 1 hour -1"
 *   UNIT K                            calendar unit, K <= 0:       "day 0" (open: ends at now), "week -1"
 *   UNIT K so far                     as much of it as has passed of the current one: "day -1 so far"
 *   day K HH:MM-HH:MM                 a part of that day, up to 36:00 of the next one: "day -1 20:00-28:00"
 *   INSTANT/INSTANT, INSTANT/now      half-open, RFC 3339 with offset:
 *                                     "2026-03-17T14:00:00+09:00/2026-03-17T15:00:00+09:00"
 *
 * UNIT is second, minute, hour, day, week, month, quarter or year. N is 1 to 1000000. What would end after
 * now ends at now. Number and unit roll: N × 3600 s and N × 86400 s for hours and days, weeks of 7 × 86400 s;
 * months and years clip.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_TIME_H
#define LOGMILL_AGENT_UNDERSTAND_TIME_H

#include "agent/intent.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Half-open [*from, *to) in microseconds; "all" gives INT64_MIN and now. `*open` (may be NULL): ends at now
 * because the window is still running. 0, or -1 with LM_FATAL "bad_request" for an unknown zone or text, or
 * one that starts in the future. */
int ag_time_resolve(const char *symbolic, const char *zone, int64_t now_us, int64_t *from, int64_t *to,
                    bool *open, struct lm_error *error) LM_MUST_CHECK;

/* Resolves `intent`'s window and, where it compares, the other one, against now. 0 or -1 as above. */
int ag_intent_resolve(struct ag_intent *intent, int64_t now_us, struct lm_error *error) LM_MUST_CHECK;

#endif
