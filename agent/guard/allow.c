/*
 * Adding a function: it must be free of side effects, must not run SQL given as text, must not read the
 * catalogue or files, must not take a regular expression, and its cost must be about linear in its arguments.
 */
#include "agent/guard/allow.h"

#include <stdlib.h>
#include <string.h>

static const char *const logs_columns[] = {
    "created_at",  "category", "level",     "log_type",    "service",         "environment",
    "message",     "host",     "component", "module",      "event_type",      "user_id",
    "session_id",  "trace_id", "span_id",   "error_type",  "error_code",      "stack_trace",
    "http_status", "endpoint", "method",    "duration_ms", "client_ip",       "page_path",
    "browser",     "device",   "tags",      "metadata",    "kafka_partition", "kafka_offset",
    "ingested_at", "pattern",  NULL};
static const char *const log_rollup_minute_columns[] = {
    "minute", "category",   "service",         "environment",     "level", "kafka_partition",
    "n",      "duration_n", "duration_sum_us", "duration_max_us", NULL};
static const char *const log_duration_minute_columns[] = {
    "minute", "category", "service", "environment", "level", "kafka_partition", "bucket", "n", NULL};
static const char *const log_rollup_columns[] = {
    "at", "category",   "service",         "environment",     "level",
    "n",  "duration_n", "duration_sum_us", "duration_max_us", NULL};
static const char *const log_count_columns[] = {"at",    "category", "service", "environment",
                                                "level", "n",        NULL};
static const char *const log_total_columns[] = {"at", "category", "level", "n", NULL};
static const char *const log_histogram_columns[] = {"at",    "category",  "service", "environment",
                                                    "level", "histogram", NULL};
static const char *const error_pattern_hour_columns[] = {
    "hour", "category",   "service",   "environment", "error_type", "pattern", "kafka_partition",
    "n",    "first_seen", "last_seen", "sample",      NULL};
static const char *const log_pattern_columns[] = {"pattern", "template", "first_seen", NULL};
static const char *const log_name_columns[] = {
    "kind",       "value",     "category", "service", "environment", "kafka_partition",
    "first_seen", "last_seen", "n",        NULL};
static const char *const data_epoch_columns[] = {"category", "kafka_partition", "hour", "version", NULL};
static const char *const ingest_progress_columns[] = {"topic",      "partition",  "committed_time",
                                                      "updated_at", "checked_at", NULL};
static const char *const daily_log_summary_columns[] = {
    "day", "category",   "service",         "environment",     "level",
    "n",   "duration_n", "duration_avg_ms", "duration_max_ms", NULL};
static const char *const error_patterns_columns[] = {"hour",       "category",  "service",  "environment",
                                                     "error_type", "pattern",   "template", "n",
                                                     "first_seen", "last_seen", "sample",   NULL};
static const char *const performance_metrics_columns[] = {"minute",
                                                          "category",
                                                          "service",
                                                          "environment",
                                                          "n",
                                                          "errors",
                                                          "duration_n",
                                                          "duration_avg_ms",
                                                          "duration_max_ms",
                                                          "duration_p50_ms",
                                                          "duration_p95_ms",
                                                          "duration_p99_ms",
                                                          NULL};

static const struct ag_relation relations[] = {
    {"logs", "created_at", logs_columns, 0},
    {"log_rollup_minute", "minute", log_rollup_minute_columns, 0},
    {"log_duration_minute", "minute", log_duration_minute_columns, 0},
    {"log_rollup", NULL, log_rollup_columns, 4},
    {"log_count", NULL, log_count_columns, 7},
    {"log_total", NULL, log_total_columns, 4},
    {"log_histogram", NULL, log_histogram_columns, 7},
    {"error_pattern_hour", "hour", error_pattern_hour_columns, 0},
    {"daily_log_summary", "day", daily_log_summary_columns, 0},
    {"error_patterns", "hour", error_patterns_columns, 0},
    {"performance_metrics", "minute", performance_metrics_columns, 0},
    {"data_epoch", "hour", data_epoch_columns, 0},
    {"log_pattern", NULL, log_pattern_columns, 0},
    {"log_name", NULL, log_name_columns, 0},
    {"ingest_progress", NULL, ingest_progress_columns, 0},
};

