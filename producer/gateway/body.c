#include "producer/gateway/body.h"

#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK ((size_t)64 << 10)
#define ZSTD_WINDOW_LOG 23 /* 8 MiB, what RFC 9659 allows for HTTP */

/* gzip members one after another count as one body, as RFC 9110 8.4.1.3 has it. `window` as inflateInit2
 * takes it. */
static enum gw_body_result inflate_all(int window, const char *body, size_t len, struct lm_buffer *out)
{
    z_stream stream = {0};
    enum gw_body_result result = GW_BODY_BROKEN;
    int status = Z_OK;

    if (inflateInit2(&stream, window) != Z_OK) {
        return GW_BODY_NO_MEMORY;
    }
    stream.next_in = (Bytef *)(uintptr_t)body;
    stream.avail_in = (uInt)len;
    for (;;) {
        size_t room = out->max - out->len < CHUNK ? out->max - out->len : CHUNK;

        if (room == 0) {
            /* At the ceiling: fine only if nothing more would come. */
            Bytef one;
            stream.next_out = &one;
            stream.avail_out = 1;
            status = inflate(&stream, Z_NO_FLUSH);
            result = stream.avail_out == 0 || stream.avail_in > 0 ? GW_BODY_TOO_LARGE
                     : status == Z_STREAM_END                     ? GW_BODY_OK
                                                                  : GW_BODY_BROKEN;
            break;
        }
        if (lm_buffer_reserve(out, room) != 0) {
            result = GW_BODY_NO_MEMORY;
            break;
        }
        stream.next_out = (Bytef *)out->data + out->len;
        stream.avail_out = (uInt)room;
        status = inflate(&stream, Z_NO_FLUSH);
        out->len += room - stream.avail_out;
        if (status == Z_STREAM_END) {
            if (stream.avail_in == 0) {
                result = GW_BODY_OK;
                break;
            }
            if (inflateReset(&stream) != Z_OK) {
                break;
            }
        } else if (status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
            break; /* damaged, or cut short */
        }
    }
    inflateEnd(&stream);
    return result;
}

/* zstd frames one after another, as RFC 8878 has it. A frame asks for at most ZSTD_WINDOW_LOG's memory. */
static enum gw_body_result inflate_zstd(const char *body, size_t len, struct lm_buffer *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {body, len, 0};
    enum gw_body_result result = GW_BODY_BROKEN;
    size_t left = 1; /* 0: a frame has ended */

    if (!stream || ZSTD_isError(ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
        ZSTD_freeDStream(stream);
        return GW_BODY_NO_MEMORY;
    }
    for (;;) {
        size_t room = out->max - out->len < CHUNK ? out->max - out->len : CHUNK;
        char beyond;
        ZSTD_outBuffer piece = {&beyond, 1, 0};

        if (room > 0) {
            if (lm_buffer_reserve(out, room) != 0) {
                result = GW_BODY_NO_MEMORY;
                break;
            }
            piece = (ZSTD_outBuffer){out->data + out->len, room, 0};
        }
        left = ZSTD_decompressStream(stream, &piece, &in);
        if (ZSTD_isError(left)) {
            break;
        }
        if (room == 0 && piece.pos > 0) {
            result = GW_BODY_TOO_LARGE;
            break;
        }
        out->len += room > 0 ? piece.pos : 0;
        if (in.pos == in.size && (left == 0 || piece.pos < piece.size)) {
            result = left == 0 ? GW_BODY_OK : GW_BODY_BROKEN; /* else cut short */
            break;
        }
    }
    ZSTD_freeDStream(stream);
    return result;
}

enum gw_body_result gw_body_decode(const char *encoding, const char *body, size_t len, struct lm_buffer *out,
                                   const char **text, size_t *text_len)
{
    enum gw_body_result result;

    if (!encoding || !*encoding || strcasecmp(encoding, "identity") == 0) {
        *text = body;
        *text_len = len;
        return GW_BODY_OK;
    }
    if (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0) {
        result = inflate_all(MAX_WBITS + 16, body, len, out);
    } else if (strcasecmp(encoding, "deflate") == 0) {
        result = inflate_all(MAX_WBITS, body, len, out);
        if (result == GW_BODY_BROKEN) {
            /* Some clients send the raw format under this name, without zlib's header. */
            lm_buffer_clear(out);
            result = inflate_all(-MAX_WBITS, body, len, out);
        }
    } else if (strcasecmp(encoding, "zstd") == 0) {
        result = inflate_zstd(body, len, out);
    } else {
        return GW_BODY_UNSUPPORTED;
    }
    *text = out->data ? out->data : "";
    *text_len = out->len;
    return result;
}
