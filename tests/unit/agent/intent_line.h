/*
 * An intent as one line that people can read and write in a table of expectations:
 *
 *   count level=ERROR,FATAL service!=api-gateway by service @day -1 most top5
 *
 * Measure, filters in the order of the question, groups, "@" and the window, then whatever else is set.
 */
#ifndef LOGMILL_TESTS_AGENT_INTENT_LINE_H
#define LOGMILL_TESTS_AGENT_INTENT_LINE_H

#include "agent/intent.h"
#include "common/buffer.h"

/* Appends the line; a window nobody stated has a "?" behind it. */
void intent_line(const struct ag_intent *intent, struct lm_buffer *out);

#endif
