/* What a person is shown of the agent's answers: sentences around the picture, or why there is no answer. */
#ifndef LOGMILL_CTL_ASK_SHOW_H
#define LOGMILL_CTL_ASK_SHOW_H

#include "common/buffer.h"
#include "ctl/ask/agent_call.h"
#include "ctl/terminal.h"

/* The insight, the picture, how the question was read, assumptions and warnings, how many rows. 0, or -1: it
 * is no answer, or no memory is left. */
int ct_answer_append(const json_t *answer, const struct ct_terminal *terminal, bool as_table,
                     struct lm_buffer *out) LM_MUST_CHECK;
/* An answer of /explain without its SQL. */
void ct_explanation_append(const json_t *explanation, const struct ct_terminal *terminal,
                           struct lm_buffer *out);
/* The SQL and a line feed; it may hold text of the asker's, which is made harmless. */
void ct_sql_append(const json_t *answer, struct lm_buffer *out);
/* Why there is no answer: what the agent says of it, when to ask again, suggestions, choices by number. */
void ct_failure_append(const struct ct_agent_reply *reply, struct lm_buffer *out);

#endif
