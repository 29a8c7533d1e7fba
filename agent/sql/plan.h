/*
 * The plan of one statement, shared by the files of agent/sql and by nobody else.
 *
 * A statement reads parts: stretches of a window, each from one table. With one part its columns are read
 * where they are (direct); with several, each part is a SELECT of the same items, joined by UNION ALL under
 * the name "parts", and what is above refers to the items by their aliases. ag_plan_item hides the
 * difference.
 *
 * Expressions are texts in the arena, made of our own fragments and of literals quoted by ag_plan_literal. A
 * failed allocation marks the plan; callers go on with empty texts and the end of ag_sql_write looks once.
 */
#ifndef LOGMILL_AGENT_SQL_PLAN_H
#define LOGMILL_AGENT_SQL_PLAN_H

#include "agent/sql/sql.h"
#include "agent/understand/zone.h"
#include "common/buffer.h"

/* The last four are called with their window. AG_FOLDS holds what AG_MINUTES does, put together from days,
 * hours and minutes; AG_COUNTS likewise counts alone, and tells apart only what it is told to; AG_TOTALS
 * those over all services and environments. AG_HISTOGRAMS holds durations alone, of any window to the
 * microsecond, as far apart as AG_COUNTS. */
enum ag_table {
    AG_LOGS,
    AG_MINUTES,
    AG_HOURS,
    AG_FOLDS,
    AG_COUNTS,
    AG_TOTALS,
    AG_HISTOGRAMS,
    AG_TABLE_COUNT
};

#define AG_MAX_PARTS 6 /* two windows, each with two ends of rows */
#define AG_MAX_ITEMS 16
#define AG_MAX_KEYS 8

struct ag_part {
    enum ag_table table;
    int64_t from_us; /* half-open */
    int64_t to_us;
    bool previous;    /* of the other window */
    int64_t split_us; /* rows before it are of the other window, the rest of the current one; 0: no split */
    bool taken_away;  /* rows that a rollup counts and the window has not: each is -1 */
};

/* A column of the parts. */
struct ag_item {
    const char *alias;
    const char *logs, *rollup; /* what it is in rows of logs, and in those of the rollup */
};

/* One key of ORDER BY. */
struct ag_key {
    const char *text;  /* of the statement itself */
    const char *outer; /* the same where the statement is a subquery named t */
};

struct ag_plan {
    const struct ag_intent *intent;
    const struct ag_sql_context *context;
    struct lm_arena *arena;
    struct ag_zone *zone;
    struct lm_error *error;
    struct ag_sql *out;
    bool failed; /* no memory */

    struct ag_part parts[AG_MAX_PARTS];
    size_t part_count;
    bool mixed;      /* some part is a rollup: rows are counted by sum(n) */
    bool takes_away; /* some part is taken away: a group may come to nothing */
    bool nested;     /* parts are written as a subquery even where there is only one */
    bool sides;      /* parts belong to one of two windows, named 'current' and 'previous' in the item side */
    enum ag_table source;
    const char *fold_unit; /* of tables that are called: the longest unit that answers, "minute", "slot",
                              "hour" or "day" */
    const char *fold_zone; /* whose days; "NULL": of any zone */
    const char *fold_by;   /* of AG_COUNTS and AG_HISTOGRAMS: what the statement tells apart, "at,service" */
    const char *fold_of;   /* and the categories and services read, "NULL, ARRAY['a', 'b']" */
    int64_t change_us;     /* of AG_SILENT and AG_NEW from AG_FOLDS, which read both windows as one: where the
                              later begins */
    struct ag_item items[AG_MAX_ITEMS];
    size_t item_count;
    size_t filter_count;     /* of the intent's filters, how many restrict the rows (AG_SHARE and AG_WITHOUT
                                keep the last apart) */
    const char *extra_where; /* one more condition for rows of logs, or NULL */
    struct ag_group grouped[AG_MAX_GROUPS + 1];
    size_t grouped_count;

    const char *selects[AG_MAX_COLUMNS]; /* expression of out->columns[i]; NULL: the column's name is the
                                            expression */
    const char *groups[AG_MAX_KEYS];
    size_t group_count;
    const char *having[8];
    size_t having_count;
    struct ag_key keys[AG_MAX_KEYS];
    size_t key_count;
    int limit;
    const char *figure;    /* exceeds.c: the column that holds the figure of the one group, or NULL */
    const char *held_with; /* the column that is held against it */
};

/* plan.c: texts. */
const char *ag_plan_text(struct ag_plan *plan, const char *format, ...) LM_PRINTF(2, 3);
const char *ag_plan_literal(struct ag_plan *plan, const char *text);
/* 'a', 'b' */
const char *ag_plan_literals(struct ag_plan *plan, const char *const *texts, size_t count);
/* '2026-03-18 14:35:20+09:00'::timestamptz */
const char *ag_plan_instant(struct ag_plan *plan, int64_t us);
/* A decimal constant that PostgreSQL reads as numeric: "600.0". */
const char *ag_plan_number(struct ag_plan *plan, double value);
/* The zone as PostgreSQL names it, quoted. */
const char *ag_plan_zone(struct ag_plan *plan);
/* LM_FATAL of that kind, in the question's language; -1. */
int ag_plan_refuse(struct ag_plan *plan, const char *kind, const char *ko, const char *en) LM_MUST_CHECK;

