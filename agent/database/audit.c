/*
 * Rows are kept as JSON objects and written as one array: one statement, one parameter, whatever the texts
 * hold. A batch that the server refuses is tried again row by row, so that one bad row cannot hold up the
 * log; a row refused alone is dropped with an error in the agent's own log.
 */
#include "agent/database/audit.h"

#include "agent/database/refused.h"
#include "common/backoff.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/postgres/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 300
#define BATCH_ROWS 200
#define EXPIRE_US (60 * LM_MINUTE_US) /* how often what is too old is looked for */
#define EXPIRED_AT_ONCE 1000
#define MAX_ROW ((size_t)256 << 10)

struct row {
    struct row *next;
    size_t len;
    char json[];
};

enum audit_state { AUDIT_DOWN, AUDIT_OPENING, AUDIT_UP, AUDIT_WRITING, AUDIT_CLOSED };

struct ag_audit {
    struct ag_audit_options options;
    char *conninfo;
    enum audit_state state;
    struct lm_pg *pg;
    uv_timer_t timer; /* the next writing, or the next attempt to connect */
    struct lm_backoff backoff;
    struct row *first, *last;
    size_t count, bytes;
    size_t sent;     /* rows of the statement under way */
    bool one_by_one; /* after a refusal */
    bool stopping;
    int64_t deadline_us;
    int64_t expire_us; /* when what is too old is looked for again */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;
    struct lm_counter *written, *lost;
    struct lm_gauge *waiting;
    struct lm_log_limit complaint;
};

static const char insert_sql[] =
    "INSERT INTO audit_log (at, request_id, api_key, role, address, question, sql, parameters, engine, "
    "verdict, "
    "row_count, bytes, "
    "duration_ms, cached) SELECT at, request_id, api_key, role, address, question, sql, parameters, engine, "
    "verdict, row_count, "
    "bytes, duration_ms, cached FROM json_to_recordset($1::json) AS r (at timestamptz, request_id text, "
    "api_key text, role text, "
    "address text, "
    "question text, sql text, parameters text, engine text, verdict text, row_count bigint, bytes bigint, "
    "duration_ms double precision, cached text)";

static void connect_now(struct ag_audit *audit);
static void expire(struct ag_audit *audit);
static void write_batch(struct ag_audit *audit);
static void finish_close(struct ag_audit *audit);

char *ag_audit_conninfo(const char *audit_url, const char *postgres_url, struct lm_error *error)
{
    if (audit_url[0] != '\0') {
        char *copy = strdup(audit_url);
        if (copy == NULL) {
            lm_error_set(error, LM_FATAL, "memory", "out of memory");
        }
        return copy;
    }
    char *complaint = NULL;
    PQconninfoOption *parts = PQconninfoParse(postgres_url, &complaint);
    if (parts == NULL) {
        lm_error_set(error, LM_FATAL, "postgres_url", "postgres_url is no connection string: %s",
                     complaint ? complaint : "out of memory");
        PQfreemem(complaint);
        return NULL;
    }
    struct lm_buffer out;
    lm_buffer_init(&out, 64u << 10);
    lm_buffer_append_text(&out, "user=logmill_agent");
    for (const PQconninfoOption *part = parts; part->keyword != NULL; part++) {
        if (part->val == NULL || strcmp(part->keyword, "user") == 0 ||
            strcmp(part->keyword, "password") == 0) {
            continue;
        }
        lm_buffer_printf(&out, " %s='", part->keyword);
        for (const char *at = part->val; *at != '\0'; at++) {
            if (*at == '\'' || *at == '\\') {
                lm_buffer_append_char(&out, '\\');
            }
            lm_buffer_append_char(&out, *at);
        }
        lm_buffer_append_char(&out, '\'');
    }
    PQconninfoFree(parts);
    char *text = lm_buffer_text(&out) != NULL ? lm_buffer_detach(&out, NULL) : NULL;
    lm_buffer_free(&out);
    if (text == NULL) {
        lm_error_set(error, LM_FATAL, "memory", "out of memory");
    }
    return text;
}

