/*
 * Every key is named here or the request is refused: a misspelt key would otherwise be ignored, and an answer
 * that ignores what was asked is wrong.
 */
#include "agent/request.h"

#include "agent/understand/time.h"
#include "agent/understand/understand.h"
#include "agent/understand/zone.h"
#include "common/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define LATEST_NOW_US                                                                                        \
    (INT64_C(4102444800) * 1000000) /* 2100: windows beyond would not fit PostgreSQL's calendar */

struct reading {
    const struct ag_request_rules *rules;
    struct lm_arena *arena;
    struct ag_request *out;
    struct lm_error *error;
    const json_t *previous;
};

static int bad(struct reading *reading, const char *text)
{
    return lm_error_set(reading->error, LM_FATAL, "bad_request", "%s", text);
}

static size_t code_points(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    return count;
}

static int read_question(struct reading *reading, const json_t *value)
{
    if (!json_is_string(value)) {
        return bad(reading, "\"question\" must be a string");
    }
    const size_t len = json_string_length(value);
    if (len > AG_QUESTION_MAX_BYTES || code_points(json_string_value(value), len) > AG_QUESTION_MAX_CHARS) {
        return lm_error_set(reading->error, LM_FATAL, "too_large",
                            "the question is longer than %d characters", AG_QUESTION_MAX_CHARS);
    }
    reading->out->question = lm_arena_copy(reading->arena, json_string_value(value), len);
    reading->out->question_len = len;
    if (reading->out->question == NULL) {
        return lm_error_set(reading->error, LM_RETRY, "memory", "out of memory for the question");
    }
    return 0;
}

static int read_max_results(struct reading *reading, const json_t *value)
{
    const int most = reading->rules->export_rows > 0 ? reading->rules->export_rows : AG_MAX_RESULTS;
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > most) {
        return lm_error_set(reading->error, LM_FATAL, "bad_request",
                            "\"max_results\" must be a whole number from 1 to %d", most);
    }
    reading->out->max_results = (int)json_integer_value(value);
    reading->out->max_results_stated = true;
    return 0;
}

static int read_zone(struct reading *reading, const json_t *value)
{
    const char *name = json_string_value(value);
    /* "+09:00" is an offset, no zone: it knows no daylight saving. */
    if (name == NULL || strlen(name) > 64 || !isalpha((unsigned char)name[0]) || !ag_zone_known(name)) {
        return bad(reading, "\"timezone\" must be the IANA name of a time zone, as Asia/Seoul");
    }
    reading->out->zone = lm_arena_copy(reading->arena, name, strlen(name));
    return reading->out->zone != NULL ? 0 : lm_error_set(reading->error, LM_RETRY, "memory", "out of memory");
}

static int read_previous(struct reading *reading, const json_t *value)
{
    if (json_is_null(value)) {
        return 0;
    }
    if (!json_is_object(value)) {
        return bad(reading, "\"previous\" must be the intent of an earlier answer");
    }
    if (json_dumpb(value, NULL, 0, JSON_COMPACT) > AG_MAX_PREVIOUS) {
        return bad(reading, "\"previous\" is longer than 16 KiB");
    }
    reading->previous = value;
    return 0;
}

static int read_refresh(struct reading *reading, const json_t *value)
{
    if (!json_is_boolean(value)) {
        return bad(reading, "\"refresh\" must be true or false");
    }
    reading->out->refresh = json_is_true(value);
    return 0;
}

static int read_engine(struct reading *reading, const json_t *value)
{
    const char *name = json_string_value(value);
    if (name != NULL && strcmp(name, "llm") == 0) {
        reading->out->engine = AG_ENGINE_LLM;
        return reading->rules->model
                   ? 0
                   : bad(reading, "\"engine\": no model is configured here; leave it out or say \"builtin\"");
    }
    if (name == NULL || (strcmp(name, "builtin") != 0 && strcmp(name, "auto") != 0)) {
        return bad(reading, "\"engine\" must be \"auto\", \"builtin\" or \"llm\"");
    }
    reading->out->engine = strcmp(name, "builtin") == 0 ? AG_ENGINE_BUILTIN : AG_ENGINE_AUTO;
    return 0;
}

