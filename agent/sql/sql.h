/*
 * From a typed intent to one readable, bounded SELECT.
 *
 * The text is written by our code from the intent alone: every value is a literal quoted by
 * lm_buffer_append_literal, every time-keyed relation is bounded bare by timestamptz literals, relations are
 * unqualified (the reader's search_path), now() is never used. The rollups are read wherever they give the
 * same answer as the rows: whole minutes from log_rollup_minute (or whole hours from error_pattern_hour), the
 * ragged edges of the window from logs, in one statement. What only the rows know is read from logs within
 * the longest window for scans; beyond it the writer refuses with narrower choices.
 *
 * Deliberately not done here: understanding (times are resolved already), running, and anything that depends
 * on the result.
 */
#ifndef LOGMILL_AGENT_SQL_SQL_H
#define LOGMILL_AGENT_SQL_SQL_H

#include "agent/access/sight.h"
#include "agent/catalogue/mask.h"
#include "agent/intent.h"
#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buckets of a series; a finer one is made coarser and ag_sql says so. */
#define AG_MAX_BUCKETS 2000
/* Rows a statement returns at most, but for the one that tells there were more. */
#define AG_MAX_RESULT_ROWS 10000
/* Patterns among which the answer looks for alike ones. */
#define AG_MAX_PATTERNS 1000
/* Cells of text are cut at this many bytes: SQL fetches a little more, the answer cuts at a character and
 * marks it. */
#define AG_MAX_CELL 8192
/* "Slow" groups with fewer samples than this are left out and named. */
#define AG_MIN_SAMPLES 20

/* Column types of an answer (agent.md 1). */
enum ag_type { AG_STRING, AG_INTEGER, AG_NUMBER, AG_BOOLEAN, AG_TIMESTAMP, AG_ARRAY, AG_OBJECT };

/* What a column is for; insight and chart go by it. */
enum ag_role {
    AG_ROLE_DETAIL,   /* a field of a listed row, or something shown besides the measure */
    AG_ROLE_BUCKET,   /* start of a time bucket */
    AG_ROLE_GROUP,    /* value of intent->groups[i], in that order */
    AG_ROLE_SIDE,     /* "current" or "previous": a series of two windows */
    AG_ROLE_MEASURE,  /* what was asked for; several for several percentiles */
    AG_ROLE_PREVIOUS, /* the measure of the other window */
    AG_ROLE_TOTAL,    /* hidden: the measure over all groups, for shares */
    AG_ROLE_WITHOUT,  /* hidden: rows of the groups without a value, which a ranking leaves out */
    AG_ROLE_SAMPLES   /* how many durations an average or percentile is over */
};

struct ag_column {
    const char *name;  /* unique; also the SQL's column name */
    const char *title; /* the answer's name for it where that is another: a part's; else NULL */
    enum ag_type type;
    const char *unit; /* "ms", "ratio", "1/s", …; NULL for none */
    enum ag_role role;
    enum ag_measure_fn measures; /* of AG_ROLE_MEASURE */
    bool hidden;                 /* fetched for the insight and the warnings, not part of the results */
};

/* Where the rows come from. */
enum ag_sql_source {
    AG_FROM_LOGS,
    AG_FROM_MINUTES,   /* log_rollup_minute, its folds and totals, edges from logs */
    AG_FROM_PATTERNS,  /* error_pattern_hour, edges from logs */
    AG_FROM_HISTOGRAMS /* log_histogram: percentiles within 3 % */
};

