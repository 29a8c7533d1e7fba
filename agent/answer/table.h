/*
 * The rows of a statement made into what is shown: shared by the files of agent/answer and by nobody else.
 *
 * Cells stay PostgreSQL's text; what is computed here (differences, filled buckets, medians) is written the
 * same way, so that results, insight and chart read one table.
 */
#ifndef LOGMILL_AGENT_ANSWER_TABLE_H
#define LOGMILL_AGENT_ANSWER_TABLE_H

#include "agent/answer/answer.h"
#include "agent/understand/zone.h"
#include "common/buffer.h"

#define AG_TABLE_COLUMNS (AG_MAX_COLUMNS + 4)
#define AG_NAMED_GROUPS 5

/* A template and how many patterns it stands for; 0: itself. */
struct ag_alike {
    const char *template;
    size_t patterns;
};

struct ag_table {
    const struct ag_intent *intent;
    const struct ag_sql *sql;
    struct lm_arena *arena;
    struct ag_zone *zone;
    struct lm_error *error;

    struct ag_column columns[AG_TABLE_COLUMNS]; /* without the hidden ones */
    size_t column_count;
    const char ***rows; /* rows[i][j]; NULL is SQL's NULL */
    size_t row_count;
    size_t row_room;
    bool truncated;
    bool incomplete; /* rows are missing behind the last one: nothing is filled there */

    /* What the rows no longer say. */
    bool has_total;
    int64_t total;                    /* of all groups, shown or not */
    int64_t without_value;            /* rows a ranking leaves out */
    const char *few[AG_NAMED_GROUPS]; /* groups left out for too few samples */
    size_t few_count;
    struct ag_alike *alike; /* of patterns before they were put together; NULL: not done */
    size_t alike_count;
    bool tie;        /* the first one cut is as large as the last one shown */
    bool has_median; /* spike */
    double median;
    size_t cells_cut;
};

/* table.c */
/* Takes the rows in: leaves out, fills, sorts, cuts, adds columns. Free with ag_table_free, also after a
 * failure. */
int ag_table_make(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_table *table,
                  struct lm_error *error) LM_MUST_CHECK;
void ag_table_free(struct ag_table *table);
/* Index of the first column of a role at or after `from`; column_count when there is none. */
size_t ag_table_find(const struct ag_table *table, enum ag_role role, size_t from);
size_t ag_table_named(const struct ag_table *table, const char *name);
/* NAN where the cell is NULL or the column is not there. */
double ag_table_number(const struct ag_table *table, size_t row, size_t column);
/* False where it is NULL. */
bool ag_table_instant(const struct ag_table *table, size_t row, size_t column, int64_t *us);
const char *ag_table_text(struct ag_table *table, const char *format, ...) LM_PRINTF(2, 3);
int ag_table_no_memory(struct ag_table *table) LM_MUST_CHECK;
/* A row of NULLs at `at`; NULL without memory. */
const char **ag_table_insert(struct ag_table *table, size_t at);
/* Columns of the statement that are shown, then those the answer adds; `out` holds AG_TABLE_COLUMNS. */
size_t ag_table_columns(const struct ag_intent *intent, const struct ag_sql *sql, struct lm_arena *arena,
                        struct ag_column out[AG_TABLE_COLUMNS]);

/* series.c */
int ag_series_fill(struct ag_table *table) LM_MUST_CHECK;
int ag_series_rank(struct ag_table *table) LM_MUST_CHECK;
/* The bucket sticks out of the window. */
bool ag_series_partial(const struct ag_table *table, int64_t bucket_us);
int64_t ag_series_next(const struct ag_sql *sql, const struct ag_zone *zone, int64_t bucket_us);

/* results.c */
json_t *ag_results_rows(struct ag_table *table);
json_t *ag_results_columns(const struct ag_column *columns, size_t count);

/* chart.c, warnings.c */
json_t *ag_chart(const struct ag_table *table);
json_t *ag_warnings(struct ag_table *table);

