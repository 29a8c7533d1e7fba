#include "ctl/event_stream.h"

#include <string.h>

void ct_event_stream_init(struct ct_event_stream *stream, size_t max,
                          void (*event)(const char *data, size_t len, void *context), void *context)
{
    *stream = (struct ct_event_stream){.event = event, .context = context};
    lm_buffer_init(&stream->line, max);
    lm_buffer_init(&stream->data, max);
}

void ct_event_stream_free(struct ct_event_stream *stream)
{
    lm_buffer_free(&stream->line);
    lm_buffer_free(&stream->data);
}

static void end_line(struct ct_event_stream *stream)
{
    static const char field[] = "data:";
    const char *line = stream->line.data;
    size_t len = stream->line.len, skip = sizeof field - 1;

    if (len == 0) { /* the event ends */
        if (stream->has_data)
            stream->event(stream->data.data != NULL ? stream->data.data : "", stream->data.len,
                          stream->context);
        lm_buffer_clear(&stream->data);
        stream->has_data = false;
    } else if (len >= skip && memcmp(line, field, skip) == 0) {
        if (stream->has_data)
            lm_buffer_append_char(&stream->data, '\n');
        skip += len > skip && line[skip] == ' ';
        lm_buffer_append(&stream->data, line + skip, len - skip);
        stream->has_data = true;
    }
    lm_buffer_clear(&stream->line);
}

/* Bytes before the next end of line. */
static size_t until_end(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && text[at] != '\n' && text[at] != '\r')
        at++;
    return at;
}

int ct_event_stream_read(struct ct_event_stream *stream, const char *text, size_t len)
{
    while (len > 0) {
        if (stream->after_cr && *text == '\n') {
            stream->after_cr = false;
            text++;
            len--;
            continue;
        }
        size_t part = until_end(text, len);
        lm_buffer_append(&stream->line, text, part);
        if (stream->line.failed)
            return -1;
        stream->after_cr = part < len && text[part] == '\r';
        if (part < len) {
            end_line(stream);
            part++;
        }
        if (stream->data.failed)
            return -1;
        text += part;
        len -= part;
    }
    return 0;
}
