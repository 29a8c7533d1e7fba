/*
 * The data of server-sent events as they come in, byte by byte if need be (HTML Living Standard, 9.2.6: lines
 * end in CR, LF or both, several `data` lines of an event are joined by LF, an event ends at an empty line).
 * The names of events are not kept: the protocols read here say what an event is in its data, and proxies
 * lose the names. What a stream ends with before an empty line is no event. Bounded.
 */
#ifndef LOGMILL_COMMON_HTTP_EVENT_STREAM_H
#define LOGMILL_COMMON_HTTP_EVENT_STREAM_H

#include "common/buffer.h"

struct lm_event_stream {
    struct lm_buffer line;
    struct lm_buffer data;
    bool has_data; /* of the event that is coming in */
    bool after_cr;
    bool begun;
};

/* `max`: bytes of a line, and of an event's data. */
void lm_event_stream_init(struct lm_event_stream *stream, size_t max);
void lm_event_stream_free(struct lm_event_stream *stream);
/* Calls `event` with the data of each event that is whole now, NUL-terminated. False when a line or an event
 * is longer than allowed, there is no memory, or `event` said false: then nothing more may be fed. */
bool lm_event_stream_feed(struct lm_event_stream *stream, const char *bytes, size_t len,
                          bool (*event)(const char *data, size_t len, void *context),
                          void *context) LM_MUST_CHECK;

#endif
