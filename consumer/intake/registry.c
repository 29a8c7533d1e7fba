#include "consumer/intake/registry.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/http/http_client.h"
#include "common/log.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048
/* A schema's text as a JSON string, and what stands around it. */
#define ANSWER_MAX ((size_t)4 << 20)
#define UNKNOWN_FOR_US (10 * LM_SECOND_US)
#define NO_SUCH_SCHEMA 40403 /* the registry's own code */

struct waiter {
    void (*done)(const struct lm_error *error, void *context);
    void *context;
    struct waiter *next;
};

struct question {
    struct co_registry *registry;
    uint32_t id;
    char url[URL_MAX];
    struct lm_buffer answer;
    struct lm_http_call *call;
    struct waiter *waiters;
    struct question *next;
};

struct co_registry {
    struct co_registry_options options;
    struct lm_http_client *http;
    struct question *questions;
    struct lm_backoff backoff;
    struct lm_error last; /* why it is left alone */
    int64_t not_before_us;
    struct lm_counter *answered, *failed;
    void (*closed)(void *context);
    void *closed_context;
};

int co_registry_open(const struct co_registry_options *options, struct co_registry **out,
                     struct lm_error *error)
{
    static const char *const name = "logmill_consumer_registry_requests_total",
                             *const help = "Questions to the schema registry.";
    struct co_registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the schema registry");
    if (lm_http_client_open(options->loop, &registry->http, error) != 0) {
        free(registry);
        return -1;
    }
    registry->options = *options;
    lm_backoff_init(&registry->backoff, options->retry_base_ms, options->retry_cap_ms, 0);
    registry->answered = lm_counter(options->metrics, name, "result=\"answered\"", help);
    registry->failed = lm_counter(options->metrics, name, "result=\"failed\"", help);
    lm_schema_set_use_registry(options->schemas);
    *out = registry;
    return 0;
}

/* ---- what an answer says ---- */

static int retry(struct lm_error *error, const char *url, int status, const char *what)
{
    return lm_error_set(error, LM_RETRY, "registry", "%s answered %d%s", url, status, what);
}

/* Values of this id are dead-lettered; 0, or -1 without memory. */
static int refuse(struct lm_schema_set *schemas, uint32_t id, const struct lm_error *why, int64_t until_us,
                  struct lm_error *error)
{
    if (lm_schema_set_refuse_id(schemas, id, why, until_us) == 0)
        return 0;
    return lm_error_set(error, LM_RETRY, "memory", "no memory for an answer of the schema registry");
}

static int read_not_found(struct lm_schema_set *schemas, uint32_t id, const char *url, const json_t *answer,
                          struct lm_error *error)
{
    struct lm_error why;

    if (json_integer_value(json_object_get(answer, "error_code")) != NO_SUCH_SCHEMA)
        return retry(error, url, 404, ", but not as a schema registry does: look at schema_registry.url");
    (void)lm_error_set(&why, LM_DEAD_LETTER, "unknown_schema_id",
                       "the schema registry knows no schema with the id %" PRIu32, id);
    return refuse(schemas, id, &why, lm_clock_mono_us() + UNKNOWN_FOR_US, error);
}

static int read_schema(struct lm_schema_set *schemas, uint32_t id, const char *url, const json_t *answer,
                       struct lm_error *error)
{
    const json_t *schema = json_object_get(answer, "schema");
    const json_t *type = json_object_get(answer, "schemaType");
    struct lm_error why;

    if (!json_is_string(schema) || (type != NULL && !json_is_string(type)))
        return retry(error, url, 200, ", but not as a schema registry does: look at schema_registry.url");
    if (type != NULL && strcmp(json_string_value(type), "AVRO") != 0)
        (void)lm_error_set(&why, LM_DEAD_LETTER, "schema_type",
                           "schema %" PRIu32 " of the registry is of type %.40s; only AVRO is read", id,
                           json_string_value(type));
    else if (json_array_size(json_object_get(answer, "references")) > 0)
        (void)lm_error_set(&why, LM_DEAD_LETTER, "schema_references",
                           "schema %" PRIu32 " of the registry refers to others, which is not read; register "
                           "one that holds all its types",
                           id);
    else if (lm_schema_set_add_id(schemas, id, json_string_value(schema), json_string_length(schema), &why) ==
             0)
        return 0;
    if (why.decision == LM_DEAD_LETTER)
        return refuse(schemas, id, &why, INT64_MAX, error);
    *error = why;
    return -1;
}

int co_registry_read(struct lm_schema_set *schemas, uint32_t id, const char *url, int status,
                     const char *body, size_t len, struct lm_error *error)
{
    json_t *answer = json_loadb(len > 0 ? body : "", len, 0, NULL);
    int result;

    if (status == 200)
        result = read_schema(schemas, id, url, answer, error);
    else if (status == 404)
        result = read_not_found(schemas, id, url, answer, error);
    else if (status == 401 || status == 403)
        result =
            retry(error, url, status,
                  ": look at schema_registry.user and schema_registry.password, or schema_registry.token");
    else if (status >= 300 && status < 400)
        result = retry(error, url, status, ", elsewhere: put where it leads into schema_registry.url");
    else
        result = retry(error, url, status, "");
    json_decref(answer);
    return result;
}

