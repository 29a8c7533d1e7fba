#include "agent/model/prompt.h"

#include "agent/understand/zone.h"
#include "common/buffer.h"
#include "common/embedded.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REFUSED 4096 /* bytes of an earlier reply that are sent back */

extern const struct lm_embedded ag_prompt_question[], ag_prompt_sql[], ag_prompt_insight[],
    ag_intent_schema[];

char *ag_prompt_system(bool sql)
{
    struct lm_buffer text;
    lm_buffer_init(&text, (size_t)64 << 10);
    lm_buffer_append(&text, ag_prompt_question->text, ag_prompt_question->len);
    if (sql) {
        lm_buffer_append_char(&text, '\n');
        lm_buffer_append(&text, ag_prompt_sql->text, ag_prompt_sql->len);
    }
    return lm_buffer_detach(&text, NULL);
}

char *ag_prompt_insight_system(void)
{
    return strdup(ag_prompt_insight->text);
}

json_t *ag_prompt_schema(bool sql)
{
    json_t *intent = json_loadb(ag_intent_schema->text, ag_intent_schema->len, 0, NULL);
    if (intent == NULL) {
        return NULL;
    }
    (void)json_object_del(intent, "$schema");
    (void)json_object_del(intent, "$id");
    json_t *kinds = json_pack("[s, s]", "intent", "none");
    json_t *schema = json_pack("{s:s, s:b, s:[s], s:{s:{s:o}, s:o, s:{s:s}}}", "type", "object",
                               "additionalProperties", 0, "required", "kind", "properties", "kind", "enum",
                               kinds, "intent", intent, "reason", "type", "string");
    json_t *properties = json_object_get(schema, "properties");
    if (sql && (json_array_append_new(kinds, json_string("sql")) != 0 ||
                json_object_set_new(properties, "sql", json_pack("{s:s}", "type", "string")) != 0)) {
        json_decref(schema);
        return NULL;
    }
    return schema;
}

/* "2026-03-18T14:35:00+09:00", to the minute, and the day's name. */
static int put_now(json_t *message, const struct ag_prompt *prompt)
{
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    struct ag_zone *zone = ag_zone_new(prompt->zone);
    char text[40];
    if (zone == NULL) {
        return -1;
    }
    ag_zone_format(zone, prompt->now_us - prompt->now_us % AG_MINUTE, text);
    const int weekday = ag_zone_local(zone, prompt->now_us).weekday;
    ag_zone_free(zone);
    return json_object_set_new(message, "now", json_string(text)) |
           json_object_set_new(message, "weekday", json_string(days[(weekday + 6) % 7])) |
           json_object_set_new(message, "timezone", json_string(prompt->zone));
}

/* A previous intent is the asker's word; one that names what they may not know is not passed on. */
static int put_previous(json_t *message, const struct ag_prompt *prompt)
{
    if (prompt->previous == NULL || ag_catalogue_unknown(prompt->catalogue, prompt->previous, NULL) != NULL) {
        return 0;
    }
    return json_object_set_new(message, "previous", ag_intent_to_json(prompt->previous));
}

static int put_refused(json_t *message, const struct ag_prompt *prompt)
{
    struct lm_buffer reply;
    if (prompt->refused_why == NULL) {
        return 0;
    }
    const char *text = prompt->refused_reply != NULL ? prompt->refused_reply : "";
    lm_buffer_init(&reply, MAX_REFUSED * 3);
    lm_buffer_append_utf8(&reply, text, strnlen(text, MAX_REFUSED));
    const char *whole = lm_buffer_text(&reply);
    json_t *refused =
        whole != NULL ? json_pack("{s:s, s:s}", "reply", whole, "why", prompt->refused_why) : NULL;
    lm_buffer_free(&reply);
    return json_object_set_new(message, "refused", refused);
}

char *ag_prompt_write(const struct ag_prompt *prompt, struct lm_arena *arena)
{
    json_t *message = json_object();
    int failed =
        json_object_set_new(message, "question", json_stringn(prompt->question, prompt->question_len));
    failed |= put_now(message, prompt);
    failed |= json_object_set_new(message, "names", ag_prompt_names(prompt, arena));
    failed |= put_previous(message, prompt);
    failed |= put_refused(message, prompt);
    char *text = failed == 0 ? json_dumps(message, AG_JSON_FLAGS) : NULL;
    json_decref(message);
    return text;
}
