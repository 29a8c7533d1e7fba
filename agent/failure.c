#include "agent/failure.h"

#include "agent/intent.h"
#include "common/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    unsigned status;
} codes[] = {
    {"bad_request", 400},
    {"not_acceptable", 406},
    {"too_large", 413},
    {"unsupported_media_type", 415},
    {"upgrade_required", 426},
    {"not_understood", 422},
    {"needs_clarification", 422},
    {"unknown_entity", 422},
    {"refused", 422},
    {"unauthorized", 401},
    {"forbidden", 403},
    {"too_many_requests", 429},
    {"internal", 500},
    {"unavailable", 503},
    {"statement_timeout", 504},
};

/* 500 for a code that is not in the list. */
static unsigned status_of(const char *code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].code, code) == 0) {
            return codes[i].status;
        }
    }
    return 500;
}

void ag_failure_set(struct ag_failure *failure, const char *code, const char *message, const char *hint)
{
    failure->code = code;
    snprintf(failure->message, sizeof(failure->message), "%s", message != NULL ? message : "");
    snprintf(failure->hint, sizeof(failure->hint), "%s", hint != NULL ? hint : "");
}

void ag_failure_clear(struct ag_failure *failure)
{
    json_decref(failure->choices);
    *failure = (struct ag_failure){.code = NULL};
}

static void append_suggestions(struct lm_buffer *out, const struct ag_failure *failure)
{
    lm_buffer_append_text(out, ",\"suggestions\":[");
    for (size_t i = 0; i < failure->suggestion_count; i++) {
        if (i > 0) {
            lm_buffer_append_char(out, ',');
        }
        lm_buffer_append_json(out, failure->suggestions[i], strlen(failure->suggestions[i]));
    }
    lm_buffer_append_char(out, ']');
}

static void append_choices(struct lm_buffer *out, const struct ag_failure *failure)
{
    char *text = failure->choices != NULL ? json_dumps(failure->choices, AG_JSON_FLAGS) : NULL;
    if (text != NULL) {
        lm_buffer_append_text(out, ",\"choices\":");
        lm_buffer_append_text(out, text);
    }
    free(text);
}

void ag_failure_write(const struct ag_failure *failure, struct lm_buffer *out)
{
    lm_buffer_append_text(out, "{\"code\":");
    lm_buffer_append_json(out, failure->code, strlen(failure->code));
    lm_buffer_append_text(out, ",\"message\":");
    lm_buffer_append_json(out, failure->message, strlen(failure->message));
    lm_buffer_append_text(out, ",\"hint\":");
    lm_buffer_append_json(out, failure->hint, strlen(failure->hint));
    append_suggestions(out, failure);
    append_choices(out, failure);
    lm_buffer_append_char(out, '}');
}

void ag_failure_reply(struct lm_http_request *request, const struct ag_failure *failure)
{
    static const char fallback[] = "{\"error\":{\"code\":\"unavailable\",\"message\":\"out of "
                                   "memory\",\"hint\":\"\",\"suggestions\":[]}}";
    struct lm_buffer out;
    unsigned status = status_of(failure->code);
    lm_buffer_init(&out, 256u << 10);
    lm_buffer_append_text(&out, "{\"error\":");
    ag_failure_write(failure, &out);
    lm_buffer_append_char(&out, '}');
    const char *text = lm_buffer_text(&out);
    if (text == NULL) {
        status = 503;
    }
    lm_http_reply_header(request, "Cache-Control", "no-store");
    if (status == 503 || status == 429) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%u", failure->retry_after_s > 0 ? failure->retry_after_s : 2);
        lm_http_reply_header(request, "Retry-After", seconds);
    }
    if (status == 401) {
        lm_http_reply_header(request, "WWW-Authenticate", "Bearer");
    }
    lm_http_reply(request, status, "application/json", text != NULL ? text : fallback,
                  text != NULL ? out.len : sizeof(fallback) - 1);
    lm_buffer_free(&out);
}
