#include "ctl/ask/ask_show.h"

#include "ctl/ask/picture.h"

#include <stdlib.h>
#include <string.h>

/* Text of the agent's, its line breaks kept. */
static void append_text(struct lm_buffer *out, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t left = json_string_length(value);

    while (text != NULL && left > 0) {
        const char *end = memchr(text, '\n', left);
        size_t len = end != NULL ? (size_t)(end - text) : left;
        ct_terminal_append_safe(out, text, len, SIZE_MAX);
        if (end != NULL)
            lm_buffer_append_char(out, '\n');
        len += end != NULL;
        text += len;
        left -= len;
    }
}

static bool has_text(const json_t *object, const char *key)
{
    return json_string_length(json_object_get(object, key)) > 0;
}

/* A line of one shade; nothing where there is no text. */
static void append_line(struct lm_buffer *out, const char *shade, const char *before, const json_t *text,
                        bool colour)
{
    if (json_string_length(text) == 0)
        return;
    lm_buffer_append_text(out, colour ? shade : "");
    lm_buffer_append_text(out, before);
    append_text(out, text);
    lm_buffer_append_text(out, colour ? "\033[0m\n" : "\n");
}

static void append_notes(struct lm_buffer *out, const char *shade, const char *before, const json_t *notes,
                         bool colour)
{
    size_t index;
    const json_t *note;

    json_array_foreach(notes, index, note)
        append_line(out, shade, before, json_object_get(note, "text"), colour);
}

static void append_reading(const json_t *json, bool colour, struct lm_buffer *out)
{
    append_line(out, "\033[2m", "", json_object_get(json, "interpretation"), colour);
    append_notes(out, "\033[2m", "assumed: ", json_object_get(json, "assumptions"), colour);
    append_notes(out, "\033[33m", "warning: ", json_object_get(json, "warnings"), colour);
}

int ct_answer_append(const json_t *answer, const struct ct_terminal *terminal, bool as_table,
                     struct lm_buffer *out)
{
    const bool colour = terminal->colour;
    const size_t rows = json_array_size(json_object_get(answer, "results"));

    append_line(out, "\033[1m", "", json_object_get(answer, "insight"), colour);
    if (rows > 0)
        lm_buffer_append_char(out, '\n');
    if (ct_picture_append(answer, terminal, as_table, out) != 0)
        return -1;
    if (rows > 0)
        lm_buffer_append_char(out, '\n');
    append_reading(answer, colour, out);
    lm_buffer_printf(out, "%s%zu row%s%s, %.1f ms%s%s\n", colour ? "\033[2m" : "", rows, rows == 1 ? "" : "s",
                     json_is_true(json_object_get(answer, "truncated")) ? " (there are more: --limit)" : "",
                     json_number_value(json_object_get(answer, "execution_time_ms")),
                     json_is_string(json_object_get(answer, "cached")) ? ", from the cache" : "",
                     colour ? "\033[0m" : "");
    return out->failed ? -1 : 0;
}

void ct_explanation_append(const json_t *explanation, const struct ct_terminal *terminal,
                           struct lm_buffer *out)
{
    append_reading(explanation, terminal->colour, out);
    append_line(out, "", "from: ", json_object_get(explanation, "from"), false);
    append_line(out, "", "to:   ", json_object_get(explanation, "to"), false);
}

void ct_sql_append(const json_t *answer, struct lm_buffer *out)
{
    append_line(out, "", "", json_object_get(answer, "sql"), false);
}

void ct_failure_append(const struct ct_agent_reply *reply, struct lm_buffer *out)
{
    const json_t *error = json_object_get(reply->json, "error");
    size_t index;
    const json_t *item;

    if (!has_text(error, "message")) {
        lm_buffer_printf(out, "the answer is none of an agent (HTTP status %d)\n", reply->status);
        return;
    }
    append_line(out, "", "", json_object_get(error, "message"), false);
    if (reply->status == 429 && reply->retry_after_s > 0)
        lm_buffer_printf(out, "Ask again in %ld s.\n", reply->retry_after_s);
    else
        append_line(out, "", "", json_object_get(error, "hint"), false);
    if (reply->status == 401)
        lm_buffer_append_text(out, "The key comes from LOGMILL_AGENT_KEY or --agent-key-file.\n");
    json_array_foreach(json_object_get(error, "suggestions"), index, item)
        append_line(out, "", "  · ", item, false);
    json_array_foreach(json_object_get(error, "choices"), index, item)
    {
        char number[32];
        snprintf(number, sizeof number, "  %zu. ", index + 1);
        append_line(out, "", number, json_object_get(item, has_text(item, "label") ? "label" : "question"),
                    false);
    }
}
