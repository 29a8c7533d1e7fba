/*
 * The typed intent: what a question asks for, independent of language and of the engine that understood it.
 * It is the cache key, the explanation, the context of a follow-up and the input of the SQL writer. As JSON
 * it is schemas/intent.json.
 *
 * An intent owns its texts in an arena given at its making; values are copied in.
 */
#ifndef LOGMILL_AGENT_INTENT_H
#define LOGMILL_AGENT_INTENT_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields a question can filter, group or measure by. */
enum ag_field {
    AG_NO_FIELD,
    AG_CATEGORY,
    AG_LEVEL,
    AG_LOG_TYPE,
    AG_SERVICE,
    AG_ENVIRONMENT,
    AG_MESSAGE,
    AG_HOST,
    AG_COMPONENT,
    AG_MODULE,
    AG_EVENT_TYPE,
    AG_USER_ID,
    AG_SESSION_ID,
    AG_TRACE_ID,
    AG_SPAN_ID,
    AG_ERROR_TYPE,
    AG_ERROR_CODE,
    AG_HTTP_STATUS,
    AG_STATUS_CLASS, /* http_status / 100 || 'xx' */
    AG_ENDPOINT,
    AG_METHOD,
    AG_DURATION,
    AG_CLIENT_IP,
    AG_PAGE_PATH,
    AG_BROWSER,
    AG_DEVICE,
    AG_TAG,      /* one of tags */
    AG_METADATA, /* metadata ->> key */
    AG_PATTERN,  /* message with its variable parts masked */
    AG_HOUR_OF_DAY,
    AG_DAY_OF_WEEK,
    AG_REQUEST,     /* only with AG_NOT_NULL: endpoint or http_status is there */
    AG_STACK_TRACE, /* searched, or there or not */
    AG_FIELD_COUNT
};

enum ag_measure_fn {
    AG_COUNT,        /* rows */
    AG_DISTINCT,     /* distinct values of field */
    AG_ERROR_RATE,   /* errors / all, a fraction */
    AG_FAILURE_RATE, /* of requests: 5xx / those with a status */
    AG_SHARE, /* rows matching all filters over rows matching all but the last: "what percentage of … are 404"
               */
    AG_AVG,   /* of field (duration) */
    AG_MIN,
    AG_MAX,
    AG_SUM,
    AG_PERCENTILE, /* p[0..p_count) of field */
    AG_RATE,       /* rows a unit of time: rate_unit_us */
    AG_FIRST_SEEN,
    AG_LAST_SEEN,
    AG_LIST, /* the rows themselves */
    AG_NAMES /* the names of field that occur */
};

enum ag_op {
    AG_IN,       /* one of values */
    AG_NOT_IN,   /* none of values; keeps NULL rows */
    AG_AT_LEAST, /* level order, numbers */
    AG_ABOVE,
    AG_BELOW,
    AG_AT_MOST,
    AG_BETWEEN,  /* values[0] <= x <= values[1] */
    AG_CONTAINS, /* text search, any case, literal */
    AG_NOT_CONTAINS,
    AG_PREFIX,
    AG_NOT_PREFIX,
    AG_IS_NULL,
    AG_NOT_NULL
};

#define AG_MAX_FILTERS 12
#define AG_MAX_VALUES 32
#define AG_MAX_GROUPS 2
#define AG_MAX_EACH 100
#define AG_MAX_PERCENTILES 4
#define AG_MAX_ALSO 4
#define AG_MAX_MEASURED_PARTS 4
#define AG_MAX_PART_NAME 64 /* bytes */
#define AG_MAX_COLUMNS 32   /* of what a question brings back */

struct ag_filter {
    enum ag_field field;
    const char *key; /* metadata key for AG_METADATA, else NULL */
    enum ag_op op;
    const char *values[AG_MAX_VALUES]; /* canonical text: numbers as decimal text, levels upper case */
    size_t value_count;
    unsigned part; /* 0: of every record asked about; else of ag_intent.parts[part - 1] alone */
};