struct ag_sql_context {
    int64_t now_us;
    int max_rows;              /* rows shown at most, 1 to 10,000; the text fetches one more */
    int list_ceiling;          /* of max_rows for a list of records; 0: 10,000 as for everything else */
    bool max_rows_stated;      /* the caller named max_rows: a series shows that many of its buckets too; else
                                  all */
    int64_t scan_window_us;    /* longest window read row by row from logs; 0: 24 hours */
    int64_t longest_window_us; /* "all time", and the longest window of a look-up; 0: 400 days */
    int64_t
        rows_since_us; /* every category still holds its rows from here on; INT64_MIN: nothing was dropped */
    int64_t counts_since_us; /* the same of what is counted of them */
    int64_t oldest_us; /* nothing is older, as far as is known: "all time" is read row by row where the scan
                          window holds all there is. 0 or before: not known */
    bool services_overflowed;     /* a rollup counts services under "(other)": services are read from logs */
    const struct ag_scope *scope; /* only these services and environments; NULL: all */
    const struct ag_mask *mask;   /* columns left out; NULL: none */
    /* now_us is the clock's: a rollup that ends there takes the running minute whole. What a clock ahead of
     * ours has stamped up to its end is then counted too; the rows of that minute need not be read. */
    bool live;
    bool no_rollups; /* read logs only; for tests, which compare the two */
};

struct ag_sql {
    const char *text;                         /* in the arena */
    struct ag_column columns[AG_MAX_COLUMNS]; /* as the text returns them, in order */
    size_t column_count;
    int row_limit;     /* rows to show; when the text returns more, the answer is truncated */
    int rows_shown;    /* of a series, of which all is read and spoken of; 0: row_limit */
    bool limit_stated; /* row_limit is the question's own ("top 5"): cutting there is not truncation */
    enum ag_sql_source source;
    bool lists_rows; /* AG_LIST */
    bool
        filled; /* of a list within the scan window: the rollups say where it is full, nothing is estimated */
    enum ag_order list_order; /* of AG_LIST: AG_NEWEST, AG_OLDEST, AG_SLOWEST or AG_FASTEST */
    bool drops_null; /* groups without a value are left out and counted (AG_ROLE_WITHOUT), not shown */
    int64_t from_us; /* the window read, half-open; "all" is resolved */
    int64_t to_us;
    int64_t against_from_us; /* the other window of a comparison, AG_NEW's past; equal where there is none */
    int64_t against_to_us;
    int64_t bucket_us; /* series, busiest, spike: nominal width (a month is 30 days); else 0 */
    char bucket_unit;  /* calendar unit for ag_zone_add: 'h' 'd' 'w' 'M' 'y'; 0: fixed width from
                          bucket_origin_us */
    int64_t bucket_origin_us;
    bool bucket_coarsened; /* the bucket asked for gave more than AG_MAX_BUCKETS */
    bool sorted_by_answer; /* busiest, spike: the text returns all buckets, the answer sorts, cuts at
                              row_limit */
    bool merges_patterns;  /* the text returns AG_MAX_PATTERNS and one more, the answer puts alike ones
                              together  and cuts at row_limit */
};

/*
 * Writes the SQL of `intent` into `out`; texts live in `arena`, names of columns too. Any thread.
 * 0, or -1 with LM_FATAL and kind
 *   "needs_narrower"  the window is longer than what may be read row by row: ag_sql_narrower has the choices
 *   "not_understood"  the intent asks for something there is no SQL for (a sentence says what)
 *   "bad_request"     a value is not of its field's kind (an http_status that is no number)
 * or LM_RETRY "memory".
 */
int ag_sql_write(const struct ag_intent *intent, const struct ag_sql_context *context, struct lm_arena *arena,
                 struct ag_sql *out, struct lm_error *error) LM_MUST_CHECK;

/* A narrower question after "needs_narrower". */
struct ag_narrower {
    const char *label;    /* "최근 6시간", "last 6 hours" */
    const char *question; /* a follow-up that chooses it, in the question's language */
    struct ag_intent intent;
};
#define AG_MAX_NARROWER 3
/* Windows that ag_sql_write accepts, longest first, ending where the refused one ended; how many were filled.
 */
size_t ag_sql_narrower(const struct ag_intent *intent, const struct ag_sql_context *context,
                       struct lm_arena *arena, struct ag_narrower out[AG_MAX_NARROWER]);

/* "string", "integer", … */
const char *ag_type_name(enum ag_type type);

#endif
