/*
 * What a request is answered with: headers, a body in one piece, compressed where that pays and the client
 * takes it, errors in the one form that all servers use.
 */
#include "common/http/http_internal.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define PACKED_FROM 1024

void lm_http_reply_header(struct lm_http_request *request, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    struct http_reply_header *header = malloc(sizeof(*header) + name_size + value_size);
    if (header == NULL)
        return;
    memcpy(header->name, name, name_size);
    header->value = memcpy(header->name + name_size, value, value_size);
    header->next = request->headers;
    request->headers = header;
}

/* Does the client take this coding, with a quality other than 0? `alias` is another name of it, or "*". */
static bool accepts(const struct lm_http_request *request, const char *coding, const char *alias)
{
    const char *p = lm_http_header(request, "Accept-Encoding");
    while (p != NULL && *p != '\0') {
        p += strspn(p, " \t,");
        size_t name = strcspn(p, " \t,;");
        size_t len = strcspn(p, ",");
        if ((name == strlen(coding) && strncasecmp(p, coding, name) == 0) ||
            (name == strlen(alias) && strncasecmp(p, alias, name) == 0)) {
            const char *quality = memchr(p, '=', len);
            return quality == NULL || strspn(quality + 1, "0. \t") < (size_t)(p + len - quality - 1);
        }
        p += len;
    }
    return false;
}

static bool has_header(const struct lm_http_request *request, const char *name)
{
    for (const struct http_reply_header *header = request->headers; header != NULL; header = header->next) {
        if (strcasecmp(header->name, name) == 0)
            return true;
    }
    return false;
}

/* The compressed body in memory of its own, or NULL where that fails or gains nothing. At the fastest level:
 * this runs on the loop. */
static char *compress_zstd(const char *body, size_t len, size_t *out_len)
{
    size_t bound = ZSTD_compressBound(len);
    char *out = ZSTD_isError(bound) ? NULL : malloc(bound);
    *out_len = out != NULL ? ZSTD_compress(out, bound, body, len, 1) : 0;
    if (out != NULL && !ZSTD_isError(*out_len) && *out_len < len)
        return out;
    free(out);
    return NULL;
}

/* The same. */
static char *compress_gzip(const char *body, size_t len, size_t *out_len)
{
    z_stream stream = {0};
    /* 15 + 16 asks for gzip's frame. */
    if (len > UINT32_MAX / 2 ||
        deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong bound = deflateBound(&stream, (uLong)len);
    unsigned char *out = malloc(bound);
    int result = Z_MEM_ERROR;
    if (out != NULL) {
        stream.next_in = (unsigned char *)(uintptr_t)body; /* only read */
        stream.avail_in = (uInt)len;
        stream.next_out = out;
        stream.avail_out = (uInt)bound;
        result = deflate(&stream, Z_FINISH);
    }
    *out_len = stream.total_out;
    deflateEnd(&stream);
    if (result == Z_STREAM_END && *out_len < len)
        return (char *)out;
    free(out);
    return NULL;
}

/* The coding and the body in it, or NULL: as it is. */
static char *compress_body(const struct lm_http_request *request, const char *body, size_t len,
                           size_t *out_len, const char **coding)
{
    *coding = "zstd";
    char *packed = accepts(request, *coding, *coding) ? compress_zstd(body, len, out_len) : NULL;
    if (packed == NULL) {
        *coding = "gzip";
        const bool wanted = accepts(request, *coding, "x-gzip") || accepts(request, "*", "*");
        packed = wanted ? compress_gzip(body, len, out_len) : NULL;
    }
    return packed;
}

static struct MHD_Response *make_response(struct lm_http_request *request, const char *body, size_t len)
{
    if (len > PACKED_FROM && !has_header(request, "Content-Encoding")) {
        lm_http_reply_header(request, "Vary", "Accept-Encoding");
        size_t packed_len = 0;
        const char *coding = NULL;
        char *packed = compress_body(request, body, len, &packed_len, &coding);
        if (packed != NULL) {
            struct MHD_Response *response =
                MHD_create_response_from_buffer(packed_len, packed, MHD_RESPMEM_MUST_FREE);
            if (response != NULL)
                lm_http_reply_header(request, "Content-Encoding", coding);
            else
                free(packed);
            return response;
        }
    }
    return MHD_create_response_from_buffer(len, len > 0 ? (void *)(uintptr_t)body : (void *)(uintptr_t) "",
                                           MHD_RESPMEM_MUST_COPY);
}

static void add_headers(struct lm_http_request *request, const char *content_type)
{
    if (content_type != NULL &&
        MHD_add_response_header(request->response, "Content-Type", content_type) != MHD_YES)
        lm_log(LM_LOG_WARN, "http", "a reply's content type was refused");
    for (const struct http_reply_header *header = request->headers; header != NULL; header = header->next) {
        /* Line breaks and empty values are refused by the library. */
        if (MHD_add_response_header(request->response, header->name, header->value) != MHD_YES)
            lm_log(LM_LOG_WARN, "http", "the reply header %s was refused: its value cannot be sent",
                   header->name);
    }
    if (request->server->closing && !has_header(request, "Connection"))
        (void)MHD_add_response_header(request->response, "Connection", "close");
}

void http_reply_queue(struct lm_http_request *request, const char *content_type)
{
    if (!http_request_change_state(request, HTTP_REPLIED))
        return;
    if (request->response != NULL)
        add_headers(request, content_type);
    http_request_resume(request); /* without a response the daemon is told to hang up */
}

void lm_http_reply(struct lm_http_request *request, unsigned status, const char *content_type,
                   const char *body, size_t len)
{
    request->handed_out = false;
    if (request->connection == NULL) { /* nobody waits any more */
        http_request_free(request);
        return;
    }
    if (request->state != HTTP_READING && request->state != HTTP_HANDLING)
        return;
    request->status = status;
    request->response = make_response(request, body, len);
    http_reply_queue(request, content_type);
}

void http_error_body(struct lm_buffer *out, const char *code, const char *message)
{
    lm_buffer_append_text(out, "{\"error\":{\"code\":");
    lm_buffer_append_json(out, code, strlen(code));
    lm_buffer_append_text(out, ",\"message\":");
    lm_buffer_append_json(out, message, strlen(message));
    lm_buffer_append_text(out, ",\"hint\":\"\",\"suggestions\":[]}}\n");
}

void lm_http_reply_error(struct lm_http_request *request, unsigned status, const char *code,
                         const char *message)
{
    struct lm_buffer body;
    lm_buffer_init(&body, 65536);
    http_error_body(&body, code, message);
    lm_http_reply(request, status, "application/json", body.failed ? NULL : body.data,
                  body.failed ? 0 : body.len);
    lm_buffer_free(&body);
}
