#include "agent/model/sse.h"

#include <string.h>

void ag_sse_init(struct ag_sse *sse, size_t max)
{
    *sse = (struct ag_sse){.has_data = false};
    lm_buffer_init(&sse->line, max);
    lm_buffer_init(&sse->data, max);
}

void ag_sse_free(struct ag_sse *sse)
{
    lm_buffer_free(&sse->line);
    lm_buffer_free(&sse->data);
}

/* "data: text", "data:text", "data"; anything else (event, id, retry, a comment) says nothing here. */
static void take_field(struct ag_sse *sse)
{
    static const char name[] = "data";
    const char *line = sse->line.data;
    size_t len = sse->line.len;
    const size_t skip = sizeof(name) - 1;

    if (len < skip || memcmp(line, name, skip) != 0 || (len > skip && line[skip] != ':')) {
        return;
    }
    line += skip;
    len -= skip;
    if (len > 0) {
        const size_t prefix = len > 1 && line[1] == ' ' ? 2 : 1;
        line += prefix;
        len -= prefix;
    }
    if (sse->has_data) {
        lm_buffer_append_char(&sse->data, '\n');
    }
    lm_buffer_append(&sse->data, line, len);
    sse->has_data = true;
}

/* The line is whole. */
static bool end_line(struct ag_sse *sse, bool (*event)(const char *, size_t, void *), void *context)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool more = true;

    if (!sse->begun && sse->line.len >= 3 && memcmp(sse->line.data, mark, 3) == 0) {
        sse->line.len -= 3;
        memmove(sse->line.data, sse->line.data + 3, sse->line.len);
    }
    sse->begun = true;
    if (sse->line.len > 0) {
        take_field(sse);
    } else if (sse->has_data) {
        const char *data = lm_buffer_text(&sse->data);
        more = data != NULL && event(data, sse->data.len, context);
        lm_buffer_clear(&sse->data);
        sse->has_data = false;
    }
    lm_buffer_clear(&sse->line);
    return more && !sse->data.failed;
}

bool ag_sse_feed(struct ag_sse *sse, const char *bytes, size_t len,
                 bool (*event)(const char *data, size_t len, void *context), void *context)
{
    const char *end = bytes + len;

    while (bytes < end) {
        if (sse->after_cr && *bytes == '\n') {
            bytes++;
            sse->after_cr = false;
            continue;
        }
        sse->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r') {
            stop++;
        }
        lm_buffer_append(&sse->line, bytes, (size_t)(stop - bytes));
        if (sse->line.failed) {
            return false;
        }
        if (stop == end) {
            return true;
        }
        sse->after_cr = *stop == '\r';
        bytes = stop + 1;
        if (!end_line(sse, event, context)) {
            return false;
        }
    }
    return true;
}
