/*
 * Replies whose body comes piece by piece. What is written waits in a bounded buffer until libmicrohttpd asks
 * for it; a connection with nothing to send is suspended and its socket watched, as while a handler thinks.
 *
 * The daemon notices by itself when a client that still has bytes to get goes away or reads nothing for the
 * idle time-out; http_on_completed then tells the owner.
 */
#include "common/http/http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define BLOCK_SIZE ((size_t)16 << 10)
#define KEEP_MEMORY ((size_t)64 << 10)

void http_stream_free(struct http_stream *stream)
{
    if (stream == NULL)
        return;
    lm_buffer_free(&stream->unsent);
    free(stream);
}

static size_t unsent(const struct http_stream *stream)
{
    return stream->unsent.len - stream->sent;
}

static size_t take(struct http_stream *stream, char *out, size_t max)
{
    struct lm_buffer *buffer = &stream->unsent;
    const size_t n = unsent(stream) < max ? unsent(stream) : max;
    memcpy(out, buffer->data + stream->sent, n);
    stream->sent += n;
    if (stream->sent == buffer->len) {
        stream->sent = 0;
        lm_buffer_clear(buffer);
        if (buffer->cap > KEEP_MEMORY)
            lm_buffer_free(buffer);
    }
    return n;
}

/* The daemon wants up to `max` bytes. Inside MHD_run. */
static ssize_t on_wanted(void *context, uint64_t position, char *out, size_t max)
{
    struct lm_http_request *request = context;
    struct http_stream *stream = request->stream;
    (void)position;
    /* A server that ends must not find the connection suspended. */
    if (request->state == HTTP_GONE || stream->broken || request->server->ending)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (unsent(stream) == 0) {
        if (!request->handed_out)
            return MHD_CONTENT_READER_END_OF_STREAM;
        http_request_suspend(request);
        return 0;
    }
    const size_t n = take(stream, out, max);
    if (stream->full && unsent(stream) <= stream->full_at / 2) {
        stream->full = false;
        if (request->handed_out && stream->drained != NULL)
            stream->drained(request, stream->drained_context);
    }
    return (ssize_t)n;
}

int lm_http_stream_open(struct lm_http_request *request, const struct lm_http_stream *public)
{
    if (request->state != HTTP_HANDLING)
        return request->state == HTTP_GONE ? 0 : -1; /* to one that has gone, writes answer -1 */
    struct http_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return -1;
    lm_buffer_init(&stream->unsent, public->max_unsent);
    stream->full_at = public->full_at != 0 ? public->full_at : public->max_unsent / 2;
    stream->drained = public->drained;
    stream->drained_context = public->context;
    request->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, on_wanted, request, NULL);
    if (request->response == NULL) {
        free(stream);
        return -1;
    }
    /* The library ends even the empty body of an answer to HEAD with a last chunk, which the next request on
     * the connection would be answered with: chunks are for HTTP/1.1 only. */
    if (strcmp(request->method, "HEAD") == 0)
        (void)MHD_set_response_options(request->response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
    request->stream = stream;
    request->status = public->status;
    http_reply_queue(request, public->content_type);
    return 0;
}

size_t lm_http_stream_unsent(const struct lm_http_request *request)
{
    return request->stream != NULL ? unsent(request->stream) : 0;
}

int lm_http_stream_write(struct lm_http_request *request, const char *data, size_t len)
{
    struct http_stream *stream = request->stream;
    if (stream == NULL || request->state == HTTP_GONE || len > stream->unsent.max - unsent(stream))
        return -1;
    struct lm_buffer *buffer = &stream->unsent;
    if (stream->sent > 0 && (stream->sent >= buffer->len / 2 || len > buffer->max - buffer->len)) {
        memmove(buffer->data, buffer->data + stream->sent, unsent(stream));
        buffer->len -= stream->sent;
        stream->sent = 0;
    }
    if (lm_buffer_reserve(buffer, len) != 0) {
        buffer->failed = false; /* what it holds is whole: the next piece may be smaller */
        return -1;
    }
    lm_buffer_append(buffer, data, len);
    http_request_resume(request);
    stream->full = stream->full || unsent(stream) >= stream->full_at;
    return stream->full ? 1 : 0;
}

void lm_http_stream_end(struct lm_http_request *request, bool complete)
{
    request->handed_out = false;
    if (request->connection == NULL) { /* nobody waits any more */
        http_request_free(request);
        return;
    }
    if (request->stream != NULL)
        request->stream->broken = !complete;
    http_request_resume(request);
}
