#include "agent/model/reply.h"

#include "agent/guard/guard.h"
#include "agent/request.h"
#include "agent/understand/time.h"

#include <string.h>

#define MAX_TRIES 16 /* braces looked at for the one that begins the object */

#define BAD(error, ...) lm_error_set(error, LM_RETRY, "bad_reply", __VA_ARGS__)

/* The first object that says what kind of reply it is; models put it between fences, sentences and thoughts.
 */
static json_t *find_object(const char *text, size_t len)
{
    static const char thought[] = "</think>";
    const char *end = text + len;
    const char *behind = memmem(text, len, thought, sizeof(thought) - 1);
    const char *at = behind != NULL ? behind + sizeof(thought) - 1 : text;
    for (int i = 0; i < MAX_TRIES && (at = memchr(at, '{', (size_t)(end - at))) != NULL; i++, at++) {
        json_t *object =
            json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(object) &&
            (json_object_get(object, "kind") != NULL || json_object_get(object, "measure") != NULL)) {
            return object;
        }
        json_decref(object);
    }
    return NULL;
}

/* What the asker's side knows better is put in by it. */
static int complete(json_t *intent, const struct ag_model_asker *asker)
{
    json_t *time = json_object_get(intent, "time");
    int failed = json_object_set_new(intent, "language", json_string(asker->language == AG_KO ? "ko" : "en"));
    if (json_is_object(time) && json_object_get(time, "zone") == NULL) {
        failed |= json_object_set_new(time, "zone", json_string(asker->zone));
    }
    if (json_object_get(intent, "v") == NULL) {
        failed |= json_object_set_new(intent, "v", json_integer(1));
    }
    return failed;
}

static const char *unknown_key(const struct ag_model_asker *asker, const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const char *key = intent->filters[i].key;
        if (key != NULL && ag_catalogue_exact(asker->catalogue, AG_KIND_METADATA_KEY, key) == NULL) {
            return key;
        }
    }
    for (size_t i = 0; i < intent->group_count; i++) {
        const char *key = intent->groups[i].key;
        if (key != NULL && ag_catalogue_exact(asker->catalogue, AG_KIND_METADATA_KEY, key) == NULL) {
            return key;
        }
    }
    return NULL;
}

static int link_names(const struct ag_model_asker *asker, struct ag_model_meaning *out,
                      struct lm_error *error)
{
    out->unknown = ag_catalogue_unknown(asker->catalogue, &out->intent, &out->unknown_kind);
    if (out->unknown == NULL) {
        out->unknown = unknown_key(asker, &out->intent);
        out->unknown_kind = AG_KIND_METADATA_KEY;
    }
    return out->unknown == NULL
               ? 0
               : lm_error_set(error, LM_RETRY, "unknown_entity", "there is no %s \"%.64s\" in the logs",
                              ag_kind_name(out->unknown_kind), out->unknown);
}

static int read_intent(json_t *json, const struct ag_model_asker *asker, struct lm_arena *arena,
                       struct ag_model_meaning *out, struct lm_error *error)
{
    struct lm_error why;
    if (!json_is_object(json)) {
        return BAD(error, "the reply says intent, but has none");
    }
    if (json_dumpb(json, NULL, 0, JSON_COMPACT) > AG_MAX_PREVIOUS) {
        return BAD(error, "the intent is longer than 16 KiB");
    }
    if (complete(json, asker) != 0) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for the model's reply");
    }
    if (ag_intent_from_json(json, arena, &out->intent, &why) != 0 ||
        ag_intent_resolve(&out->intent, asker->now_us, &why) != 0) {
        return lm_error_set(error, LM_RETRY, why.decision == LM_RETRY ? "memory" : "bad_reply", "%s",
                            why.text);
    }
    return link_names(asker, out, error);
}

static int read_sql(const json_t *object, const struct ag_model_asker *asker, struct lm_arena *arena,
                    struct ag_model_meaning *out, struct lm_error *error)
{
    const json_t *sql = json_object_get(object, "sql");
    size_t len = json_string_length(sql);
    const char *text = json_string_value(sql);
    if (!asker->sql) {
        return BAD(error, "SQL is not taken here: reply with an intent, or with none");
    }
    if (text == NULL || len == 0 || len > AG_GUARD_MAX_SQL) {
        return BAD(error, "the reply says sql, but has none, or more than %d bytes of it", AG_GUARD_MAX_SQL);
    }
    while (len > 0 && strchr("; \r\n\t", text[len - 1]) != NULL) {
        len--;
    }
    out->sql = lm_arena_copy(arena, text, len);
    return out->sql != NULL ? 0
                            : lm_error_set(error, LM_RETRY, "memory", "out of memory for the model's reply");
}

int ag_model_read(const char *text, size_t len, const struct ag_model_asker *asker, struct lm_arena *arena,
                  struct ag_model_meaning *out, struct lm_error *error)
{
    json_t *object = find_object(text, len);
    const json_t *kind = json_object_get(object, "kind");
    const char *name = json_string_value(kind);
    int result = 0;
    *out = (struct ag_model_meaning){.says = AG_MODEL_NOTHING};
    if (object == NULL) {
        return BAD(error, "the reply holds no JSON object with a \"kind\"");
    }
    if (kind == NULL || (name != NULL && strcmp(name, "intent") == 0)) {
        out->says = AG_MODEL_INTENT;
        result =
            read_intent(kind == NULL ? object : json_object_get(object, "intent"), asker, arena, out, error);
    } else if (name != NULL && strcmp(name, "sql") == 0) {
        out->says = AG_MODEL_SQL;
        result = read_sql(object, asker, arena, out, error);
    } else if (name == NULL || strcmp(name, "none") != 0) {
        result = BAD(error, "\"kind\" must be intent%s or none", asker->sql ? ", sql" : "");
    }
    json_decref(object);
    return result;
}
