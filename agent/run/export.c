#include "agent/run/export.h"

#include "agent/run/run.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define FULL_AT ((size_t)256 << 10)
#define MAX_UNSENT ((size_t)64 << 20) /* what a hundred rows of the longest cells may take */

static const char *earliest(const char *a, const char *b)
{
    return a == NULL || (b != NULL && b < a) ? b : a;
}

enum ag_format ag_export_accepted(const char *accept)
{
    if (accept == NULL || accept[0] == '\0') {
        return AG_FORMAT_CSV;
    }
    const char *csv = strstr(accept, "text/csv");
    const char *lines =
        earliest(strstr(accept, "application/x-ndjson"), strstr(accept, "application/ndjson"));
    if (csv == NULL && lines == NULL) {
        return strstr(accept, "*/*") != NULL || strstr(accept, "text/*") != NULL ? AG_FORMAT_CSV
                                                                                 : AG_FORMAT_NONE;
    }
    return earliest(csv, lines) == csv ? AG_FORMAT_CSV : AG_FORMAT_NDJSON;
}

const char *ag_export_type(enum ag_format format)
{
    return format == AG_FORMAT_CSV ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";
}

/* ---- the formats ---- */

/* A spreadsheet runs a cell that begins so, and the text of logs is anybody's. */
static bool is_formula(const char *text, size_t len)
{
    return len > 0 && strchr("=+-@\t\r", text[0]) != NULL;
}

static void put_text(const char *text, size_t len, bool escape, struct lm_buffer *out)
{
    const bool formula = escape && is_formula(text, len);
    const bool quoted = formula || len == 0 || memchr(text, '"', len) != NULL ||
                        memchr(text, ',', len) != NULL || memchr(text, '\r', len) != NULL ||
                        memchr(text, '\n', len) != NULL;
    if (!quoted) {
        lm_buffer_append(out, text, len);
        return;
    }
    lm_buffer_append_text(out, formula ? "\"'" : "\"");
    for (const char *from = text, *end = text + len; from < end;) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        const char *to = quote != NULL ? quote + 1 : end;
        lm_buffer_append(out, from, (size_t)(to - from));
        lm_buffer_append_text(out, quote != NULL ? "\"" : "");
        from = to;
    }
    lm_buffer_append_char(out, '"');
}

/* NULL is nothing at all, an empty text is "". */
static void put_cell(const json_t *value, const char *type, bool escape, struct lm_buffer *out)
{
    if (json_is_string(value)) {
        const bool number = strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
        put_text(json_string_value(value), json_string_length(value), escape && !number, out);
        return;
    }
    if (value == NULL || json_is_null(value)) {
        return;
    }
    char *text = json_dumps(value, AG_JSON_FLAGS | JSON_ENCODE_ANY);
    if (text == NULL) {
        out->failed = true;
        return;
    }
    put_text(text, strlen(text), false, out);
    free(text);
}

static void put_csv(const json_t *columns, const json_t *row, bool escape, struct lm_buffer *out)
{
    size_t i = 0;
    const json_t *column = NULL;
    json_array_foreach(columns, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        const char *type = json_string_value(json_object_get(column, "type"));
        lm_buffer_append_text(out, i > 0 ? "," : "");
        if (row == NULL) {
            put_text(name, strlen(name), escape, out);
        } else {
            put_cell(json_object_get(row, name), type, escape, out);
        }
    }
    lm_buffer_append_text(out, "\r\n");
}

static void put_line(const json_t *row, struct lm_buffer *out)
{
    char *text = json_dumps(row, AG_JSON_FLAGS);
    if (text == NULL) {
        out->failed = true;
        return;
    }
    lm_buffer_append_text(out, text);
    lm_buffer_append_char(out, '\n');
    free(text);
}

void ag_export_write(enum ag_format format, const json_t *columns, const json_t *rows, bool first,
                     bool escape_formulas, struct lm_buffer *out)
{
    size_t i = 0;
    const json_t *row = NULL;
    if (first && format == AG_FORMAT_CSV) {
        put_csv(columns, NULL, escape_formulas, out);
    }
    json_array_foreach(rows, i, row)
    {
        if (format == AG_FORMAT_CSV) {
            put_csv(columns, row, escape_formulas, out);
        } else {
            put_line(row, out);
        }
    }
}

/* ---- the stream ---- */

static void on_drained(struct lm_http_request *http, void *context)
{
    struct ag_run *run = context;
    (void)http;
    if (run->execution != NULL) {
        ag_execute_more(run->execution);
    }
}

