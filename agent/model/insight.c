#include "agent/model/insight.h"

#include "common/buffer.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* The members of an answer as an object. */
static json_t *parse(const struct ag_result *result)
{
    struct lm_buffer text;
    lm_buffer_init(&text, AG_INSIGHT_BYTES + 2);
    lm_buffer_append_char(&text, '{');
    lm_buffer_append(&text, result->body, result->len);
    lm_buffer_append_char(&text, '}');
    json_t *answer = text.failed ? NULL : json_loadb(text.data, text.len, 0, NULL);
    lm_buffer_free(&text);
    return answer;
}

char *ag_insight_prompt(const struct ag_result *result, const char *question, size_t question_len,
                        enum ag_language language)
{
    json_t *answer = parse(result);
    json_t *rows = json_array();
    const json_t *results = json_object_get(answer, "results");
    for (size_t i = 0; i < json_array_size(results) && i < AG_INSIGHT_ROWS; i++) {
        (void)json_array_append(rows, json_array_get(results, i));
    }
    json_t *message = answer == NULL
                          ? NULL
                          : json_pack("{s:s%, s:s, s:O, s:O, s:O}", "question", question, question_len,
                                      "language", language == AG_KO ? "Korean" : "English", "columns",
                                      json_object_get(answer, "columns"), "results", rows, "said_already",
                                      json_object_get(answer, "insight"));
    char *text = message != NULL ? json_dumps(message, AG_JSON_FLAGS) : NULL;
    json_decref(message);
    json_decref(rows);
    json_decref(answer);
    return text;
}

/* ---- what fits ---- */

static bool is_digit(const char *c, const char *end)
{
    return c < end && isdigit((unsigned char)*c);
}

/* A comma that groups thousands. */
static bool is_grouping(const char *c, const char *end)
{
    return *c == ',' && is_digit(c + 1, end) && is_digit(c + 2, end) && is_digit(c + 3, end) &&
           !is_digit(c + 4, end);
}

/* Reads a number at `at`: digits, commas between thousands, one point. Its length; 0 where there is none. */
static size_t read_number(const char *at, const char *end, double *out)
{
    char plain[40];
    size_t len = 0;
    const char *c = at;
    bool point = false;
    for (; c < end && len + 1 < sizeof(plain); c++) {
        if (is_digit(c, end) || (*c == '.' && !point && len > 0 && is_digit(c + 1, end))) {
            point = point || *c == '.';
            plain[len++] = *c;
        } else if (len == 0 || point || !is_grouping(c, end)) {
            break;
        }
    }
    plain[len] = '\0';
    *out = strtod(plain, NULL);
    return len > 0 ? (size_t)(c - at) : 0;
}

static bool text_has(const char *text, double number)
{
    const char *end = text + strlen(text);
    while (text < end) {
        double found = 0;
        const size_t len = read_number(text, end, &found);
        if (len > 0 && found == number) {
            return true;
        }
        text += len > 0 ? len : 1;
    }
    return false;
}

/* Signs are not looked at: "a drop of 5" is of -5. */
static bool has_number(const json_t *value, double number)
{
    const char *key = NULL;
    json_t *inner = NULL;
    size_t i = 0;
    if (json_is_number(value)) {
        return fabs(json_number_value(value)) == number;
    }
    if (json_is_string(value)) {
        return text_has(json_string_value(value), number);
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        if (has_number(inner, number)) {
            return true;
        }
    }
    json_array_foreach(value, i, inner)
    {
        if (has_number(inner, number)) {
            return true;
        }
    }
    return false;
}

static bool has_text(const json_t *value, const char *text, size_t len)
{
    const char *key = NULL;
    json_t *inner = NULL;
    size_t i = 0;
    if (json_is_string(value)) {
        return memmem(json_string_value(value), json_string_length(value), text, len) != NULL;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        if (has_text(inner, text, len)) {
            return true;
        }
    }
    json_array_foreach(value, i, inner)
    {
        if (has_text(inner, text, len)) {
            return true;
        }
    }
    return false;
}

