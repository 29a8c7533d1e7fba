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
    size_t from, to;          /* tokens */
    const char *symbolic;     /* canonical, time.h */
    int64_t from_us, to_us;   /* not yet cut at now */
    bool day_only;            /* whole days, no clock: a clock said elsewhere may narrow it */
    bool clock_only;          /* clocks without a date: a day said elsewhere fixes it */
    int clock_from, clock_to; /* minutes of the day, for clock_only; clock_to may exceed 24 h, -1: open */
    bool instant;             /* a point: an hour, a minute or a second */
    char precision;           /* of a point: 'h', 'm', 's' */
    int64_t day_of_clock;     /* of hours with a date: the day they are of; 0: none */
    bool day_apart;           /* it was said apart from them */
    int part_from, part_to;   /* minutes of the day, of a part of the day; 0 and 0: none */
    bool dateless;            /* a clock or part of the day without its date */
    bool past_is_vague;       /* 최근 without a number: the default window */
};

#define AG_MAX_MENTIONS 48
#define AG_MAX_TARGETS 6

/* Something the question names that narrows the records: a service, a level, a status, a text. */
struct ag_mention {
    size_t from, to; /* tokens */
    enum ag_field field;
    const char *key; /* metadata */
    enum ag_op op;
    const char *value;  /* NULL for AG_NOT_NULL and the like */
    const char *second; /* AG_BETWEEN */
    bool negated;
    bool of_part; /* of a share: what the part is, and not the whole */
};

/* A field named without a value: what to group, count or list by. */
struct ag_target {
    size_t from, to;
    enum ag_field field;
    const char *key;
    bool grouped; /* said with 별, by, per, each */
};