/* Records' times may come without an offset; an instant has one. */
static bool has_offset(const char *text)
{
    size_t len = strlen(text);

    return len > 6 &&
           (text[len - 1] == 'Z' || text[len - 1] == 'z' || text[len - 6] == '+' || text[len - 6] == '-');
}

static int read_now(struct reading *reading, const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t us = 0;
    if (text == NULL || !has_offset(text) ||
        lm_rfc3339_parse(text, json_string_length(value), &us, NULL) != 0 || us < 0 || us >= LATEST_NOW_US) {
        return bad(reading, "\"now\" must be an RFC 3339 instant, as 2026-03-18T14:35:20+09:00");
    }
    if (!reading->rules->allow_now) {
        reading->out->now_ignored = true;
        return 0;
    }
    reading->out->now_us = us;
    reading->out->now_given = true;
    return 0;
}

static int read_format(struct reading *reading, const json_t *value)
{
    const char *name = json_string_value(value);
    if (reading->rules->export_rows == 0) {
        return bad(reading, "unknown key \"format\": only POST /export takes it");
    }
    if (name == NULL || (strcmp(name, "csv") != 0 && strcmp(name, "ndjson") != 0)) {
        return bad(reading, "\"format\" must be \"csv\" or \"ndjson\"");
    }
    reading->out->format = strcmp(name, "csv") == 0 ? AG_FORMAT_CSV : AG_FORMAT_NDJSON;
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct reading *reading, const json_t *value);
} keys[] = {
    {"question", read_question}, {"max_results", read_max_results}, {"timezone", read_zone},
    {"previous", read_previous}, {"refresh", read_refresh},         {"engine", read_engine},
    {"now", read_now},           {"format", read_format},
};

static int read_key(struct reading *reading, const char *name, const json_t *value)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].read(reading, value);
        }
    }
    return lm_error_set(reading->error, LM_FATAL, "bad_request", "unknown key \"%.64s\"", name);
}

/* After the other keys: its times depend on now. `choice` is what the client noted beside an intent it was
 * offered. */
static int resolve_previous(struct reading *reading)
{
    struct ag_intent *intent = lm_arena_alloc(reading->arena, sizeof(*intent));
    json_t *copy = json_copy((json_t *)(uintptr_t)reading->previous);
    int result = -1;
    if (intent == NULL || copy == NULL) {
        lm_error_set(reading->error, LM_RETRY, "memory", "out of memory for previous");
    } else {
        (void)json_object_del(copy, "choice");
        result = ag_intent_from_json(copy, reading->arena, intent, reading->error);
        if (result == 0) {
            result = ag_intent_resolve(intent, reading->out->now_us, reading->error);
        }
        reading->out->previous = intent;
    }
    json_decref(copy);
    return result;
}

static int read_object(struct reading *reading, const json_t *object)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (read_key(reading, name, value) != 0) {
            return -1;
        }
    }
    if (reading->out->question == NULL) {
        return bad(reading, "\"question\" is missing");
    }
    return reading->previous != NULL ? resolve_previous(reading) : 0;
}

int ag_request_from_json(const json_t *json, const struct ag_request_rules *rules, struct lm_arena *arena,
                         struct ag_request *out, struct lm_error *error)
{
    *out =
        (struct ag_request){.max_results = AG_DEFAULT_RESULTS, .zone = rules->zone, .now_us = rules->wall_us};
    if (rules->export_rows > 0) {
        out->max_results = rules->export_rows;
    }
    struct reading reading = {.rules = rules, .arena = arena, .out = out, .error = error};
    return json_is_object(json) ? read_object(&reading, json)
                                : bad(&reading, "the body must be a JSON object");
}

int ag_request_read(const char *body, size_t len, const struct ag_request_rules *rules,
                    struct lm_arena *arena, struct ag_request *out, struct lm_error *error)
{
    json_error_t where;
    json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, &where);
    if (json == NULL) {
        return lm_error_set(error, LM_FATAL, "bad_request", "the body is no JSON: %s (line %d)", where.text,
                            where.line);
    }
    const int result = ag_request_from_json(json, rules, arena, out, error);
    json_decref(json);
    return result;
}

bool ag_request_id_usable(const char *id)
{
    const size_t len = id != NULL ? strlen(id) : 0;
    if (len == 0 || len >= AG_REQUEST_ID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (id[i] <= ' ' || id[i] > '~') {
            return false;
        }
    }
    return true;
}