/* One of several things asked for at once, each with records and a measure of its own: "how many errors, and
 * how many warnings", "errors of A and the p95 of B". All are of one window. */
struct ag_measured_part {
    const char *name; /* the question's words for it; the name of its column */
    enum ag_measure_fn fn;
    enum ag_field field;
    double p; /* of AG_PERCENTILE */
};

struct ag_group {
    enum ag_field field;
    const char *key;
};

/* How a window was said; resolved against `now` and the zone by agent/understand/time_*. */
struct ag_window {
    const char *symbolic; /* canonical, agent/understand/time.h: "last 1 hour", "day -1", "INSTANT/INSTANT",
                             "all" … */
    int64_t from_us;      /* resolved, half-open [from, to); INT64_MIN: everything kept */
    int64_t to_us;
    bool stated; /* the question named it; else it is the default, an assumption */
    bool open;   /* ends at now */
};

enum ag_compare {
    AG_NO_COMPARE,
    AG_COMPARE_WINDOW, /* against window `against`, the same elapsed span */
};

/* What a comparison was asked to confirm: "is it worse than yesterday?" is answered yes or no. */
enum ag_claim { AG_NO_CLAIM, AG_CLAIM_MORE, AG_CLAIM_LESS };

/* AG_MOST and AG_FEWEST order groups by the measure; the others order AG_LIST rows (slowest: by duration,
 * NULL left out). */
enum ag_order { AG_ORDER_DEFAULT, AG_MOST, AG_FEWEST, AG_NEWEST, AG_OLDEST, AG_SLOWEST, AG_FASTEST };

/* Special shapes that are more than measure × group. */
enum ag_shape {
    AG_PLAIN,
    AG_SERIES,  /* by time bucket (bucket_us; calendar day/week/month where >= 1 day), and by groups; a
                   threshold holds a  bucket (and group): "more than 20 from one address in an hour" */
    AG_BUSIEST, /* the bucket with the most (or fewest, by order) */
    AG_SPIKE,   /* the bucket furthest above the window's median */
    AG_SILENT,  /* groups seen in the window but not in its last `silent_us` */
    AG_NEW,     /* values of group[0] not seen in the window before */
    AG_WITHOUT, /* values of group[0] seen in the window, none of whose records matches the last filter */
    AG_EVIDENCE /* what there is more of than in the window compared with, by service, error type, … */
};

struct ag_threshold {
    bool set;
    enum ag_op op; /* AG_AT_LEAST, AG_ABOVE, AG_BELOW, AG_AT_MOST */
    double value;
    const char *of; /* the group whose figure is the value ("services slower than payment-service"), with
                       AG_ABOVE and AG_BELOW; NULL: value is */
};

enum ag_language { AG_KO, AG_EN };

/* How intents and answers are written: 15 digits are what a double keeps of any decimal text, so that 0.95
 * stays 0.95. */
