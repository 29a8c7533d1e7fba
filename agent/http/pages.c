#include "agent/http/pages.h"

#include "agent/failure.h"
#include "agent/understand/complete.h"
#include "agent/understand/zone.h"
#include "common/clock.h"
#include "common/embedded.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_NAMES 100

extern const struct lm_embedded ag_openapi[]; /* openapi.json, one file */

static void refuse(struct lm_http_request *http, const char *code, const char *message, const char *hint)
{
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    ag_failure_reply(http, &failure);
}

/* Takes over `body`; NULL: no memory. */
static void reply(struct lm_http_request *http, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, AG_JSON_FLAGS) : NULL;
    json_decref(body);
    if (text == NULL) {
        refuse(http, "unavailable", "out of memory for the answer", NULL);
        return;
    }
    lm_http_reply_header(http, "Cache-Control", "no-store");
    lm_http_reply(http, 200, "application/json", text, strlen(text));
    free(text);
}

/* ---- /schema ---- */

static int by_count(const void *a, const void *b)
{
    const struct ag_name *x = *(const struct ag_name *const *)a;
    const struct ag_name *y = *(const struct ag_name *const *)b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->value, y->value);
}

/* The most frequent names of a kind; a new reference, NULL without memory. */
static json_t *names_json(const struct ag_catalogue *catalogue, enum ag_kind kind, bool *truncated)
{
    const size_t count = ag_catalogue_count(catalogue, kind);
    const struct ag_name **names = calloc(count + 1, sizeof(*names));
    json_t *list = json_array();
    bool failed = names == NULL || list == NULL;
    for (size_t i = 0; i < count && !failed; i++) {
        names[i] = ag_catalogue_at(catalogue, kind, i);
    }
    if (!failed) {
        qsort(names, count, sizeof(*names), by_count);
    }
    for (size_t i = 0; i < count && i < SHOWN_NAMES && !failed; i++) {
        failed = json_array_append_new(list, json_pack("{s:s, s:I}", "value", names[i]->value, "count",
                                                       (json_int_t)names[i]->n)) != 0;
    }
    *truncated |= count > SHOWN_NAMES;
    free(names);
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* `mask` is of fields: those it hides are left out. */
static json_t *texts_json(const char *(*name)(int), int from, int to, const struct ag_mask *mask)
{
    json_t *list = json_array();
    for (int i = from; i < to; i++) {
        if (mask != NULL && ag_mask_field(mask, (enum ag_field)i, NULL)) {
            continue;
        }
        if (json_array_append_new(list, json_string(name(i))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static const char *field_name(int i)
{
    return ag_field_name((enum ag_field)i);
}

static const char *measure_name(int i)
{
    return ag_measure_name((enum ag_measure_fn)i);
}

static const char *shape_name(int i)
{
    return ag_shape_name((enum ag_shape)i);
}

static const char *category_name(int i)
{
    return ag_categories[i];
}

static const char *level_name(int i)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    return levels[i];
}

static void on_schema(struct lm_http_request *http, struct ag_caller *caller, void *context)
{
    struct ag_names_copy *copy = ag_names_hold(caller->sight->names);
    (void)context;
    json_t *names = json_object();
    bool truncated = false;
    bool failed = names == NULL;
    for (int kind = 0; kind < AG_KIND_COUNT && !failed; kind++) {
        failed = json_object_set_new(names, ag_kind_name((enum ag_kind)kind),
                                     names_json(copy->catalogue, (enum ag_kind)kind, &truncated)) != 0;
    }
    ag_names_drop(copy);
    if (failed) {
        json_decref(names);
        reply(http, NULL);
        return;
    }
    reply(http, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "fields",
                          texts_json(field_name, AG_NO_FIELD + 1, AG_FIELD_COUNT, caller->sight->mask),
                          "measures", texts_json(measure_name, AG_COUNT, AG_NAMES + 1, NULL), "shapes",
                          texts_json(shape_name, AG_PLAIN, AG_EVIDENCE + 1, NULL), "categories",
                          texts_json(category_name, 0, AG_CATEGORY_COUNT, NULL), "levels",
                          texts_json(level_name, 0, 5, NULL), "names", names, "truncated", truncated));
}

/* ---- /suggest ---- */

static json_t *suggested_json(const struct ag_suggested *suggested, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:s, s:s}", "text", suggested[i].text, "kind", suggested[i].kind);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:o}", "suggestions", list);
}

static void on_suggest(struct lm_http_request *http, struct ag_caller *caller, void *context)
{
    struct ag_pages *pages = context;
    const char *text = lm_http_query(http, "q");
    const char *zone = lm_http_query(http, "timezone");
    zone = zone != NULL ? zone : pages->config->timezone;
    text = text != NULL ? text : "";
    if (strlen(text) > AG_SUGGEST_MAX_BYTES) {
        refuse(http, "bad_request", "q is longer than 400 bytes", "ask for completions of a shorter start");
        return;
    }
    if (!ag_zone_known(zone)) {
        refuse(http, "bad_request", "unknown time zone", "use an IANA name such as Asia/Seoul");
        return;
    }
    const int64_t started_us = lm_clock_mono_us();
    const struct ag_question question = {
        .text = text, .len = strlen(text), .zone = zone, .now_us = lm_clock_wall_us()};
    struct ag_suggested suggested[AG_SUGGESTED];
    struct lm_arena arena;
    lm_arena_init(&arena, AG_SUGGEST_ARENA);
    struct ag_names_copy *copy = ag_names_hold(caller->sight->names);
    const size_t count = ag_complete(&question, pages->vocabulary, copy->catalogue, &arena, suggested);
    reply(http, suggested_json(suggested, count));
    ag_names_drop(copy);
    lm_arena_free(&arena);
    lm_histogram_observe(pages->suggest_seconds, (double)(lm_clock_mono_us() - started_us) / 1e6);
}

static void on_openapi(struct lm_http_request *http, void *context)
{
    (void)context;
    lm_http_reply(http, 200, "application/json", ag_openapi->text, ag_openapi->len);
}

int ag_pages_route(struct ag_pages *pages, struct ag_access *access, struct lm_http_server *http,
                   struct lm_error *error)
{
    const struct ag_access_route routes[] = {
        {"GET", "/schema", 0, AG_RIGHT_READ, AG_COST_PAGE, on_schema, pages},
        {"GET", "/suggest", 0, AG_RIGHT_READ, AG_COST_PAGE, on_suggest, pages},
    };
    const struct lm_http_route openapi = {.method = "GET", .path = "/openapi.json", .handler = on_openapi};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (ag_access_route(access, http, &routes[i], error) != 0) {
            return -1;
        }
    }
    return lm_http_server_route(http, &openapi) == 0
               ? 0
               : lm_error_set(error, LM_FATAL, "memory", "out of memory for the routes");
}
