#include "producer/gateway/split.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end, bool commas)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n' || *at == '\x1e' ||
                        (commas && *at == ','))) {
        at++;
    }
    return at;
}

/* Behind the string that starts at `at` (a quote), or NULL where it does not end. `over_lines`: a line end
 * within it is its own fault, not its end. */
static const char *string_end(const char *at, const char *end, bool over_lines)
{
    for (at++; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            return at + 1;
        } else if (*at == '\n' && !over_lines) {
            return NULL;
        }
    }
    return NULL;
}

/* Behind the object or array that starts at `at`, or NULL where its brackets do not match before `end`;
 * `open` then says whether they stay open to `end`. */
static const char *container_end(const char *at, const char *end, bool over_lines, bool *open)
{
    size_t depth = 0;

    *open = true;
    while (at < end) {
        switch (*at) {
        case '"':
            at = string_end(at, end, over_lines);
            if (!at) {
                *open = over_lines;
                return NULL;
            }
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0) {
                return at + 1;
            }
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    return newline ? newline : end;
}

/* Behind a value that is no container: at a comma, a closing bracket, a line end. */
static const char *scalar_end(const char *at, const char *end)
{
    if (*at == '"') {
        const char *behind = string_end(at, end, false);
        return behind ? behind : line_end(at, end);
    }
    while (at < end && *at != ',' && *at != ']' && *at != '}' && *at != '\n') {
        at++;
    }
    return at;
}

static const char *value_end(const char *at, const char *end, bool over_lines, bool *open)
{
    return *at == '{' || *at == '[' ? container_end(at, end, over_lines, open) : scalar_end(at, end);
}

/* From the object's opening bracket to the array under "logs"; NULL where there is none. */
static const char *find_logs(const char *at, const char *end)
{
    bool open;

    at = skip_space(at + 1, end, true);
    while (at < end && *at == '"') {
        const char *key = at, *behind = string_end(at, end, true);
        size_t key_len;

        if (!behind) {
            return NULL;
        }
        key_len = (size_t)(behind - key);
        at = skip_space(behind, end, false);
        if (at == end || *at != ':') {
            return NULL;
        }
        at = skip_space(at + 1, end, false);
        if (at == end) {
            return NULL;
        }
        if (key_len == sizeof("\"logs\"") - 1 && memcmp(key, "\"logs\"", key_len) == 0) {
            return *at == '[' ? at : NULL;
        }
        at = value_end(at, end, true, &open);
        if (!at) {
            return NULL;
        }
        at = skip_space(at, end, true);
    }
    return NULL;
}

int gw_split_open(struct gw_split *split, enum gw_form form, const char *body, size_t len,
                  struct lm_error *error)
{
    const char *end = body + len, *at;

    if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0) {
        body += 3; /* a byte order mark, as some collectors send it */
    }
    at = skip_space(body, end, false);
    *split = (struct gw_split){.at = at, .end = end};
    if (at == end) {
        return lm_error_set(error, LM_DEAD_LETTER, "body", "the body is empty: send a JSON object");
    }
    if (form == GW_ONE) {
        if (*at != '{') {
            return lm_error_set(error, LM_DEAD_LETTER, "body", "the body is no JSON object");
        }
        return 0;
    }
    if (form == GW_LOGS && *at == '{') {
        at = find_logs(at, end);
        if (!at) {
            return lm_error_set(error, LM_DEAD_LETTER, "body",
                                "the body has no array under \"logs\": send {\"logs\": [{…}, …]}");
        }
    } else if (form == GW_LOGS && *at != '[') {
        return lm_error_set(error, LM_DEAD_LETTER, "body",
                            "the body is neither {\"logs\": […]} nor an array");
    } else if (*at != '[' && !memchr(at, '{', (size_t)(end - at))) {
        return lm_error_set(error, LM_DEAD_LETTER, "body",
                            "the body is neither a JSON array nor JSON objects, one after another");
    }
    split->in_array = *at == '[';
    split->at = split->in_array ? at + 1 : at;
    return 0;
}

int gw_split_next(struct gw_split *split, struct lm_slice *record)
{
    const char *start, *behind;
    bool open = false;

    if (split->ended) {
        return 0;
    }
    start = skip_space(split->at, split->end, true);
    if (start == split->end || (split->in_array && *start == ']')) {
        split->ended = true;
        return 0;
    }
    behind =
        value_end(start, split->one_line ? line_end(start, split->end) : split->end, split->in_array, &open);
    if (!behind) {
        /* An open bracket or quote: the record ends with its line, the rest may be whole. */
        split->one_line = split->one_line || open;
        behind = line_end(start, split->end);
    } else if (behind == start) {
        behind = start + 1; /* a stray closing bracket */
    }
    *record = (struct lm_slice){start, (size_t)(behind - start)};
    split->at = behind;
    return 1;
}