/* No brackets, fences, addresses; no digits but ASCII's; nothing that cannot be seen. */
static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t cp = 0;
        const utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &cp);
        if (size <= 0 || (cp < 0x80 && strchr("<>[]{}`|\\@", cp) != NULL)) {
            return false;
        }
        const utf8proc_category_t category = utf8proc_category(cp);
        if (category >= UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_CN ||
            (cp >= 0x80 && (category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
                            category == UTF8PROC_CATEGORY_NO))) {
            return false;
        }
        i += (size_t)size;
    }
    return true;
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* A dot or slash inside a word may make a link of it. */
static bool may_link(const char *word, size_t len)
{
    if (memmem(word, len, "//", 2) != NULL || (len >= 4 && strncasecmp(word, "www.", 4) == 0)) {
        return true;
    }
    for (size_t i = 1; i + 1 < len; i++) {
        if ((word[i] == '.' || word[i] == '/') && is_word_byte(word[i - 1]) && is_word_byte(word[i + 1]) &&
            !(isdigit((unsigned char)word[i - 1]) && isdigit((unsigned char)word[i + 1]))) {
            return true;
        }
    }
    return false;
}

static bool words_fit(const char *text, size_t len, const json_t *results)
{
    const char *end = text + len;
    while (text < end) {
        const char *stop = text;
        while (stop < end && *stop != ' ') {
            stop++;
        }
        const char *from = text;
        const char *to = stop;
        while (to > from && ispunct((unsigned char)to[-1])) {
            to--;
        }
        while (from < to && ispunct((unsigned char)*from) && *from != '/') {
            from++;
        }
        if (may_link(from, (size_t)(to - from)) && (memmem(from, (size_t)(to - from), "//", 2) != NULL ||
                                                    !has_text(results, from, (size_t)(to - from)))) {
            return false;
        }
        text = stop + 1;
    }
    return true;
}

bool ag_insight_fits(const char *text, size_t len, const json_t *results)
{
    if (len == 0 || len > AG_INSIGHT_LONGEST || !is_plain(text, len) || !words_fit(text, len, results)) {
        return false;
    }
    for (size_t i = 0; i < len;) {
        double number = 0;
        const size_t size = read_number(text + i, text + len, &number);
        if (size > 0 && !has_number(results, number)) {
            return false;
        }
        i += size > 0 ? size : 1;
    }
    return true;
}

/* ---- adding it ---- */

/* The body with another insight; NULL without memory. */
static char *with_insight(const struct ag_result *result, const char *insight, size_t insight_len,
                          size_t *len)
{
    const size_t behind = result->insight_at + result->insight_len;
    struct lm_buffer body;
    lm_buffer_init(&body, AG_INSIGHT_BYTES * 2);
    lm_buffer_append(&body, result->body, result->insight_at);
    lm_buffer_append(&body, insight, insight_len);
    lm_buffer_append(&body, result->body + behind, result->len - behind);
    return lm_buffer_detach(&body, len);
}

bool ag_insight_add(struct ag_result *result, enum ag_language language, const char *text, size_t len)
{
    json_t *answer = parse(result);
    const char *said = json_string_value(json_object_get(answer, "insight"));
    bool added = false;
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    if (said != NULL && ag_insight_fits(text, len, json_object_get(answer, "results"))) {
        struct lm_buffer plain;
        struct lm_buffer insight;
        lm_buffer_init(&plain, AG_INSIGHT_BYTES);
        lm_buffer_init(&insight, AG_INSIGHT_BYTES);
        lm_buffer_printf(&plain, "%s\n%s", said, language == AG_KO ? "모델: " : "Model: ");
        lm_buffer_append(&plain, text, len);
        lm_buffer_append_json(&insight, plain.data, plain.failed ? 0 : plain.len);
        size_t body_len = 0;
        char *body = plain.failed || insight.failed
                         ? NULL
                         : with_insight(result, insight.data, insight.len, &body_len);
        if (body != NULL) {
            free(result->body);
            result->body = body;
            result->len = body_len;
            result->insight_len = insight.len;
            added = true;
        }
        lm_buffer_free(&plain);
        lm_buffer_free(&insight);
    }
    json_decref(answer);
    return added;
}