/* plan.c: items and columns. */
/* Adds the item unless its alias is there; `expr` NULL: the alias is the column's name in every table. */
void ag_plan_add_item(struct ag_plan *plan, const char *alias, const char *logs, const char *rollup);
const char *ag_item_expr(const struct ag_item *item, enum ag_table table);
/* What the statement calls the item: its alias, or in a direct statement its expression. */
const char *ag_plan_item(const struct ag_plan *plan, const char *alias);
/* The next column of the result; `expr` NULL: the name itself. */
struct ag_column *ag_plan_add_column(struct ag_plan *plan, const char *name, const char *expr,
                                     enum ag_type type, const char *unit, enum ag_role role);
void ag_plan_add_group(struct ag_plan *plan, const char *name);
/* A condition said twice is written once. */
void ag_plan_add_having(struct ag_plan *plan, const char *condition);
/* ORDER BY `expr` `suffix`; `name` is the column that holds it. */
void ag_plan_add_key(struct ag_plan *plan, const char *name, const char *expr, const char *suffix);

/* field.c */
const char *ag_table_name(enum ag_table table);
const char *ag_table_time(enum ag_table table);
/* SQL expression of a field in a table; NULL where there is none. */
const char *ag_field_expr(struct ag_plan *plan, enum ag_field field, const char *key, enum ag_table table);
/* Name of the result column of a group: the field's name, metadata_KEY. */
const char *ag_field_alias(struct ag_plan *plan, enum ag_field field, const char *key);
enum ag_type ag_field_type(enum ag_field field);
bool ag_field_nullable(enum ag_field field);
/* The rollups know it. Hours of error_pattern_hour know hour_of_day only in zones of whole hours. */
bool ag_field_in_minutes(enum ag_field field);
bool ag_field_in_hours(enum ag_field field);

/* filter.c */
/* The condition of a filter in a table, or NULL after an error. Conditions with OR come in parentheses. */
const char *ag_filter_expr(struct ag_plan *plan, const struct ag_filter *filter, enum ag_table table);
/* Bits 1 << enum lm_level of the levels that all the level filters of the intent let through. */
unsigned ag_filter_levels(const struct ag_intent *intent, size_t filter_count);
#define AG_ALL_LEVELS 31U
#define AG_ERROR_LEVELS 24U

/* window.c */
/* Resolves the windows into out->from_us … ; LM_FATAL "bad_request" for an empty one. */
int ag_window_resolve(struct ag_plan *plan) LM_MUST_CHECK;
/* Adds the parts of [from, to): the whole units of `table` from it, of the ragged ends the rows, or those
 * outside of them in the unit around, whichever are fewer. AG_LOGS, and tables that take any window: one
 * part; of AG_COUNTS and AG_TOTALS one that ends now moves out->from_us to the second it lies in. */
void ag_window_add(struct ag_plan *plan, enum ag_table table, int64_t from_us, int64_t to_us, bool previous);
/* Where the whole units of a window that ends at `to_us` end: before it, or with the running minute. */
int64_t ag_window_end(const struct ag_plan *plan, int64_t to_us, int64_t unit);
/* Ragged ends of two windows that meet become one part. */
void ag_window_join(struct ag_plan *plan);
/* The longest stretch read row by row is within `longest`; else LM_FATAL "needs_narrower". */
int ag_window_check(struct ag_plan *plan, int64_t longest_us) LM_MUST_CHECK;

/* bucket.c */
/* Chooses out->bucket_us and the rest for a window. */
void ag_bucket_choose(struct ag_plan *plan);
/* Start of the bucket of a time column. */
const char *ag_bucket_expr(struct ag_plan *plan, const char *time);

/* emit.c: the text. `indent` in spaces. */
void ag_emit_list(struct lm_buffer *sql, unsigned indent, const char *head, const char *const *texts,
                  size_t count);
void ag_emit_where(struct lm_buffer *sql, unsigned indent, const char *const *conditions, size_t count);
void ag_emit_statement(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent);
/* The same without ORDER BY and LIMIT. */
void ag_emit_groups(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent);
void ag_emit_from(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent);
void ag_emit_having(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent);
/* The statement's ORDER BY and LIMIT; `outer`: of a statement around it. */
void ag_emit_order(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent, bool outer);
/* The conditions of a part, bounds first; how many. */
size_t ag_emit_conditions(struct ag_plan *plan, const struct ag_part *part,
                          const char *out[AG_MAX_FILTERS + 7]);

