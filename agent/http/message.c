#include "agent/http/message.h"

#include <stdbool.h>
#include <string.h>

static int bad(struct lm_error *error, const char *text)
{
    return lm_error_set(error, LM_FATAL, "bad_request", "%s", text);
}

static bool read_id(const json_t *value, char out[AG_MESSAGE_ID_SIZE])
{
    const size_t len = json_string_length(value); /* 0 for what is no string */
    const char *text = json_string_value(value);
    if (len == 0 || len >= AG_MESSAGE_ID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    memcpy(out, text, len + 1);
    return true;
}

static int read_object(json_t *object, struct ag_message *out, struct lm_error *error)
{
    if (!read_id(json_object_get(object, "id"), out->id)) {
        return bad(error, "\"id\" must be a string of 1 to 128 printable ASCII characters without blanks");
    }
    const char *type = json_string_value(json_object_get(object, "type"));
    if (type == NULL || (strcmp(type, "ask") != 0 && strcmp(type, "cancel") != 0)) {
        return bad(error, "\"type\" must be \"ask\" or \"cancel\"");
    }
    out->type = strcmp(type, "ask") == 0 ? AG_MESSAGE_ASK : AG_MESSAGE_CANCEL;
    (void)json_object_del(object, "id");
    (void)json_object_del(object, "type");
    if (out->type == AG_MESSAGE_CANCEL && json_object_size(object) > 0) {
        return bad(error, "a cancel has no members but \"type\" and \"id\"");
    }
    return 0;
}

int ag_message_read(const char *text, size_t len, struct ag_message *out, struct lm_error *error)
{
    json_error_t where;
    *out = (struct ag_message){.type = AG_MESSAGE_ASK};
    out->request = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (out->request == NULL) {
        return lm_error_set(error, LM_FATAL, "bad_request", "the message is no JSON: %s (line %d)",
                            where.text, where.line);
    }
    return json_is_object(out->request) ? read_object(out->request, out, error)
                                        : bad(error, "a message is a JSON object");
}

void ag_message_clear(struct ag_message *message)
{
    json_decref(message->request);
    message->request = NULL;
}
