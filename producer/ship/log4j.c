#include "producer/ship/log4j.h"

#include "common/clock.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

static bool digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return true;
}

/* "2016-12-19 16:04:03" or with a T: 19 characters. */
static bool is_date_time(const char *text, size_t len)
{
    return len >= 19 && digits(text, 4) && text[4] == '-' && digits(text + 5, 2) && text[7] == '-' &&
           digits(text + 8, 2) && (text[10] == ' ' || text[10] == 'T') && digits(text + 11, 2) &&
           text[13] == ':' && digits(text + 14, 2) && text[16] == ':' && digits(text + 17, 2);
}

/* Characters of an offset at `text`: "Z", "+09:00", "+0900", "+09"; 0 for none. */
static size_t offset_len(const char *text, size_t len)
{
    if (len >= 1 && text[0] == 'Z') {
        return 1;
    }
    if (len >= 3 && (text[0] == '+' || text[0] == '-') && digits(text + 1, 2)) {
        if (len >= 6 && text[3] == ':' && digits(text + 4, 2)) {
            return 6;
        }
        return len >= 5 && digits(text + 3, 2) ? 5 : 3;
    }
    return 0;
}

/* What the process's zone calls that instant when the wall clock showed `us` (read as UTC). */
static int64_t from_local(int64_t us)
{
    time_t seconds = (time_t)(us / LM_SECOND_US), local;
    struct tm parts;

    if (us < 0 || !gmtime_r(&seconds, &parts)) {
        return us;
    }
    parts.tm_isdst = -1;
    local = mktime(&parts);
    return local == (time_t)-1 ? us : (int64_t)local * LM_SECOND_US + us % LM_SECOND_US;
}

size_t sh_log4j_time(const char *line, size_t len, bool utc, int64_t *us)
{
    const char *time = line;
    size_t left = len, used = 19, fraction = 0, offset;
    bool bracket = len > 0 && line[0] == '[';

    if (bracket) {
        time++;
        left--;
    }
    if (!is_date_time(time, left)) {
        return 0;
    }
    if (left > used + 1 && (time[used] == ',' || time[used] == '.') &&
        isdigit((unsigned char)time[used + 1])) {
        for (fraction = 1; used + fraction < left && isdigit((unsigned char)time[used + fraction]);
             fraction++) {}
        used += fraction;
    }
    offset = offset_len(time + used, left - used);
    used += offset;
    if (lm_rfc3339_parse(time, used, us, NULL) != 0) {
        return 0;
    }
    if (offset == 0 && !utc) {
        *us = from_local(*us);
    }
    if (bracket) {
        if (used >= left || time[used] != ']') {
            return 0;
        }
        used += 2;
    }
    return used;
}

/* The next word or [bracketed part] from *at; moves *at behind it. */
static struct lm_slice next_token(const char **at, const char *end)
{
    const char *start;

    while (*at < end && (**at == ' ' || **at == '\t')) {
        (*at)++;
    }
    start = *at;
    if (start < end && *start == '[') {
        const char *close = memchr(start, ']', (size_t)(end - start));
        if (close) {
            *at = close + 1;
            return (struct lm_slice){start, (size_t)(close + 1 - start)};
        }
    }
    while (*at < end && **at != ' ' && **at != '\t') {
        (*at)++;
    }
    return (struct lm_slice){start, (size_t)(*at - start)};
}

static struct lm_slice unbracketed(struct lm_slice token)
{
    if (token.len >= 2 && token.data[0] == '[' && token.data[token.len - 1] == ']') {
        token.data++;
        token.len -= 2;
    }
    while (token.len > 0 && token.data[token.len - 1] == ' ') {
        token.len--;
    }
    while (token.len > 0 && *token.data == ' ') {
        token.data++;
        token.len--;
    }
    return token;
}