/* Sorted by name. */
static const struct ag_function functions[] = {
    {"abs", AG_FN_PLAIN},
    {"age", AG_FN_PLAIN},
    {"array_agg", AG_FN_COLLECTS},
    {"array_length", AG_FN_PLAIN},
    {"array_position", AG_FN_PLAIN},
    {"array_to_string", AG_FN_GROWS},
    {"ascii", AG_FN_PLAIN},
    {"avg", AG_FN_PLAIN},
    {"bool_and", AG_FN_PLAIN},
    {"bool_or", AG_FN_PLAIN},
    {"btrim", AG_FN_PLAIN},
    {"cardinality", AG_FN_PLAIN},
    {"ceil", AG_FN_PLAIN},
    {"ceiling", AG_FN_PLAIN},
    {"char_length", AG_FN_PLAIN},
    {"concat", AG_FN_GROWS},
    {"concat_ws", AG_FN_GROWS},
    {"corr", AG_FN_PLAIN},
    {"count", AG_FN_PLAIN},
    {"covar_pop", AG_FN_PLAIN},
    {"covar_samp", AG_FN_PLAIN},
    {"cume_dist", AG_FN_PLAIN},
    {"date", AG_FN_PLAIN},
    {"date_bin", AG_FN_PLAIN},
    {"date_part", AG_FN_PLAIN},
    {"date_trunc", AG_FN_PLAIN},
    {"dense_rank", AG_FN_PLAIN},
    {"every", AG_FN_PLAIN},
    {"exp", AG_FN_PLAIN},
    {"extract", AG_FN_PLAIN},
    {"first_value", AG_FN_PLAIN},
    {"floor", AG_FN_PLAIN},
    {"greatest", AG_FN_PLAIN},
    {"histogram_count", AG_FN_PLAIN},
    {"histogram_percentile", AG_FN_PLAIN},
    {"host", AG_FN_PLAIN},
    {"initcap", AG_FN_PLAIN},
    {"jsonb_array_length", AG_FN_PLAIN},
    {"jsonb_extract_path_text", AG_FN_PLAIN},
    {"jsonb_object_keys", AG_FN_ROWS},
    {"jsonb_typeof", AG_FN_PLAIN},
    {"justify_days", AG_FN_PLAIN},
    {"justify_hours", AG_FN_PLAIN},
    {"lag", AG_FN_PLAIN},
    {"last_value", AG_FN_PLAIN},
    {"lead", AG_FN_PLAIN},
    {"least", AG_FN_PLAIN},
    {"left", AG_FN_PLAIN},
    {"length", AG_FN_PLAIN},
    {"ln", AG_FN_PLAIN},
    {"log", AG_FN_PLAIN},
    {"lower", AG_FN_PLAIN},
    {"ltrim", AG_FN_PLAIN},
    {"max", AG_FN_PLAIN},
    {"md5", AG_FN_PLAIN},
    {"min", AG_FN_PLAIN},
    {"mod", AG_FN_PLAIN},
    {"mode", AG_FN_PLAIN},
    {"now", AG_FN_PLAIN},
    {"nth_value", AG_FN_PLAIN},
    {"ntile", AG_FN_PLAIN},
    {"octet_length", AG_FN_PLAIN},
    {"percent_rank", AG_FN_PLAIN},
    {"percentile_cont", AG_FN_PLAIN},
    {"percentile_disc", AG_FN_PLAIN},
    {"position", AG_FN_PLAIN},
    {"power", AG_FN_PLAIN},
    {"rank", AG_FN_PLAIN},
    {"regr_intercept", AG_FN_PLAIN},
    {"regr_r2", AG_FN_PLAIN},
    {"regr_slope", AG_FN_PLAIN},
    {"replace", AG_FN_GROWS},
    {"reverse", AG_FN_PLAIN},
    {"right", AG_FN_PLAIN},
    {"round", AG_FN_PLAIN},
    {"row_number", AG_FN_PLAIN},
    {"rtrim", AG_FN_PLAIN},
    {"sign", AG_FN_PLAIN},
    {"split_part", AG_FN_PLAIN},
    {"sqrt", AG_FN_PLAIN},
    {"starts_with", AG_FN_PLAIN},
    {"stddev", AG_FN_PLAIN},
    {"stddev_pop", AG_FN_PLAIN},
    {"stddev_samp", AG_FN_PLAIN},
    {"string_agg", AG_FN_COLLECTS},
    {"strpos", AG_FN_PLAIN},
    {"substr", AG_FN_PLAIN},
    {"substring", AG_FN_PLAIN},
    {"sum", AG_FN_PLAIN},
    {"timezone", AG_FN_PLAIN},
    {"to_char", AG_FN_PLAIN},
    {"to_timestamp", AG_FN_PLAIN},
    {"trunc", AG_FN_PLAIN},
    {"unnest", AG_FN_ROWS},
    {"upper", AG_FN_PLAIN},
    {"var_pop", AG_FN_PLAIN},
    {"var_samp", AG_FN_PLAIN},
    {"variance", AG_FN_PLAIN},
    {"width_bucket", AG_FN_PLAIN},
};

/* Those write.c has the grammar's own spelling for. */
static const char *const syntax_functions[] = {"btrim", "extract",   "ltrim",    "position",
                                               "rtrim", "substring", "timezone", NULL};

static const char *const operators[] = {"+",  "-",  "*",  "/",  "%",  "=",   "<>",  "<",
                                        "<=", ">",  ">=", "||", "->", "->>", "#>",  "#>>",
                                        "@>", "<@", "?",  "?|", "?&", "&&",  "<<=", NULL};
static const char *const comparisons[] = {"=", "<>", "<", "<=", ">", ">=", NULL};

static const char *const types[] = {"text",     "varchar", "bool",    "int2",        "int4",      "int8",
                                    "float4",   "float8",  "numeric", "timestamptz", "timestamp", "date",
                                    "interval", "jsonb",   "inet",    NULL};

/* Bounded to 255 bytes on the way in, or by their type. */
static const char *const short_columns[] = {"category",    "level",      "service",
                                            "environment", "error_type", NULL};

static bool listed(const char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct ag_relation *ag_relation_find(const char *name)
{
    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
        if (strcmp(relations[i].name, name) == 0) {
            return &relations[i];
        }
    }
    return NULL;
}

static int by_name(const void *key, const void *element)
{
    return strcmp(key, ((const struct ag_function *)element)->name);
}

const struct ag_function *ag_function_find(const char *name)
{
    return bsearch(name, functions, sizeof(functions) / sizeof(functions[0]), sizeof(functions[0]), by_name);
}

bool ag_syntax_function_known(const char *name)
{
    return listed(syntax_functions, name);
}

bool ag_operator_known(const char *name)
{
    return listed(operators, name);
}

bool ag_comparison_known(const char *name)
{
    return listed(comparisons, name);
}

bool ag_type_known(const char *name)
{
    return listed(types, name);
}

bool ag_column_short(const char *name)
{
    return listed(short_columns, name);
}