bool ag_audit_full(const struct ag_audit *audit)
{
    return audit->count >= AG_AUDIT_MAX_ROWS || audit->bytes + MAX_ROW > AG_AUDIT_MAX_BYTES;
}

/* `text` as a JSON string in which control characters (C0, DEL and C1) stand as \xNN, readable and harmless
 * on a terminal. */
static void append_text(struct lm_buffer *out, const char *name, const char *text, size_t len)
{
    struct lm_buffer visible;
    lm_buffer_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        lm_buffer_append_text(out, "null");
        return;
    }
    lm_buffer_init(&visible, MAX_ROW);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool c1 = c == 0xC2 && i + 1 < len && (unsigned char)text[i + 1] >= 0x80 &&
                        (unsigned char)text[i + 1] < 0xA0;
        if (c < 0x20 || c == 0x7F) {
            lm_buffer_printf(&visible, "\\x%02x", c);
        } else if (c1) {
            lm_buffer_printf(&visible, "\\x%02x", (unsigned char)text[++i]);
        } else {
            lm_buffer_append_char(&visible, text[i]);
        }
    }
    lm_buffer_append_json(out, visible.len > 0 ? visible.data : "", visible.len);
    lm_buffer_free(&visible);
}

static void append_plain(struct lm_buffer *out, const char *name, const char *text)
{
    append_text(out, name, text, text != NULL ? strlen(text) : 0);
}

static void append_number(struct lm_buffer *out, const char *name, int64_t value)
{
    if (value < 0) {
        lm_buffer_printf(out, ",\"%s\":null", name);
    } else {
        lm_buffer_printf(out, ",\"%s\":%" PRId64, name, value);
    }
}

bool ag_audit_add(struct ag_audit *audit, const struct ag_audit_row *row)
{
    char at[LM_RFC3339_SIZE];
    struct lm_buffer out;
    struct row *entry = NULL;
    lm_buffer_init(&out, MAX_ROW);
    lm_rfc3339_format(row->at_us, at);
    lm_buffer_printf(&out, "{\"at\":\"%s\"", at);
    append_plain(&out, "request_id", row->request_id);
    append_plain(&out, "api_key", row->key);
    append_plain(&out, "role", row->role);
    append_plain(&out, "address", row->address);
    append_text(&out, "question", row->question != NULL ? row->question : "",
                row->question != NULL ? row->question_len : 0);
    append_plain(&out, "sql", row->sql);
    append_plain(&out, "parameters", row->parameters);
    append_plain(&out, "engine", row->engine);
    append_plain(&out, "verdict", row->verdict);
    append_plain(&out, "cached", row->cached);
    append_number(&out, "row_count", row->rows);
    append_number(&out, "bytes", row->bytes);
    lm_buffer_printf(&out, ",\"duration_ms\":%.3f}", row->duration_ms);
    if (!ag_audit_full(audit) && lm_buffer_text(&out) != NULL) {
        entry = malloc(sizeof(*entry) + out.len);
    }
    if (entry != NULL) {
        entry->next = NULL;
        entry->len = out.len;
        memcpy(entry->json, out.data, out.len);
        *(audit->last != NULL ? &audit->last->next : &audit->first) = entry;
        audit->last = entry;
        audit->count++;
        audit->bytes += sizeof(*entry) + entry->len;
        lm_gauge_set(audit->waiting, (double)audit->count);
    } else {
        lm_counter_add(audit->lost, 1);
        lm_log_limited(&audit->complaint, LM_LOG_AGAIN_MS, LM_LOG_ERROR, "audit",
                       "a row of the audit log did not fit its queue");
    }
    lm_buffer_free(&out);
    return entry != NULL;
}

static void drop_first(struct ag_audit *audit)
{
    struct row *row = audit->first;
    audit->first = row->next;
    if (audit->first == NULL) {
        audit->last = NULL;
    }
    audit->count--;
    audit->bytes -= sizeof(*row) + row->len;
    free(row);
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_audit *audit = timer->data;
    if (audit->stopping && (audit->count == 0 || lm_clock_mono_us() >= audit->deadline_us) &&
        audit->state != AUDIT_WRITING) {
        finish_close(audit);
        return;
    }
    if (audit->stopping && lm_clock_mono_us() >= audit->deadline_us) {
        finish_close(audit);
        return;
    }
    if (audit->state == AUDIT_DOWN) {
        connect_now(audit);
    } else if (audit->state == AUDIT_UP) {
        expire(audit);
        write_batch(audit);
    }
}

