/*
 * Server-sent events (WHATWG HTML, section 9.2), as far as the agent sends them: the lines "data: …" of an
 * event, in whatever pieces they come. Other fields and comments are skipped.
 */
#ifndef LOGMILL_CTL_EVENT_STREAM_H
#define LOGMILL_CTL_EVENT_STREAM_H

#include "common/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct ct_event_stream {
    struct lm_buffer line, data;
    bool has_data;
    bool after_cr; /* a line feed that comes next belongs to the line before */
    /* The data of one event, without a NUL behind it. */
    void (*event)(const char *data, size_t len, void *context);
    void *context;
};

/* An event is at most `max` bytes. */
void ct_event_stream_init(struct ct_event_stream *stream, size_t max,
                          void (*event)(const char *data, size_t len, void *context), void *context);
/* Calls `event` for each that is complete. 0, or -1: one is too long, or no memory is left. */
int ct_event_stream_read(struct ct_event_stream *stream, const char *text, size_t len) LM_MUST_CHECK;
void ct_event_stream_free(struct ct_event_stream *stream);

#endif
