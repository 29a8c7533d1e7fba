/*
 * The windows of an intent, for those that choose them: compare.c and appeared.c.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_COMPARE_H
#define LOGMILL_AGENT_UNDERSTAND_COMPARE_H

#include "agent/understand/parse.h"

/* A unit of the calendar, such as "day -1": its name and the number of it from the one it is now. */
bool ag_calendar_of(const char *symbolic, char name[16], int *k);
/* The span between two instants as the text of a window, of the question's memory. */
const char *ag_span_text(struct ag_parse *p, int64_t from, int64_t to);
void ag_set_window(struct ag_parse *p, const char *symbolic, bool stated);
/* The window it is compared with; NULL asks back for both spans. */
void ag_set_against(struct ag_parse *p, const char *symbolic);

/* appeared.c: "new error types today that we did not see yesterday": two times. */
void ag_new_since(struct ag_parse *p);
/* appeared.c: 어제 없던 에러, "error types we didn't see yesterday": the one time said is the one they were
 * missing from. */
bool ag_was_absent(const struct ag_parse *p);
/* appeared.c: what has come since: in the day, week, month it is now. */
void ag_came_since(struct ag_parse *p);
/* appeared.c: 이번주에 처음 등장한, "never seen before": not only not in the window before. */
void ag_never_before(struct ag_parse *p);

#endif