/* The timer ticks for the whole life; being down only makes its next tick later. */
static void went_down(struct ag_audit *audit, const struct lm_error *error)
{
    audit->pg = NULL;
    if (audit->state == AUDIT_CLOSED) {
        return;
    }
    audit->state = AUDIT_DOWN;
    audit->sent = 0;
    const uint32_t delay = lm_backoff_next(&audit->backoff);
    lm_log_limited(&audit->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "audit",
                   "no connection for the audit log, again in %u ms: %s", delay, error->text);
    ag_refused(audit->options.condition, error, AG_REFUSED_WRITING);
    uv_timer_start(&audit->timer, on_timer, delay, FLUSH_MS);
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    (void)pg;
    went_down(context, error);
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct ag_audit *audit = context;
    (void)pg;
    if (error != NULL) {
        went_down(audit, error);
        return;
    }
    lm_backoff_reset(&audit->backoff);
    audit->state = AUDIT_UP;
    if (audit->options.condition != NULL) {
        lm_condition_set(audit->options.condition, NULL);
    }
    uv_timer_start(&audit->timer, on_timer, 0, FLUSH_MS);
}

static void connect_now(struct ag_audit *audit)
{
    struct lm_error error;
    const struct lm_pg_options options = {.loop = audit->options.loop,
                                          .conninfo = audit->conninfo,
                                          .application_name = "logmill-agent audit",
                                          .opened = on_opened,
                                          .lost = on_lost,
                                          .context = audit};
    audit->state = AUDIT_OPENING;
    if (lm_pg_open(&options, &audit->pg, &error) != 0) {
        went_down(audit, &error);
    }
}

static void on_written(const struct lm_error *error, void *context)
{
    struct ag_audit *audit = context;
    if (audit->state != AUDIT_WRITING) {
        return;
    }
    if (error != NULL && strcmp(error->kind, "connection_lost") == 0) {
        return; /* on_lost follows; the rows are still in the queue and are written again: at least once */
    }
    audit->state = AUDIT_UP;
    if (error == NULL) {
        lm_counter_add(audit->written, audit->sent);
        for (; audit->sent > 0; audit->sent--) {
            drop_first(audit);
        }
    } else if (error->decision != LM_RETRY && audit->sent == 1) {
        lm_log_error(LM_LOG_ERROR, "audit", error, "a row of the audit log was refused and is dropped");
        lm_counter_add(audit->lost, 1);
        drop_first(audit);
    } else {
        lm_log_limited(&audit->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "audit",
                       "the audit log could not be written: %s", error->text);
        audit->one_by_one = error->decision != LM_RETRY;
    }
    audit->sent = 0;
    if (audit->count == 0) {
        audit->one_by_one = false;
    }
    lm_gauge_set(audit->waiting, (double)audit->count);
    if (audit->stopping && audit->count == 0) {
        finish_close(audit);
    } else if (error == NULL && audit->count > 0) {
        write_batch(audit);
    }
}

static void on_expired(const PGresult *result, void *context)
{
    struct ag_audit *audit = context;
    if (PQntuples(result) == 1 && strtoll(PQgetvalue(result, 0, 0), NULL, 10) >= EXPIRED_AT_ONCE) {
        audit->expire_us = 0; /* there are more */
    }
}

/* Several agents may do so: what one has deleted another does not find. */
static void expire(struct ag_audit *audit)
{
    struct lm_error error;
    char portion[16];
    const char *const params[] = {portion};
    const struct lm_pg_request request = {.sql = "SELECT logmill.expire_audit($1)",
                                          .extended = true,
                                          .param_count = 1,
                                          .params = params,
                                          .result = on_expired,
                                          .context = audit};
    if (lm_clock_mono_us() < audit->expire_us) {
        return;
    }
    audit->expire_us = lm_clock_mono_us() + EXPIRE_US;
    snprintf(portion, sizeof(portion), "%d", EXPIRED_AT_ONCE);
    if (lm_pg_send(audit->pg, &request, &error) != 0) {
        lm_log(LM_LOG_DEBUG, "audit", "old rows stay for another hour: %s", error.text);
    }
}