/* each.c: of a statement by two groups, intent->each of the second for each value of the first. */
/* Groups without a value are nobody's, and the first group orders before what has ordered until now. */
void ag_each_keys(struct ag_plan *plan);
void ag_emit_each(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent);

/* exceeds.c: of a statement by groups those above or below the figure of one of them (threshold.of; false
 * where the intent has none), which is `expr`, in the column `name`. The statement itself, without order and
 * limit, is written between the other two, indented as the first says, with one more column where
 * ag_exceeds_column is not NULL. */
bool ag_exceeds_figure(struct ag_plan *plan, const char *name, const char *expr);
const char *ag_exceeds_column(const struct ag_plan *plan);
unsigned ag_exceeds_open(struct ag_plan *plan, struct lm_buffer *sql);
void ag_exceeds_close(struct ag_plan *plan, struct lm_buffer *sql);

/* counted.c: of a statement by groups how many groups it has (intent->counted). The statement itself, with
 * nothing but its groups, is written between the two, indented as the first says: by 0 where groups are not
 * counted. */
unsigned ag_counted_open(struct ag_plan *plan, struct lm_buffer *sql);
void ag_counted_close(struct ag_plan *plan, struct lm_buffer *sql);

/* measure.c */
/* LM_FATAL where the measure asks for what cannot be measured. */
int ag_measure_check(struct ag_plan *plan) LM_MUST_CHECK;
/* Adds the items the measure is made of, for the plan's source. */
int ag_measure_items(struct ag_plan *plan) LM_MUST_CHECK;
/* Adds the measure's columns, both sides' where the plan has sides, and what goes with them. */
int ag_measure_columns(struct ag_plan *plan) LM_MUST_CHECK;
/* Rows that are of one part or another, as a condition; NULL where every row is. */
const char *ag_measure_rows(struct ag_plan *plan, enum ag_table table);
/* Expression of the count of rows under `filter` ("" or a condition). */
const char *ag_measure_count(struct ag_plan *plan, const char *filter);
/* The intent's threshold as a condition on the groups, where it has one and there are groups. `expr` is in
 * the column `name`. */
void ag_measure_threshold(struct ag_plan *plan, const char *name, const char *expr);
/* What statistics are of, in an aggregate over rows: duration_ms, or a key's number. */
const char *ag_measure_number(struct ag_plan *plan);
bool ag_measure_is_duration(const struct ag_intent *intent);
/* Beside durations or different values the records themselves are counted. */
bool ag_measure_counts(const struct ag_intent *intent);

/* source.c */
/* Is asked by moments, whatever is measured: AG_SILENT, AG_NEW. */
bool ag_source_is_change(const struct ag_intent *intent);
/* The table that answers the intent without reading the rows, or AG_LOGS. */
enum ag_table ag_source_choose(struct ag_plan *plan);
/* `table`, or where the windows are long enough and slots, hours or days tell enough, its folds, or its
 * totals where those are enough. */
enum ag_table ag_source_fold(struct ag_plan *plan, enum ag_table table);
/* Records are counted and nothing else of them is told. */
bool ag_source_only_counts(const struct ag_plan *plan);
/* Every filter that restricts the rows is known to log_rollup_minute. */
bool ag_source_minutes_filter(const struct ag_plan *plan);

/* The shapes. Each writes the whole statement into `sql`. */
int ag_write_aggregate(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK;
int ag_write_list(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK;
int ag_write_histogram(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK;
int ag_write_seen(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK;
int ag_write_evidence(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK;
int ag_write_change(struct ag_plan *plan, struct lm_buffer *sql) LM_MUST_CHECK; /* AG_SILENT, AG_NEW */

/* The statement of groups, with what is put around it where groups are counted or held against one of them;
 * patterns are shown by their templates, with one of their messages each. */
void ag_emit_grouped(struct ag_plan *plan, struct lm_buffer *sql);

/* aggregate.c, shared with the other shapes: the items and columns of bucket, side and groups, and their
 * order. */
int ag_group_items(struct ag_plan *plan) LM_MUST_CHECK;
/* Leaves out the groups without a value. */
void ag_group_named(struct ag_plan *plan);
void ag_group_columns(struct ag_plan *plan);
/* The groups' own columns as last keys of the order. */
void ag_group_keys(struct ag_plan *plan);
/* "service IS NULL OR host IS NULL" over the groups that can be NULL; NULL where none can. */
const char *ag_group_null(struct ag_plan *plan, bool outer);
/* All groups are hours of the day or days of the week, in whose order they come. */
bool ag_group_by_clock(const struct ag_plan *plan);
/* out->row_limit and rows_shown from the question, the request and `most`; plan->limit is one more than the
 * first. */
void ag_row_limit(struct ag_plan *plan, int most);
/* The groups, with what AG_NAMES, AG_SILENT and AG_NEW add to them. */
size_t ag_group_list(const struct ag_intent *intent, struct ag_group out[AG_MAX_GROUPS + 1]);

#endif