static bool open_stream(struct ag_run *run)
{
    struct ag_export *export = &run->export;
    if (export->open) {
        return true;
    }
    const struct lm_http_stream stream = {.status = 200,
                                          .content_type = ag_export_type(export->format),
                                          .max_unsent = MAX_UNSENT,
                                          .full_at = FULL_AT,
                                          .drained = on_drained,
                                          .context = run};
    export->columns = ag_answer_columns(&run->understanding.intent, &run->sql);
    if (export->columns == NULL) {
        return false;
    }
    lm_http_reply_header(run->http, "Cache-Control", "no-store");
    export->open = lm_http_stream_open(run->http, &stream) == 0;
    return export->open;
}

/* 0: sent, 1: sent, and no more for now, -1: it cannot go on. */
static int send_rows(struct ag_run *run, const json_t *rows)
{
    struct ag_export *export = &run->export;
    struct lm_buffer out;
    lm_buffer_init(&out, MAX_UNSENT);
    ag_export_write(export->format, export->columns, rows, export->bytes == 0,
                    run->runs->config->export_escape_formulas, &out);
    int taken = out.failed ? -1 : lm_http_stream_write(run->http, out.data, out.len);
    export->rows += json_array_size(rows);
    export->bytes += out.len;
    lm_buffer_free(&out);
    return taken;
}

static json_t *make_rows(struct ag_run *run, const PGresult *result, size_t count, struct lm_arena *arena,
                         struct lm_error *error)
{
    const size_t columns = run->sql.column_count;
    const char **cells = lm_arena_alloc(arena, count * columns * sizeof(*cells));
    if (cells == NULL) {
        (void)lm_error_set(error, LM_RETRY, "memory", "out of memory for the rows");
        return NULL;
    }
    for (size_t i = 0; i < count * columns; i++) {
        const int row = (int)(i / columns), column = (int)(i % columns);
        cells[i] = PQgetisnull(result, row, column) != 0 ? NULL : PQgetvalue(result, row, column);
    }
    const struct ag_answer_input input = {
        .intent = &run->understanding.intent, .sql = &run->sql, .rows = {cells, count}};
    return ag_answer_rows(&input, arena, error);
}

/* Nothing more is read, and the run goes on with `step`. */
static bool stop(struct ag_run *run, enum ag_step step)
{
    struct ag_execution *execution = run->execution;
    run->execution = NULL;
    ag_execute_cancel(execution);
    ag_run_resume(run, step);
    return false;
}

static bool fail(struct ag_run *run, const char *message)
{
    lm_log(LM_LOG_WARN, "export", "export %s is broken off after %zu rows: %s", run->id, run->export.rows,
           message);
    ag_failure_set(&run->failure, "unavailable", message, "export a shorter time");
    return stop(run, AG_STEP_FAILED);
}

bool ag_export_rows(const PGresult *result, void *context)
{
    struct ag_run *run = context;
    struct lm_arena arena;
    struct lm_error error;
    const size_t came = (size_t)PQntuples(result);
    const size_t left = (size_t)run->sql.row_limit - run->export.rows;
    const size_t count = came < left ? came : left;
    if (!open_stream(run)) {
        return fail(run, "out of memory for the export");
    }
    lm_arena_init(&arena, AG_RUN_ARENA);
    json_t *rows = make_rows(run, result, count, &arena, &error);
    const int taken = rows != NULL ? send_rows(run, rows) : -1;
    json_decref(rows);
    lm_arena_free(&arena);
    if (taken < 0) {
        return fail(run, rows == NULL ? error.text : "out of memory for the rows");
    }
    if (came > left) {
        const bool asked = run->sql.limit_stated || run->request.max_results_stated;
        return asked ? stop(run, AG_STEP_NEXT) : fail(run, "there are more records than export.max_rows");
    }
    return taken == 0;
}

void ag_export_finish(struct ag_run *run)
{
    const bool begun = run->export.open;
    if (!begun && run->failure.code == NULL && !open_stream(run)) {
        ag_failure_set(&run->failure, "unavailable", "out of memory for the export", NULL);
    }
    if (!run->export.open) {
        ag_failure_reply(run->http, &run->failure);
        return;
    }
    const bool whole = run->failure.code == NULL && (begun || send_rows(run, NULL) >= 0);
    lm_http_stream_end(run->http, whole);
}
