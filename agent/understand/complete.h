/*
 * Completing a question while it is typed. Every suggestion is a whole question that ag_understand
 * understands: what is offered will be answered. Candidates come from the names in the data, the vocabulary
 * and a few ways in which questions of the language go on; each is read as a question before it is offered.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_COMPLETE_H
#define LOGMILL_AGENT_UNDERSTAND_COMPLETE_H

#include "agent/understand/understand.h"

#define AG_SUGGESTED 8
#define AG_SUGGEST_MAX_BYTES 400 /* a longer start gets no suggestions */

struct ag_suggested {
    const char *text; /* the whole question, in the arena */
    const char *kind; /* what completes it: "service", "host", …; "word"; "question" */
};

/*
 * Fills `out` with completions of `typed` (text, zone and now as in a question; the text may be empty), the
 * best first, and returns how many. Texts live in `arena`, which should allow AG_SUGGEST_ARENA bytes; without
 * memory there are fewer. Any thread. At most 120 questions are read.
 */
#define AG_SUGGEST_ARENA ((size_t)8 << 20)
size_t ag_complete(const struct ag_question *typed, const struct ag_vocabulary *vocabulary,
                   const struct ag_catalogue *catalogue, struct lm_arena *arena,
                   struct ag_suggested out[AG_SUGGESTED]);

#endif
