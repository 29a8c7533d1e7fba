#include "common/http/event_stream.h"

#include <string.h>

void lm_event_stream_init(struct lm_event_stream *stream, size_t max)
{
    *stream = (struct lm_event_stream){.has_data = false};
    lm_buffer_init(&stream->line, max);
    lm_buffer_init(&stream->data, max);
}

void lm_event_stream_free(struct lm_event_stream *stream)
{
    lm_buffer_free(&stream->line);
    lm_buffer_free(&stream->data);
}

/* "data: text", "data:text", "data"; anything else (event, id, retry, a comment) says nothing here. */
static void take_field(struct lm_event_stream *stream)
{
    static const char name[] = "data";
    const char *line = stream->line.data;
    size_t len = stream->line.len;
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
    if (stream->has_data) {
        lm_buffer_append_char(&stream->data, '\n');
    }
    lm_buffer_append(&stream->data, line, len);
    stream->has_data = true;
}

/* The line is whole. */
static bool end_line(struct lm_event_stream *stream, bool (*event)(const char *, size_t, void *),
                     void *context)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool more = true;

    if (!stream->begun && stream->line.len >= 3 && memcmp(stream->line.data, mark, 3) == 0) {
        stream->line.len -= 3;
        memmove(stream->line.data, stream->line.data + 3, stream->line.len);
    }
    stream->begun = true;
    if (stream->line.len > 0) {
        take_field(stream);
    } else if (stream->has_data) {
        const char *data = lm_buffer_text(&stream->data);
        more = data != NULL && event(data, stream->data.len, context);
        lm_buffer_clear(&stream->data);
        stream->has_data = false;
    }
    lm_buffer_clear(&stream->line);
    return more && !stream->data.failed;
}

bool lm_event_stream_feed(struct lm_event_stream *stream, const char *bytes, size_t len,
                          bool (*event)(const char *data, size_t len, void *context), void *context)
{
    const char *end = bytes + len;

    while (bytes < end) {
        if (stream->after_cr && *bytes == '\n') {
            bytes++;
            stream->after_cr = false;
            continue;
        }
        stream->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r') {
            stop++;
        }
        lm_buffer_append(&stream->line, bytes, (size_t)(stop - bytes));
        if (stream->line.failed) {
            return false;
        }
        if (stop == end) {
            return true;
        }
        stream->after_cr = *stop == '\r';
        bytes = stop + 1;
        if (!end_line(stream, event, context)) {
            return false;
        }
    }
    return true;
}
