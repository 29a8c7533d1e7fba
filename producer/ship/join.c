#include "producer/ship/join.h"

#include "producer/ship/log4j.h"

#include <string.h>

void sh_join_init(struct sh_join *join, enum sh_format format, bool utc, size_t max_record)
{
    *join = (struct sh_join){.format = format, .utc = utc, .max_record = max_record};
    /* A line is at most max_record long, and is added only where the sum stays below it. */
    lm_buffer_init(&join->text, max_record + 1);
    lm_buffer_init(&join->given, max_record + 1);
}

void sh_join_free(struct sh_join *join)
{
    lm_buffer_free(&join->text);
    lm_buffer_free(&join->given);
}

static bool begins_with_time(const struct sh_join *join, struct lm_slice line)
{
    int64_t ignored;

    return sh_log4j_time(line.data, line.len, join->utc, &ignored) > 0;
}

static enum sh_format decide(const struct sh_join *join, struct lm_slice line)
{
    if (line.len > 0 && line.data[0] == '{') {
        return SH_JSON;
    }
    return begins_with_time(join, line) ? SH_LOG4J : SH_PLAIN;
}

static bool blank(struct lm_slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

void sh_join_settle(struct sh_join *join, const char *beginning, size_t len)
{
    const char *end = beginning + len;

    while (join->format == SH_AUTO && beginning < end) {
        const char *newline = memchr(beginning, '\n', (size_t)(end - beginning));
        struct lm_slice line = {beginning, (size_t)((newline ? newline : end) - beginning)};

        if (!blank(line)) {
            join->format = decide(join, line);
        }
        beginning += line.len + 1;
    }
}

/* Whether the line goes on with the record that waits. */
static bool continues(const struct sh_join *join, const struct sh_line *line)
{
    return join->open && join->format == SH_LOG4J && !line->piece_of_earlier &&
           join->text.len + 1 + line->text.len <= join->max_record && !begins_with_time(join, line->text);
}

static int begin(struct sh_join *join, const struct sh_line *line)
{
    lm_buffer_clear(&join->text);
    lm_buffer_append(&join->text, line->text.data, line->text.len);
    if (join->text.failed) {
        join->text.failed = false;
        return -1;
    }
    join->start = line->start;
    join->end = line->end;
    join->open = true;
    return 0;
}

static void give(struct sh_join *join, struct sh_entry *out)
{
    struct lm_buffer swap = join->given;

    join->given = join->text;
    join->text = swap;
    join->open = false;
    *out = (struct sh_entry){.text = {join->given.data, join->given.len},
                             .format = join->format == SH_AUTO ? SH_PLAIN : join->format,
                             .start = join->start,
                             .end = join->end};
}

int sh_join_line(struct sh_join *join, const struct sh_line *line, struct sh_entry *out)
{
    int given = 0;

    if (blank(line->text) && !join->open) {
        return 0; /* nothing to say and nothing to continue */
    }
    if (join->format == SH_AUTO && !blank(line->text)) {
        join->format = decide(join, line->text);
    }
    if (continues(join, line)) {
        if (lm_buffer_reserve(&join->text, line->text.len + 1) != 0) {
            join->text.failed = false;
            return -1;
        }
        lm_buffer_append_char(&join->text, '\n');
        lm_buffer_append(&join->text, line->text.data, line->text.len);
        join->end = line->end;
        return 0;
    }
    /* Room for the new record first: after giving the old one away, failing would lose it. */
    lm_buffer_clear(&join->given);
    if (join->open && lm_buffer_reserve(&join->given, line->text.len) != 0) {
        join->given.failed = false;
        return -1;
    }
    if (join->open) {
        give(join, out);
        given = 1;
    }
    if (blank(line->text)) {
        return given;
    }
    if (begin(join, line) != 0) {
        return -1;
    }
    if (!given && join->format != SH_LOG4J) {
        give(join, out); /* nothing can follow it */
        given = 1;
    }
    return given;
}

int sh_join_flush(struct sh_join *join, struct sh_entry *out)
{
    if (!join->open) {
        return 0;
    }
    give(join, out);
    return 1;
}
