#include "agent/http/history.h"

#include "agent/intent.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 50
#define MAX_LIMIT 1000

struct reading {
    struct ag_store *store;
    struct lm_http_request *http; /* NULL once the client has gone */
    json_t *rows;                 /* NULL: no memory for them */
    char key[LM_API_KEY_PREFIX_SIZE];
    char before[LM_RFC3339_SIZE];
    char limit[16];
};

enum { AT, REQUEST_ID, KEY, ROLE, ADDRESS, QUESTION, SQL, INTENT, ENGINE, VERDICT, ROWS, MS, CACHED, CELLS };
static const char history_sql[] =
    "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), request_id, api_key, role, "
    "address, "
    "question, sql, parameters, engine, verdict, row_count, duration_ms, cached "
    "FROM logmill.history($1, $2::timestamptz, $3::integer)";

static void refuse(struct lm_http_request *http, const char *code, const char *message, const char *hint)
{
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    ag_failure_reply(http, &failure);
}

static json_t *text_or_null(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? json_null() : json_string(PQgetvalue(rows, row, column));
}

static json_t *number_or_null(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? json_null()
                                          : json_real(strtod(PQgetvalue(rows, row, column), NULL));
}

static json_t *count_or_null(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? json_null()
                                          : json_integer(strtoll(PQgetvalue(rows, row, column), NULL, 10));
}

/* What a question was understood as can be sent as `previous`. */
static json_t *intent_or_null(const PGresult *rows, int row)
{
    json_t *intent =
        PQgetisnull(rows, row, INTENT) ? NULL : json_loads(PQgetvalue(rows, row, INTENT), 0, NULL);
    return intent != NULL ? intent : json_null();
}

static void on_rows(const PGresult *rows, void *context)
{
    struct reading *reading = context;
    for (int i = 0; i < PQntuples(rows) && PQnfields(rows) == CELLS; i++) {
        json_t *row =
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "at",
                      text_or_null(rows, i, AT), "request_id", text_or_null(rows, i, REQUEST_ID), "key",
                      text_or_null(rows, i, KEY), "role", text_or_null(rows, i, ROLE), "address",
                      text_or_null(rows, i, ADDRESS), "question", text_or_null(rows, i, QUESTION), "sql",
                      text_or_null(rows, i, SQL), "intent", intent_or_null(rows, i), "engine",
                      text_or_null(rows, i, ENGINE), "verdict", text_or_null(rows, i, VERDICT), "count",
                      count_or_null(rows, i, ROWS), "execution_time_ms", number_or_null(rows, i, MS),
                      "cached", text_or_null(rows, i, CACHED));
        if (reading->rows != NULL && json_array_append_new(reading->rows, row) != 0) {
            json_decref(reading->rows);
            reading->rows = NULL;
        }
    }
}

static void free_reading(struct reading *reading)
{
    json_decref(reading->rows);
    free(reading);
}

static void on_read(const struct lm_error *error, void *context)
{
    struct reading *reading = context;
    struct lm_http_request *http = reading->http;
    json_t *body = NULL;
    lm_http_on_abandoned(http, NULL, NULL);
    if (error == NULL && reading->rows != NULL) {
        const size_t count = json_array_size(reading->rows);
        const bool more = count > 0 && count == (size_t)strtoul(reading->limit, NULL, 10);
        const json_t *last = more ? json_object_get(json_array_get(reading->rows, count - 1), "at") : NULL;
        body = json_pack("{s:O, s:o}", "history", reading->rows, "before",
                         last != NULL ? json_string(json_string_value(last)) : json_null());
    }
    char *text = body != NULL ? json_dumps(body, AG_JSON_FLAGS) : NULL;
    if (text != NULL) {
        lm_http_reply_header(http, "Cache-Control", "no-store");
        lm_http_reply(http, 200, "application/json", text, strlen(text));
    } else {
        refuse(http, "unavailable", "the history cannot be read at the moment", "ask again in a moment");
    }
    free(text);
    json_decref(body);
    free_reading(reading);
}

static void on_abandoned(struct lm_http_request *http, void *context)
{
    struct reading *reading = context;
    (void)http;
    ag_store_forget(reading->store, reading);
    free_reading(reading);
}

/* False when the query parameters are not what they should be; then the request is answered. */
static bool read_parameters(struct lm_http_request *http, struct reading *reading)
{
    struct lm_error error;
    const char *before = lm_http_query(http, "before");
    const char *limit = lm_http_query(http, "limit");
    int64_t before_us = 0;
    long most = DEFAULT_LIMIT;
    if (before != NULL && lm_rfc3339_parse(before, strlen(before), &before_us, &error) != 0) {
        refuse(http, "bad_request", "before is no time", "send a time as 2026-03-18T05:35:20Z");
        return false;
    }
    if (limit != NULL) {
        char *end = NULL;
        most = strtol(limit, &end, 10);
        if (end == limit || *end != '\0' || most < 1 || most > MAX_LIMIT) {
            refuse(http, "bad_request", "limit is no number from 1 to 1000", NULL);
            return false;
        }
    }
    if (before != NULL) {
        lm_rfc3339_format(before_us, reading->before);
    }
    snprintf(reading->limit, sizeof(reading->limit), "%ld", most);
    return true;
}

void ag_history(struct lm_http_request *http, struct ag_caller *caller, void *context)
{
    struct lm_error error;
    struct reading *reading = calloc(1, sizeof(*reading));
    if (reading == NULL) {
        refuse(http, "unavailable", "out of memory for the history", NULL);
        return;
    }
    *reading = (struct reading){.store = context, .http = http, .rows = json_array()};
    memcpy(reading->key, caller->key.prefix, sizeof(reading->key));
    if (!read_parameters(http, reading)) {
        free_reading(reading);
        return;
    }
    const bool everybodys = caller->role == AG_ADMIN && caller->sight->role[0] == '\0';
    const struct ag_store_request request = {.sql = history_sql,
                                             .params = {everybodys ? NULL : reading->key,
                                                        reading->before[0] != '\0' ? reading->before : NULL,
                                                        reading->limit},
                                             .param_count = 3,
                                             .row = on_rows,
                                             .done = on_read,
                                             .context = reading};
    lm_http_on_abandoned(http, on_abandoned, reading);
    if (ag_store_ask(reading->store, &request, &error) != 0) {
        on_read(&error, reading);
    }
}