/* Letters, digits and . _ $ - #, with a letter first: what loggers are called. */
static bool is_logger(struct lm_slice token)
{
    if (token.len == 0 || !isalpha((unsigned char)token.data[0])) {
        return false;
    }
    for (size_t i = 0; i < token.len; i++) {
        if (!isalnum((unsigned char)token.data[i]) && !strchr("._$-#", token.data[i])) {
            return false;
        }
    }
    return true;
}

/* Behind the level: "logger - message" or "logger : message" (Spring writes "1 --- [thread] logger :
 * message"). */
static void read_logger(const char *at, const char *end, struct sh_log4j *out)
{
    const char *rest = at;
    struct lm_slice token = next_token(&rest, end), mark;

    if (digits(token.data, token.len) && token.len > 0) {
        token = next_token(&rest, end); /* a process id */
    }
    if (token.len == 3 && memcmp(token.data, "---", 3) == 0) {
        token = next_token(&rest, end);
    }
    if (token.len > 0 && token.data[0] == '[') {
        out->thread = unbracketed(token);
        token = next_token(&rest, end);
    }
    mark = next_token(&rest, end);
    if (is_logger(token) && mark.len == 1 && (*mark.data == '-' || *mark.data == ':')) {
        out->logger = token;
        while (rest < end && *rest == ' ') {
            rest++;
        }
        out->message = (struct lm_slice){rest, (size_t)(end - rest)};
    }
}

/* "… (kafka.log.Log)" at the line's end: log4j's %m (%c). */
static void read_trailing_logger(struct sh_log4j *out)
{
    const char *start = out->message.data, *end = start + out->message.len, *open = end;
    struct lm_slice name;

    if (out->message.len < 4 || end[-1] != ')') {
        return;
    }
    while (open > start && open[-1] != '(' && open[-1] != ' ') {
        open--;
    }
    if (open == start || open[-1] != '(') {
        return;
    }
    name = (struct lm_slice){open, (size_t)(end - 1 - open)};
    if (is_logger(name) && memchr(name.data, '.', name.len) && open - 1 > start && open[-2] == ' ') {
        out->logger = name;
        out->message.len = (size_t)(open - 2 - start);
    }
}

int sh_log4j_parse(const char *line, size_t len, bool utc, struct sh_log4j *out)
{
    const char *end = line + len, *at, *behind_time;
    size_t used;

    *out = (struct sh_log4j){0};
    used = sh_log4j_time(line, len, utc, &out->timestamp_us);
    if (used == 0) {
        return -1;
    }
    behind_time = at = line + used;
    /* The level is among the first words: before it stand at most a thread and a process id. */
    for (int words = 0; words < 4 && at < end; words++) {
        struct lm_slice token = next_token(&at, end), bare = unbracketed(token);

        if (bare.len > 0 && isupper((unsigned char)bare.data[0]) &&
            lm_level_parse(bare.data, bare.len, &out->level) == 0) {
            out->has_level = true;
            break;
        }
        if (token.len > 0 && token.data[0] == '[' && !out->thread.data) {
            out->thread = bare;
        }
    }
    if (!out->has_level) {
        out->thread = (struct lm_slice){0};
        at = behind_time;
    }
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    out->message = (struct lm_slice){at, (size_t)(end - at)};
    if (out->has_level) {
        read_logger(at, end, out);
    }
    if (!out->logger.data) {
        read_trailing_logger(out);
    }
    return 0;
}

static bool ends_with(struct lm_slice name, const char *suffix)
{
    size_t len = strlen(suffix);

    return name.len > len && memcmp(name.data + name.len - len, suffix, len) == 0;
}

struct lm_slice sh_log4j_exception(const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
        struct lm_slice name = {text, 0};

        while (text + name.len < stop && text[name.len] != ':' && text[name.len] != ' ') {
            name.len++;
        }
        if (is_logger(name) &&
            (ends_with(name, "Exception") || ends_with(name, "Error") || ends_with(name, "Throwable"))) {
            return name;
        }
        text = stop + 1;
    }
    return (struct lm_slice){0};
}
