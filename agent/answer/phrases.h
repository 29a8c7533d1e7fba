/*
 * How the insight is said. insight.c decides once which sentences are said and about which cells; a language
 * is a table of patterns (phrases_en.c, phrases_ko.c), so that only words and their order differ.
 *
 * A pattern is text with pieces in braces: "{value} {subject} {window}." What each piece puts there is in
 * pieces_counted.c and pieces_named.c; pieces are built of patterns too. A Korean particle is a piece ({은},
 * {이}, {로}) and takes the form that fits the text before it. Patterns come from our own tables only, never
 * from logs.
 */
#ifndef LOGMILL_AGENT_ANSWER_PHRASES_H
#define LOGMILL_AGENT_ANSWER_PHRASES_H

#include "agent/answer/table.h"

enum ag_phrase {
    AG_SAY_NOTHING,
    AG_SAY_TOO_FEW, /* there are records, and no group has enough of them */
    AG_SAY_COUNT,
    AG_SAY_DISTINCT,
    AG_SAY_FIRST_SEEN,
    AG_SAY_LAST_SEEN,
    AG_SAY_SHARE,
    AG_SAY_NUMBER,
    AG_SAY_PARTS,
    AG_SAY_PARTS_BY,
    AG_SAY_GROUPS,
    AG_SAY_EACH_MOST,
    AG_SAY_EACH_FEWEST,
    AG_SAY_EACH_TIME_MOST, /* of each bucket */
    AG_SAY_EACH_TIME_FEWEST,
    AG_SAY_COUNTED,
    AG_SAY_SUMMED,
    AG_SAY_COUNTED_WITHOUT,
    AG_SAY_COUNTED_ROSE,
    AG_SAY_COUNTED_FELL,
    AG_SAY_SERIES_TOTAL,
    AG_SAY_SERIES_MOST,
    AG_SAY_SERIES_HIGHEST,
    AG_SAY_SERIES_LOWEST,
    AG_SAY_TIMES_MEDIAN,
    AG_SAY_YES,
    AG_SAY_NO,
    AG_SAY_COMPARED_COUNT,
    AG_SAY_COMPARED,
    AG_SAY_NOT_COMPARABLE,
    AG_SAY_UNCHANGED,
    AG_SAY_UP,
    AG_SAY_DOWN,
    AG_SAY_LIST,
    AG_SAY_LIST_CUT,
    AG_SAY_LIST_FULL,
    AG_SAY_FIRST_ROW,
    AG_SAY_NONE_SILENT,
    AG_SAY_ONE_SILENT,
    AG_SAY_SILENT,
    AG_SAY_NONE_NEW,
    AG_SAY_NEW,
    AG_SAY_NAMES,
    AG_SAY_NAMES_CUT,
    AG_SAY_MORE_OF,
    AG_SAY_MORE_OF_NOTHING,
    AG_SAY_NONE_ROSE,
    AG_SAY_NONE_FELL,
    AG_SAY_NONE_MET,
    AG_SAY_NONE_MET_ALONE,
    AG_SAY_NONE_WITHOUT,
    AG_SAY_WITHOUT,
    AG_SAY_WITHOUT_CUT,
    AG_SAY_ALIKE,
    AG_SAY_WINDOW_ASSUMED,

    /* Parts of sentences. */
    AG_WINDOW_ALL,
    AG_WINDOW_DAY,
    AG_WINDOW_SPAN,
    AG_PERIOD_SPAN,
    AG_PERIOD_DAY,
    AG_PERIOD_LONG,
    AG_MORE_MEASURES,
    AG_PART_ITEM,
    AG_BASIS_PART,
    AG_BASIS_SAMPLE,
    AG_BASIS_SAMPLES,
    AG_PART_ERRORS,
    AG_PART_VALUE,
    AG_PART_OTHER,
    AG_AMONG_NAMED,
    AG_AMONG_SHOWN, /* how many there are is not known, or not the question */
    AG_COMBINATIONS,
    AG_VALUE_OF,
    AG_VALUES_OF,
    AG_LEADS_BY_COUNT,
    AG_LEADS_BY_TIME,
    AG_LEADS_BY_MEASURE,
    AG_LEADER_SHARE,
    AG_RUNNER_UP,
    AG_BUCKET_GROUP,
    AG_COMPARED_GROUP,
    AG_POINTS,
    AG_CHANGE_PERCENT,
    AG_EACH_ITEM,
    AG_EACH_TIME_ITEM,
    AG_THRESHOLD_AT_LEAST, /* in the order of ag_op */
    AG_THRESHOLD_ABOVE,
    AG_THRESHOLD_BELOW,
    AG_THRESHOLD_AT_MOST,
    AG_SEEN_AT,
    AG_EVIDENCE_ITEM,
    AG_NAMES_END,
    AG_NAMES_OTHERS,
    AG_NO_VALUE,
    AG_PHRASE_COUNT
};

struct ag_phrases {
    enum ag_language language;
    const char *patterns[AG_PHRASE_COUNT];
    struct {
        const char *name; /* a pattern */
        const char *most; /* what is said of the group that leads */
        const char *fewest;
    } measures[AG_NAMES + 1];
    const char *of_keys[AG_NAMES + 1]; /* the name of a statistic of a key's numbers, a pattern */
    const char *per[5];                /* second, minute, hour, day, any other width */
    const char *spans[4][2];           /* day, hour, minute, second: behind one and behind more */
    /* Behind a number: of records, of different values, of different users, without a unit. */
    const char *records;
    const char *values;
    const char *users;
    const char *unitless;
    /* What is counted: "matching errors in payment-service". `one` matters in English only. */
    void (*put_subject)(const struct ag_intent *intent, struct lm_buffer *out, bool one);
};

extern const struct ag_phrases ag_phrases_en;
extern const struct ag_phrases ag_phrases_ko;

/* What a pattern speaks about. Pieces that look elsewhere (the next row, the other window) change a copy. */
struct ag_said {
    const struct ag_table *table;
    const struct ag_facts *facts;
    const struct ag_phrases *phrases;
    struct lm_buffer *out;
    size_t row;
    size_t column;   /* {value} */
    size_t other;    /* {other}: the column set against it */
    int64_t number;  /* {number} plain, {count} with separators */
    bool one;        /* of what {subject}, {field} and {label} name */
    int64_t from_us; /* {from}, {to}, {day} */
    int64_t to_us;
    double figure; /* what {times}, {difference}, {points} and {percent} set against `base` */
    double base;   /* {base} */
};

struct ag_piece {
    const char *name; /* NULL behind the last */
    void (*put)(const struct ag_said *said);
};
extern const struct ag_piece ag_pieces_counted[]; /* pieces_counted.c: figures and times */
extern const struct ag_piece ag_pieces_named[];   /* pieces_named.c: subjects, groups, names */

/* pattern.c: appends the pattern; a piece that has no such name stays as it is written. */
void ag_put_pattern(const struct ag_said *said, const char *pattern);
void ag_put_phrase(const struct ag_said *said, enum ag_phrase phrase);

#endif