static void write_batch(struct ag_audit *audit)
{
    struct lm_buffer json;
    struct lm_error error;
    if (audit->count == 0) {
        return;
    }
    const size_t most = audit->one_by_one ? 1 : BATCH_ROWS;
    lm_buffer_init(&json, AG_AUDIT_MAX_BYTES + BATCH_ROWS * 2);
    lm_buffer_append_char(&json, '[');
    size_t rows = 0;
    for (const struct row *row = audit->first; row != NULL && rows < most; row = row->next, rows++) {
        if (rows > 0) {
            lm_buffer_append_char(&json, ',');
        }
        lm_buffer_append(&json, row->json, row->len);
    }
    lm_buffer_append_char(&json, ']');
    const char *const params[] = {lm_buffer_text(&json)};
    const struct lm_pg_request request = {
        .sql = insert_sql, .param_count = 1, .params = params, .done = on_written, .context = audit};
    if (params[0] != NULL && lm_pg_send(audit->pg, &request, &error) == 0) {
        audit->sent = rows;
        audit->state = AUDIT_WRITING;
    }
    lm_buffer_free(&json);
}

int ag_audit_open(const struct ag_audit_options *options, struct ag_audit **out, struct lm_error *error)
{
    struct ag_audit *audit = calloc(1, sizeof(*audit));
    char *conninfo = strdup(options->conninfo);
    if (audit == NULL || conninfo == NULL) {
        free(audit);
        free(conninfo);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the audit log");
    }
    audit->options = *options;
    audit->conninfo = conninfo;
    lm_backoff_init(&audit->backoff, 100, 5000, 0);
    audit->written = lm_counter(options->metrics, "logmill_agent_audit_written_total", NULL,
                                "Rows of the audit log written.");
    audit->lost =
        lm_counter(options->metrics, "logmill_agent_audit_lost_total", NULL, "Rows of the audit log lost.");
    audit->waiting =
        lm_gauge(options->metrics, "logmill_agent_audit_waiting", NULL, "Rows that wait to be written.");
    (void)uv_timer_init(options->loop, &audit->timer);
    audit->timer.data = audit;
    connect_now(audit);
    *out = audit;
    return 0;
}

static void release_handle(struct ag_audit *audit)
{
    if (--audit->open_handles > 0) {
        return;
    }
    void (*closed)(void *) = audit->closed;
    void *context = audit->closed_context;
    free(audit->conninfo);
    free(audit);
    if (closed != NULL) {
        closed(context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    release_handle(handle->data);
}

static void on_pg_closed(void *context)
{
    release_handle(context);
}

static void finish_close(struct ag_audit *audit)
{
    if (audit->state == AUDIT_CLOSED) {
        return;
    }
    if (audit->count > 0) {
        lm_log(LM_LOG_ERROR, "audit", "%zu rows of the audit log were not written before the end",
               audit->count);
    }
    while (audit->first != NULL) {
        drop_first(audit);
    }
    audit->state = AUDIT_CLOSED;
    audit->open_handles = audit->pg != NULL ? 2 : 1;
    struct lm_pg *pg = audit->pg;
    audit->pg = NULL;
    uv_close((uv_handle_t *)&audit->timer, on_timer_closed);
    if (pg != NULL) {
        lm_pg_close(pg, on_pg_closed, audit);
    }
}

void ag_audit_close(struct ag_audit *audit, unsigned deadline_ms, void (*closed)(void *context),
                    void *context)
{
    audit->stopping = true;
    audit->closed = closed;
    audit->closed_context = context;
    audit->deadline_us = lm_clock_mono_us() + (int64_t)deadline_ms * 1000;
    uv_timer_start(&audit->timer, on_timer, 0, 50);
}
