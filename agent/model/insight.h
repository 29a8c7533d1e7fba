/*
 * What a model may add to an insight: a sentence about a result that it was shown, and only if code finds
 * nothing in it that the result does not hold. Any thread.
 */
#ifndef LOGMILL_AGENT_MODEL_INSIGHT_H
#define LOGMILL_AGENT_MODEL_INSIGHT_H

#include "agent/cache/cache.h"
#include "agent/intent.h"

#include <jansson.h>
#include <stdbool.h>

#define AG_INSIGHT_ROWS 50
#define AG_INSIGHT_BYTES ((size_t)64 << 10) /* a larger answer is not shown to a model */
#define AG_INSIGHT_LONGEST 800              /* bytes of what may be added */

/* The user message: question, language, columns, the first rows, the insight so far. malloc'd; NULL without
 * memory, or for an answer that is too large. */
char *ag_insight_prompt(const struct ag_result *result, const char *question, size_t question_len,
                        enum ag_language language);
/*
 * May the text be shown? It is one line of plain text; every number in it (a run of digits with separators,
 * of any script) stands in the results, as a number or within a text; there are no brackets, no markup, no
 * addresses of mail or web, but words with a dot or a slash that stand in the results just so.
 */
bool ag_insight_fits(const char *text, size_t len, const json_t *results);
/* Adds it to the answer's insight, marked as the model's, if it fits. */
bool ag_insight_add(struct ag_result *result, enum ag_language language, const char *text, size_t len);

#endif