#define AG_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct ag_intent {
    struct {
        enum ag_measure_fn fn;
        enum ag_field field;
        const char *key; /* of AG_METADATA, whose numbers AG_AVG to AG_PERCENTILE are of; else NULL */
        double p[AG_MAX_PERCENTILES]; /* 0.95; of AG_PERCENTILE, be it fn or among also */
        size_t p_count;
        /* Beside AG_AVG to AG_PERCENTILE further statistics of the same durations ("average and p95"),
         * AG_COUNT and AG_ERROR_RATE of the same records; beside AG_DISTINCT AG_COUNT. */
        enum ag_measure_fn also[AG_MAX_ALSO];
        size_t also_count;
        int64_t rate_unit_us;
    } measure;                                            /* of several parts, the first's */
    struct ag_measured_part parts[AG_MAX_MEASURED_PARTS]; /* none, or two and more, of AG_PLAIN */
    size_t part_count;
    enum ag_shape shape;
    struct ag_filter filters[AG_MAX_FILTERS];
    size_t filter_count;
    struct ag_group groups[AG_MAX_GROUPS];
    size_t group_count;
    struct ag_window window;
    const char *zone; /* IANA, or "UTC" */
    enum ag_compare compare;
    struct ag_window against;
    enum ag_claim claim; /* of a comparison of one number */
    enum ag_order order;
    bool rank;    /* "most", "top N": leaves the NULL group out */
    int limit;    /* 0: not said */
    int each;     /* of two groups of AG_PLAIN: so many of the second, by order, for each value of the first
                     ("the top 3 error types of each service"); of AG_SERIES by one group: so many for each
                     bucket; 0: of all together */
    bool counted; /* how many groups there are, as one number: those over the threshold, of AG_WITHOUT, or
                     that rose or fell against another time ("how many services had more than 10 errors") */
    bool summed; /* the records of all groups over the threshold, as one number ("total errors of the services
                    with more than 10") */
    int64_t bucket_us; /* 0: automatic; 30 days: calendar months */
    int64_t silent_us;
    struct ag_threshold threshold;
    enum ag_language language;
};

void ag_intent_init(struct ag_intent *intent);
/* A copy whose texts live in `arena`; 0 or -1 without memory. */
int ag_intent_copy(const struct ag_intent *from, struct lm_arena *arena, struct ag_intent *to) LM_MUST_CHECK;

/* One part asked for alone, with what all are asked about. `part` counts from 1. Texts stay where they are.
 */
void ag_intent_of_part(const struct ag_intent *intent, size_t part, struct ag_intent *out);

/* "service", "http_status", … ; the SQL column is the same where it is one. */
const char *ag_field_name(enum ag_field field);
/* AG_NO_FIELD: none has this name. */
enum ag_field ag_field_named(const char *name);
const char *ag_measure_name(enum ag_measure_fn fn);
/* Can it be asked for so many of each (intent->each)? A ranking of two groups by a measure of theirs, or of
 * one in every bucket. */
bool ag_intent_ranks_each(const struct ag_intent *intent);
/* Can the groups be counted (intent->counted)? One field's, of one window over a threshold or of AG_WITHOUT,
 * or of two in the order of their change, which are those that rose or fell. */
bool ag_intent_counts_groups(const struct ag_intent *intent);
/* Can the groups be summed (intent->summed)? One field's, of one window, counted, over a threshold. */
bool ag_intent_sums_groups(const struct ag_intent *intent);
/* Can the groups be held against the figure of one of them (threshold.of)? One field's, of one window, ranked
 * by one measure. */
bool ag_intent_exceeds_one(const struct ag_intent *intent);
/* May `also` be measured beside `fn`? */
bool ag_measure_beside(enum ag_measure_fn fn, enum ag_measure_fn also);
/* Can `fn` be that of a part? A number of the records, not the records or moments. */
bool ag_measure_of_part(enum ag_measure_fn fn);
/* Is `fn` what is measured, alone, beside others or in a part? */
bool ag_intent_measures(const struct ag_intent *intent, enum ag_measure_fn fn);
bool ag_measure_is_statistic(enum ag_measure_fn fn); /* of durations, or of a key of the metadata */
/* Are numbers of a key of the metadata what is measured? */
bool ag_intent_measures_key(const struct ag_intent *intent);
const char *ag_op_name(enum ag_op op);
const char *ag_shape_name(enum ag_shape shape);
const char *ag_order_name(enum ag_order order);

/* Canonical JSON object, key order fixed; a new reference, NULL without memory. */
json_t *ag_intent_to_json(const struct ag_intent *intent);
/* Hostile input: every text is bounded and checked, numbers in range, at most 16 KiB by the caller. Texts are
 * copied into `arena`. 0, or -1 with LM_FATAL "bad_request". Times are resolved by the caller
 * (ag_time_resolve) from `symbolic`. */
int ag_intent_from_json(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                        struct lm_error *error) LM_MUST_CHECK;

#endif
