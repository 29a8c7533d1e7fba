/*
 * From a question to a typed intent, deterministically: text → tokens → rules, each of which names what it
 * consumes.
 *
 * The promise: no question is answered by ignoring words that matter. Every token is consumed by a rule, is a
 * function word known by name, or makes the question not understood. Nothing here reads a clock, a file or a
 * network; the same question, catalogue and now give the same understanding, byte for byte.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_UNDERSTAND_H
#define LOGMILL_AGENT_UNDERSTAND_UNDERSTAND_H

#include "agent/catalogue/catalogue.h"
#include "agent/intent.h"
#include "common/arena.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/* A question's longest text, in code points and in bytes; the service answers 413 beyond. */
#define AG_QUESTION_MAX_CHARS 2000
#define AG_QUESTION_MAX_BYTES 8000
/* An arena for one question should allow this many bytes; more is never needed. */
#define AG_UNDERSTAND_ARENA ((size_t)4 << 20)

#define AG_MAX_ASSUMPTIONS 12
#define AG_MAX_SUGGESTIONS 5
#define AG_MAX_CHOICES 5

enum ag_outcome {
    AG_UNDERSTOOD,
    AG_NOT_UNDERSTOOD,
    AG_NEEDS_CLARIFICATION,
    AG_UNKNOWN_ENTITY,
    AG_REFUSED,
    AG_BAD_QUESTION /* control characters, invalid UTF-8, empty, too long: bad_request */
};

struct ag_question {
    const char *text; /* UTF-8 as typed; need not end in NUL */
    size_t len;
    const char *zone;                 /* IANA name of the asker's zone; must be known (ag_zone_known) */
    int64_t now_us;                   /* since 1970, UTC */
    const struct ag_intent *previous; /* resolved against now, or NULL */
};

struct ag_assumption {
    const char *code; /* "default_window", "error_levels", "slow_is_p95" … stable */
    const char *text; /* in the question's language */
};

struct ag_choice {
    const char *label;
    const char *question; /* what to ask instead, in full */
    const struct ag_intent *intent;
};

struct ag_understanding {
    enum ag_outcome outcome;
    struct ag_intent intent; /* AG_UNDERSTOOD only; windows resolved */
    struct ag_assumption assumptions[AG_MAX_ASSUMPTIONS];
    size_t assumption_count;
    enum ag_language language;
    const char *message; /* what was wrong; NULL when understood */
    const char *hint;    /* what can be asked instead */
    const char *suggestions[AG_MAX_SUGGESTIONS];
    size_t suggestion_count;
    struct ag_choice choices[AG_MAX_CHOICES];
    size_t choice_count;
};

struct ag_vocabulary;

/* Understands `question`. Texts of `out` live in `arena` or are constant. Any thread: catalogue and
 * vocabulary are only read. 0 with `out` filled (whatever the outcome), or -1 with LM_RETRY "memory" when the
 * arena is exhausted. */
int ag_understand(const struct ag_question *question, const struct ag_vocabulary *vocabulary,
                  const struct ag_catalogue *catalogue, struct lm_arena *arena, struct ag_understanding *out,
                  struct lm_error *error) LM_MUST_CHECK;

/* "understood", "not_understood", "needs_clarification", "unknown_entity", "refused", "bad_request": the
 * codes of errors. */
const char *ag_outcome_name(enum ag_outcome outcome);

#endif
