/*
 * What the rules share while one question is read. Private to agent/understand.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_PARSE_H
#define LOGMILL_AGENT_UNDERSTAND_PARSE_H

#include "agent/understand/tokens.h"
#include "agent/understand/understand.h"
#include "agent/understand/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_MAX_TIMES 4

/* One expression of time found in a question. */
struct ag_time_found {
    size_t from, to;         /* tokens */
    const char *symbolic;    /* canonical, time.h */
    int64_t from_us, to_us;  /* not yet cut at now */
    bool day_only;           /* whole days, no clock: a clock said elsewhere may narrow it */
    bool clock_only;         /* clocks without a date: a day said elsewhere fixes it */
    int clock_from, clock_to; /* minutes of the day, for clock_only; clock_to may exceed 24 h, -1: open */
    bool instant;            /* a point: an hour, a minute or a second */
    char precision;          /* of a point: 'h', 'm', 's' */
    bool past_is_vague;      /* 최근 without a number: the default window */
};

struct ag_parse {
    const struct ag_question *question;
    const struct ag_vocabulary *vocabulary;
    const struct ag_catalogue *catalogue;
    struct lm_arena *arena;
    struct ag_text text;
    struct ag_tokens *tokens;
    struct ag_understanding *out;
    struct ag_intent *intent;
    enum ag_language language;
    const char *zone_name;
    struct ag_zone *zone;
    int64_t now;
    struct ag_time_found times[AG_MAX_TIMES];
    size_t time_count;
    bool stopped;      /* an outcome other than understood has been decided */
    bool memory;       /* the arena is exhausted */
    unsigned searches; /* costly look-ups made so far; bounded */
};

/* Decides the outcome; the first decision stays. `message` and `hint` are constant or live in the arena. */
void ag_stop(struct ag_parse *p, enum ag_outcome outcome, const char *message, const char *hint);
/* Notes an assumption once. Text in the question's language. */
void ag_assume(struct ag_parse *p, const char *code, const char *ko, const char *en);
/* The Korean or the English text, by the question's language. */
const char *ag_say(const struct ag_parse *p, const char *ko, const char *en);
/* A formatted text in the arena; "" without memory, noted. */
const char *ag_sayf(struct ag_parse *p, const char *format, ...) LM_PRINTF(2, 3);
/* Bytes [0, len) into the arena; "" without memory, noted. */
const char *ag_keep(struct ag_parse *p, const char *text, size_t len);
void ag_suggest(struct ag_parse *p, const char *name);

#endif