/* Conditions and numbers found. */
struct ag_found {
    int limit;
    bool limit_newest; /* "last 10": rows, newest first */
    bool limit_oldest;
    struct ag_threshold threshold;
    size_t threshold_at;
    bool threshold_percent;
    bool length_set; /* a condition on durations: "over 500 ms" */
    enum ag_op length_op;
    double length_ms;
    int64_t bucket_us;
    double p[AG_MAX_PERCENTILES];
    size_t p_count;
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
    struct ag_mention mentions[AG_MAX_MENTIONS];
    size_t mention_count;
    struct ag_target targets[AG_MAX_TARGETS];
    size_t target_count;
    struct ag_found found;
    size_t said[AG_C_COUNT_OF]; /* token index + 1 of the first with this concept that a rule consumed as
                                   such; 0: none */
    size_t part_at; /* shares.c: token index + 1 of 그중 or "of them", behind which a part of the whole is
                       counted; 0: none */
    const char *outcome_share; /* outcomes.c: the event type whose share among both outcomes is asked for */
    int64_t beside_us;         /* stretch.c: how long before and after a moment is compared; 0: not said */
    size_t since_told;  /* background.c: token index + 1 of a time in brackets behind what happened then; 0:
                           none */
    size_t crossed;     /* groups.c: token index + 1 of the x in 서비스 x 환경; 0: none */
    bool since_version; /* "since the 2.15.0 rollout": that version's records, whenever */
    bool negation_dropped; /* "A but not B" said no more than A */
    bool than_a_time;      /* "more than yesterday": set against that time */
    size_t than_name; /* exceeds.c: index + 1 of the mention whose figure others are held against; 0: none */
    bool less_than_name; /* below that figure, and not above it */
    bool negated_whole;  /* "no errors", "did not hit": of everything a group has, not of a record */
    bool left_out;       /* "without debug": the same of a group, or of records broken down by one */
    bool counted;        /* the number asked for is that of the groups */
    bool summed;         /* the number asked for is the sum over the groups */
    bool stopped;        /* an outcome other than understood has been decided */
    bool asks_values;    /* what values a key of the metadata has */
    bool several;        /* several measures of the same records were listed */
    bool clause;         /* a clause of another question, in whose language it speaks */
    bool memory;         /* the arena is exhausted */
    size_t which;        /* token index + 1 of a word that could be several names; 0: none */
    unsigned searches;   /* costly look-ups made so far; bounded */
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

/* Consumes every token with this reading in its own name and remembers the first in p->said; was there one?
 */
bool ag_take(struct ag_parse *p, enum ag_concept concept);
bool ag_said(const struct ag_parse *p, enum ag_concept concept);
/* The next and the previous token that is not a particle, a comma or an article; tokens->count, or SIZE_MAX
 * before the first. */
size_t ag_after(const struct ag_parse *p, size_t i);
size_t ag_before(const struct ag_parse *p, size_t i);
bool ag_is_korean(const struct ag_parse *p, size_t i);
const char *ag_word(const struct ag_parse *p, size_t i);
/* Is token `i` one of these words? */
bool ag_says(const struct ag_parse *p, size_t i, const char *const *words, size_t count);
/* Does `word` begin with one of `words`? */
bool ag_begins_with_one_of(const char *word, const char *const *words, size_t count);
/* Has token `i` this reading, consumed or not? */
bool ag_reads(const struct ag_parse *p, size_t i, enum ag_concept concept);
const char *ag_reads_value(const struct ag_parse *p, size_t i, enum ag_concept concept);

/* Does token `i` join two parts of a list: and, or, a comma, 랑? */
bool ag_joins_list(const struct ag_parse *p, size_t i);
/* Is this field one of token `i`'s readings, consumed or not? */
bool ag_names_field(const struct ag_parse *p, size_t i, const char *name);
/* The token behind 값 or "values", where token `i` is that: a field's values are the field; else `i`. */
size_t ag_past_value_word(const struct ag_parse *p, size_t i);
/* Is what stands at `i` grouped by: 별 behind it, "by" before? */
bool ag_grouped_by(const struct ag_parse *p, size_t i);

/* Adds a mention over tokens [from, to) and consumes them in the name of `rule`. */
void ag_mention_add(struct ag_parse *p, size_t from, size_t to, enum ag_field field, const char *key,
                    enum ag_op op, const char *value, const char *rule);
bool ag_mentions_field(const struct ag_parse *p, enum ag_field field);
/* The first mention whose tokens begin at `from`, or end before `to`; NULL. */
const struct ag_mention *ag_mention_starting(const struct ag_parse *p, size_t from);
const struct ag_mention *ag_mention_ending(const struct ag_parse *p, size_t to);

/* The stages, in the order ag_understand runs them. Each consumes what it understands. */
void ag_compound_rule(struct ag_parse *p); /* apposition.c: the dashes of "ERROR-or-worse" leave the tokens */
void ag_idioms_rule(struct ag_parse *p);   /* idioms.c: "what was u1077 up to", "A vs B: who had more" */
void ag_burst_rule(struct ag_parse *p);    /* burst.c: what bursts is errors */
void ag_except_rule(struct ag_parse *p);  /* except.c: a value left out of what is broken down by its field */
void ag_wording_rule(struct ag_parse *p); /* wording.c: "very first", "accounts for" */
void ag_spelling_rule(struct ag_parse *p); /* spelling.c: misspelt words get the readings of the word meant */
void ag_refusal_rule(struct ag_parse *p);  /* refuse.c */
void ag_background_rule(struct ag_parse *p); /* background.c: what is told and asks nothing */
void ag_cross_rule(struct ag_parse *p);      /* groups.c: 서비스 x 환경, one by the other */
void ag_gloss_rule(struct ag_parse *p);      /* apposition.c: 카드승인(card-auth) */
void ag_numbers_rule(struct ag_parse *p); /* numbers.c: buckets, lengths, thresholds, limits, percentiles */
void ag_text_rule(struct ag_parse *p);    /* search.c: quoted and contained text */
void ag_ids_rule(
    struct ag_parse *p); /* values.c: user u1234, trace …, error code …, tag …, addresses, paths */
void ag_status_rule(struct ag_parse *p);    /* statuses.c */
void ag_recurring_rule(struct ag_parse *p); /* recurring.c: weekdays, working hours */
void ag_level_rule(struct ag_parse *p);     /* levels.c */
void ag_part_rule(struct ag_parse *p);      /* shares.c: "how many, and how many of them are FATAL" */
void ag_rate_of_rule(struct ag_parse *p);   /* shares.c: "5xx rate" */
void ag_one_level_rule(struct ag_parse *p); /* levels.c: "FATAL errors" are FATAL */
void ag_names_rule(struct ag_parse *p);     /* names.c: names of the catalogue, exact and by part */
void ag_negation_rule(struct ag_parse *p);  /* negation.c */
void ag_instead_rule(struct ag_parse *p);   /* instead.c: "errors instead of warnings", of a follow-up */
void ag_swap_rule(struct ag_parse *p);      /* instead.c: "hosts instead of services", of a follow-up */
/* instead.c: does 바꿔 in … 로 바꿔, of no object, stand at `i` of a follow-up? It changes the question
 * before, and no log. */
bool ag_turns(const struct ag_parse *p, size_t i);
void ag_targets_rule(struct ag_parse *p);  /* groups.c */
void ag_outcomes_rule(struct ag_parse *p); /* outcomes.c: things done, by the events they leave */
void ag_attempts_rule(struct ag_parse *p); /* attempts.c: what was tried, however it ended */
void ag_measure_rule(struct ag_parse *p);  /* measure.c: fills the intent */
void ag_anchor_rule(struct ag_parse *p);   /* unsaid.c: deployments as events, or as moments nobody named */
void ag_than_rule(struct ag_parse *p);     /* than.c: more than another time or name had */
void ag_change_rule(struct ag_parse *p);   /* change.c: by how many percent it rose */
void ag_exceeds_rule(struct ag_parse *p);  /* exceeds.c: which have more than one that is named */
/* than.c: of groups against another time, those that rose or fell are asked for ("services with more errors
 * than yesterday"); sets the order to which way. */
bool ag_picks_changed(struct ag_parse *p);
/* than.c: was what token `i` calls slow, or fast, not so before? */
bool ag_became_slow(const struct ag_parse *p, size_t i);
/* than.c: does it say of something that there is more of it, or less, and not both? */
bool ag_says_a_change(const struct ag_parse *p);
/* than.c: groups are asked for in the order of their change ("increased the most"); sets the order where it
 * is that of a fall. And whether a word of change says itself that there is an order (많이 는 순서로). */
bool ag_ranks_by_change(struct ag_parse *p);
bool ag_says_order_of_change(const struct ag_parse *p);
void ag_claim_rule(struct ag_parse *p);    /* than.c: whether a comparison is to be confirmed */
void ag_windows_rule(struct ag_parse *p);  /* compare.c: window, comparison */
void ag_exceeds_check(struct ag_parse *p); /* exceeds.c: can they be held against the one named? */
void ag_counted_check(struct ag_parse *p); /* counted.c: are they groups that can be counted? */
/* counted.c, of a follow-up: what was counted is to be named. */
bool ag_name_counted(struct ag_parse *p);
bool ag_follow_up(struct ag_parse *p);     /* follow.c: true when the intent was made from the previous one */
void ag_leftover_rule(struct ag_parse *p); /* refuse.c: what nobody consumed */
/* unsaid.c: the window where no time was said. */
void ag_unsaid_window(struct ag_parse *p);
/* unsaid.c: is now the one time said, and what it means left to what is asked? */
bool ag_means_now(const struct ag_parse *p);
/* unsaid.c: asks back when something was. */
void ag_ask_when(struct ag_parse *p);
/* compare.c: `symbolic` moved back by "day", "week", "month", "hour" or its own length ("same"); NULL when it
 * cannot be. */
const char *ag_shift_window(struct ag_parse *p, const char *symbolic, const char *unit);
/* compare.c: `symbolic`, of a day at most, on the one day found, by the same clock; NULL when it cannot be.
 */
const char *ag_same_clock(struct ag_parse *p, const char *symbolic, const struct ag_time_found *day);
/* A list that is to be broken down, compared or counted becomes a count; the slowest records do not.
 * measure.c */
void ag_count_instead(struct ag_parse *p);
/* Is it asked behind token `when` what it was: 언제고 뭐였어, "when was it and what was it"? The record is
 * wanted then, which has its time. measures.c */
bool ag_asks_what_it_was(const struct ag_parse *p, size_t when);
/* metadata.c: does a sample of the rows hold values of `key`, and none of them a number? */
bool ag_is_never_a_number(const struct ag_parse *p, const char *key);
/* parts.c: a question that was read whole and asks for several numbers of different records is read clause by
 * clause; p->out then has that. 0, or -1 with LM_RETRY. */
int ag_parts_rule(struct ag_parse *p, struct lm_error *error) LM_MUST_CHECK;
/* understand.c: a clause of `whole` as a question, with `inner` to work in. As ag_understand. */
int ag_read_clause(struct ag_parse *inner, const struct ag_question *question, const struct ag_parse *whole,
                   struct ag_understanding *out, struct lm_error *error) LM_MUST_CHECK;
/* Is anything asked about at all? */
bool ag_has_subject(const struct ag_parse *p);
void ag_ask_what(struct ag_parse *p); /* choices.c: needs_clarification with choices */
/* others.c: 그거 말고 다른 타입들, "which other services"; behind the negations. */
void ag_others_rule(struct ag_parse *p);
/* others.c: is token `i` said of several that are left (다른 타입들), which are asked for one by one? */
bool ag_are_others(const struct ag_parse *p, size_t i);
/* together.c: "all services combined", 서비스 구분 없이; behind the targets. */
void ag_together_rule(struct ag_parse *p);
/* together.c: is what was listed put into one, and not told of each: 합쳐서, "combined"? */
bool ag_are_put_together(const struct ag_parse *p);

#endif
