/*
 * A question as tokens: the cheapest way to read its letters as words known, numbers, dates, names of the
 * catalogue and, where nothing else fits, unknown words. Rules then consume tokens; each says its name.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_TOKENS_H
#define LOGMILL_AGENT_UNDERSTAND_TOKENS_H

#include "agent/catalogue/catalogue.h"
#include "agent/text.h"
#include "agent/understand/vocabulary.h"
#include "common/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_MAX_TOKENS 512
#define AG_TOKEN_NAMES 6

/* Fields of a date, clock or instant token; -1 where not written. */
struct ag_written_time {
    int year, month, day, hour, minute, second, microsecond;
    bool zoned;
    int offset; /* seconds, where zoned */
};

struct ag_token {
    size_t from, to;                   /* in the matching text */
    const char *text;                  /* folded, UTF-8 */
    const struct ag_reading *readings; /* at least one */
    struct ag_reading own;             /* the one reading of a scanned token */
    double number;                     /* AG_C_NUMBER, AG_C_PERCENTILE */
    struct ag_written_time time; /* AG_C_DATE, AG_C_MONTH_DATE, AG_C_YEAR_MONTH, AG_C_CLOCK, AG_C_INSTANT */
    const struct ag_name *names[AG_TOKEN_NAMES]; /* catalogue names that are written exactly so */
    size_t name_count;
    bool slip;        /* a word mistyped by one letter */
    bool glued;       /* nothing between it and the token before */
    const char *rule; /* the rule that consumed it, or NULL */
};

struct ag_tokens {
    struct ag_token items[AG_MAX_TOKENS];
    size_t count;
    const struct ag_text *text;
};

/* 0; -1 without memory; 1 when the question has more than AG_MAX_TOKENS words. */
int ag_tokenize(const struct ag_text *text, const struct ag_vocabulary *vocabulary,
                const struct ag_catalogue *catalogue, struct lm_arena *arena, struct ag_tokens *out);

/* Has token `i` this reading and is not consumed? Any index is allowed. */
bool ag_is(const struct ag_tokens *tokens, size_t i, enum ag_concept concept);
/* Its value, or NULL where it has not this reading. */
const char *ag_value(const struct ag_tokens *tokens, size_t i, enum ag_concept concept);
/* Is it a whole number from `low` to `high`? */
bool ag_is_whole(const struct ag_tokens *tokens, size_t i, int low, int high, int *out);
/* Is this unit one of its readings? */
bool ag_is_unit(const struct ag_tokens *tokens, size_t i, const char *unit);
/* Takes token `i` out; those behind it move up, so nothing may have noted where they are yet. */
void ag_token_remove(struct ag_tokens *tokens, size_t i);
/* Consumes tokens [from, to) in the name of `rule`. */
void ag_consume(struct ag_tokens *tokens, size_t from, size_t to, const char *rule);

#endif
