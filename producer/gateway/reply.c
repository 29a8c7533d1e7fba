#include "producer/gateway/reply.h"

#include "common/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX ((size_t)8 << 20)

void gw_reject(struct gw_rejections *rejections, size_t index, const char *reason)
{
    rejections->total++;
    if (rejections->count == GW_MAX_NAMED_REJECTIONS) {
        return;
    }
    if ((rejections->count & (rejections->count - 1)) == 0) { /* 0 and the powers of two: full */
        size_t room = rejections->count == 0 ? 1 : rejections->count * 2;
        struct gw_rejection *grown = realloc(rejections->items, room * sizeof(*grown));

        if (!grown) {
            return;
        }
        rejections->items = grown;
    }
    rejections->items[rejections->count] = (struct gw_rejection){index, strdup(reason)};
    if (rejections->items[rejections->count].reason) {
        rejections->count++;
    }
}

void gw_rejections_free(struct gw_rejections *rejections)
{
    for (size_t i = 0; i < rejections->count; i++) {
        free(rejections->items[i].reason);
    }
    free(rejections->items);
    *rejections = (struct gw_rejections){0};
}

/* The text was bounded when it was built: a failed buffer means no memory, and then an empty body is all
 * there is. */
static void send_json(struct lm_http_request *http, unsigned status, struct lm_buffer *json)
{
    const char *text = lm_buffer_text(json);

    lm_http_reply(http, status, "application/json", text ? text : "", text ? json->len : 0);
    lm_buffer_free(json);
}

static void append_rejections(struct lm_buffer *json, const struct gw_rejections *rejections)
{
    lm_buffer_append_char(json, '[');
    for (size_t i = 0; i < rejections->count; i++) {
        lm_buffer_printf(json, "%s{\"index\":%zu,\"error\":", i ? "," : "", rejections->items[i].index);
        lm_buffer_append_json(json, rejections->items[i].reason, strlen(rejections->items[i].reason));
        lm_buffer_append_char(json, '}');
    }
    lm_buffer_append_char(json, ']');
}

void gw_reply_result(struct lm_http_request *http, enum gw_answer answer, size_t accepted,
                     const struct gw_rejections *rejections)
{
    struct lm_buffer json;

    if (answer == GW_ANSWER_ONE && rejections->total > 0) {
        gw_reply_error(http, 400, "rejected",
                       rejections->count > 0 ? rejections->items[0].reason : "the record was rejected");
        return;
    }
    lm_buffer_init(&json, REPLY_MAX);
    if (answer == GW_ANSWER_INGEST) {
        lm_buffer_printf(&json, "{\"accepted\":%zu,\"rejected\":%zu,\"errors\":", accepted,
                         rejections->total);
    } else {
        lm_buffer_printf(&json, "{\"status\":\"success\",\"count\":%zu,\"rejected\":", accepted);
    }
    append_rejections(&json, rejections);
    lm_buffer_append_char(&json, '}');
    send_json(http, 200, &json);
}

void gw_reply_error(struct lm_http_request *http, unsigned status, const char *code, const char *message)
{
    struct lm_buffer json;

    lm_buffer_init(&json, REPLY_MAX);
    lm_buffer_append_text(&json, "{\"error\":{\"code\":");
    lm_buffer_append_json(&json, code, strlen(code));
    lm_buffer_append_text(&json, ",\"message\":");
    lm_buffer_append_json(&json, message, strlen(message));
    lm_buffer_append_text(&json, "}}");
    send_json(http, status, &json);
}

void gw_reply_unavailable(struct lm_http_request *http, const char *message)
{
    lm_http_reply_header(http, "Retry-After", "2");
    gw_reply_error(http, 503, "unavailable", message);
}

void gw_reply_health(struct lm_http_request *http, const char *trouble)
{
    struct lm_buffer json;

    lm_buffer_init(&json, REPLY_MAX);
    if (trouble) {
        lm_buffer_append_text(&json, "{\"status\":\"unhealthy\",\"reason\":");
        lm_buffer_append_json(&json, trouble, strlen(trouble));
        lm_buffer_append_char(&json, '}');
    } else {
        lm_buffer_append_text(&json, "{\"status\":\"healthy\"}");
    }
    send_json(http, trouble ? 503 : 200, &json);
}