/* ---- asking ---- */

/* The question is over; the waiters may ask the next. */
static void answer_all(struct question *question, const struct lm_error *error)
{
    struct question **at = &question->registry->questions;
    struct waiter *waiter, *next;

    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    for (waiter = question->waiters; waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->done(error, waiter->context);
        free(waiter);
    }
    lm_buffer_free(&question->answer);
    free(question);
}

static bool on_data(const char *data, size_t len, void *context)
{
    struct question *question = context;
    lm_buffer_append(&question->answer, data, len);
    return !question->answer.failed;
}

static void on_done(int status, const struct lm_error *problem, void *context)
{
    struct question *question = context;
    struct co_registry *registry = question->registry;
    struct lm_error error, why;
    int result;

    if (problem == NULL) {
        result = co_registry_read(registry->options.schemas, question->id, question->url, status,
                                  question->answer.data, question->answer.len, &error);
    } else if (strcmp(problem->kind, "aborted") == 0 && status == 200) {
        (void)lm_error_set(&why, LM_DEAD_LETTER, "schema",
                           "schema %" PRIu32 " of the registry is larger than %zu bytes", question->id,
                           ANSWER_MAX);
        result = refuse(registry->options.schemas, question->id, &why, lm_clock_mono_us() + UNKNOWN_FOR_US,
                        &error);
    } else {
        result = lm_error_set(&error, LM_RETRY, "registry", "%s: %s", question->url, problem->text);
    }
    if (result == 0) {
        lm_counter_add(registry->answered, 1);
        lm_backoff_reset(&registry->backoff);
        registry->not_before_us = 0;
    } else {
        lm_counter_add(registry->failed, 1);
        registry->last = error;
        registry->not_before_us = lm_clock_mono_us() + (int64_t)lm_backoff_next(&registry->backoff) * 1000;
    }
    answer_all(question, result == 0 ? NULL : &error);
}

static struct question *find(const struct co_registry *registry, uint32_t id)
{
    struct question *question = registry->questions;
    while (question != NULL && question->id != id)
        question = question->next;
    return question;
}

/* NULL with *error set. */
static struct question *start(struct co_registry *registry, uint32_t id, struct lm_error *error)
{
    static const char *const headers[] = {"Accept: application/vnd.schemaregistry.v1+json, application/json",
                                          NULL};
    const struct co_registry_options *options = &registry->options;
    struct question *question = calloc(1, sizeof(*question));
    size_t len = strlen(options->url);

    if (question == NULL) {
        (void)lm_error_set(error, LM_RETRY, "memory", "no memory to ask the schema registry");
        return NULL;
    }
    *question = (struct question){.registry = registry, .id = id};
    lm_buffer_init(&question->answer, ANSWER_MAX);
    while (len > 0 && options->url[len - 1] == '/')
        len--;
    (void)snprintf(question->url, sizeof(question->url), "%.*s/schemas/ids/%" PRIu32, (int)len, options->url,
                   id);
    struct lm_http_call_options call = {.url = question->url,
                                        .headers = headers,
                                        .user = options->user[0] != '\0' ? options->user : NULL,
                                        .password = options->password,
                                        .bearer = options->token[0] != '\0' ? options->token : NULL,
                                        .ca_file = options->ca[0] != '\0' ? options->ca : NULL,
                                        .connect_timeout_ms = (long)options->timeout_ms,
                                        .timeout_ms = (long)options->timeout_ms,
                                        .data = on_data,
                                        .done = on_done,
                                        .context = question};
    if (lm_http_call_start(registry->http, &call, &question->call, error) != 0) {
        free(question);
        return NULL;
    }
    question->next = registry->questions;
    registry->questions = question;
    return question;
}

int co_registry_ask(struct co_registry *registry, uint32_t id,
                    void (*done)(const struct lm_error *error, void *context), void *context,
                    struct lm_error *error)
{
    struct question *question = find(registry, id);
    struct waiter *waiter;

    if (question == NULL && lm_clock_mono_us() < registry->not_before_us) {
        *error = registry->last;
        return -1;
    }
    waiter = malloc(sizeof(*waiter));
    if (waiter == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no memory to ask the schema registry");
    if (question == NULL && (question = start(registry, id, error)) == NULL) {
        free(waiter);
        return -1;
    }
    *waiter = (struct waiter){done, context, question->waiters};
    question->waiters = waiter;
    return 0;
}

static void on_http_closed(void *context)
{
    struct co_registry *registry = context;
    void (*closed)(void *) = registry->closed;
    void *closed_context = registry->closed_context;

    free(registry);
    closed(closed_context);
}

void co_registry_close(struct co_registry *registry, void (*closed)(void *context), void *context)
{
    struct lm_error error;

    registry->closed = closed;
    registry->closed_context = context;
    (void)lm_error_set(&error, LM_RETRY, "closing", "the consumer is stopping");
    while (registry->questions != NULL) {
        lm_http_call_cancel(registry->questions->call);
        answer_all(registry->questions, &error);
    }
    lm_http_client_close(registry->http, on_http_closed, registry);
}