/* figure.c: pieces of sentences. */
void ag_put_count(struct lm_buffer *out, int64_t n);     /* 12,345 */
void ag_put_number(struct lm_buffer *out, double value); /* three significant digits: 12,300, 4.27, 0.00123 */
void ag_put_percent(struct lm_buffer *out, double ratio);
/* "name" as it is when it is a plain identifier, else quoted, cut, control characters escaped. */
void ag_put_name(struct lm_buffer *out, const char *text);
void ag_put_quoted(struct lm_buffer *out, const char *text, size_t max_chars);
/* 2026-03-18 14:35, with seconds where there are some; `day_of` another instant: the date is left out on the
 * same day. */
void ag_put_instant(struct lm_buffer *out, const struct ag_zone *zone, int64_t us, const int64_t *day_of);

/* [from, to) is one day of the zone, midnight to midnight. */
bool ag_whole_day(const struct ag_zone *zone, int64_t from_us, int64_t to_us);

/* particle.c: Korean particles by the last sound of what stands before them. */
enum ag_particle { AG_EUN_NEUN, AG_I_GA, AG_EUL_REUL, AG_GWA_WA, AG_EURO_RO };
/* Appends the particle that fits what `out` ends with. */
void ag_put_particle(struct lm_buffer *out, enum ag_particle particle);

/* label.c: fields as words. `many` matters in English only. */
const char *ag_label(enum ag_field field, enum ag_language language, bool many);
/* A group's value as it is said: hours and days of the week by name, texts as names; NULL is "none". */
void ag_put_group_value(struct lm_buffer *out, enum ag_field field, const char *value,
                        enum ag_language language);

/* A field by name: "endpoint"; a metadata field by its key. */
void ag_put_field(struct lm_buffer *out, enum ag_field field, const char *key, enum ag_language language);
/* A filter's values, a few of many. */
void ag_put_values(struct lm_buffer *out, const struct ag_filter *filter, const char *between, bool quoted,
                   enum ag_language language);
/* A filter of one value: "endpoint /api/pay". */
void ag_put_only(struct lm_buffer *out, const struct ag_filter *filter, enum ag_language language);

/* facts.c: what is counted. */
struct ag_subject {
    bool errors;       /* level is exactly ERROR and FATAL */
    const char *level; /* one level, or the lowest of an open range; NULL */
    bool level_or_above;
    const char *service;          /* the one service asked for; NULL */
    size_t others;                /* further filters */
    const struct ag_filter *only; /* the one further filter, where it names one value */
};
/* The filter lets through ERROR and FATAL, and only those. */
bool ag_only_errors(const struct ag_filter *filter);
struct ag_subject ag_subject_of(const struct ag_intent *intent);

/* Nothing at all was found. */
bool ag_table_empty(const struct ag_table *table);

/* insight.c: one to four sentences, in the intent's language. */
void ag_insight(const struct ag_table *table, struct lm_buffer *out);

/* interpretation.c: what the sentence says, decided once. */
struct ag_reading {
    const struct ag_intent *intent;
    const struct ag_zone *zone;
    size_t filters;  /* that say which records: without the part a share is of */
    int64_t from_us; /* what is read */
    int64_t to_us;
    bool all;            /* everything kept */
    bool change;         /* what fell silent, or appeared */
    int64_t bucket_us;   /* 0: none */
    enum ag_order order; /* of listed rows */
    int64_t silent_us;
};
/* interpretation_ko.c, interpretation_en.c: one sentence. */
void ag_interpretation_ko(const struct ag_reading *reading, struct lm_buffer *out);
void ag_interpretation_en(const struct ag_reading *reading, struct lm_buffer *out);
/* Width of a bucket as said: "5분", "1시간", "하루" or "5 minutes", "hour", "day". */
void ag_put_width(struct lm_buffer *out, int64_t us, enum ag_language language);

/* facts.c: what the sentences are about. */
struct ag_facts {
    size_t measure;  /* column; column_count where there is none */
    size_t previous; /* column */
    size_t group;    /* first group column */
    size_t bucket;
    size_t samples;
    size_t named;    /* rows whose groups all have a value */
    double sum;      /* of the measure over all rows, NULL left out */
    size_t peak;     /* row with the largest measure */
    double median;   /* over all rows; of buckets */
    bool stands_out; /* the peak is at least three times the median, among at least five buckets */
    bool has_share;
    double share; /* of the first row in the whole */
};
struct ag_facts ag_facts_of(const struct ag_table *table);

#endif
