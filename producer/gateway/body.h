/* A request's body as the client meant it: gzip, deflate and zstd undone, the size bounded. */
#ifndef LOGMILL_PRODUCER_GATEWAY_BODY_H
#define LOGMILL_PRODUCER_GATEWAY_BODY_H

#include "common/buffer.h"

enum gw_body_result {
    GW_BODY_OK,
    GW_BODY_TOO_LARGE,   /* more than out->max when inflated: 413 */
    GW_BODY_UNSUPPORTED, /* an encoding we do not know: 415 */
    GW_BODY_BROKEN,      /* not what its encoding says: 400 */
    GW_BODY_NO_MEMORY    /* 503 */
};

/*
 * `encoding` is the Content-Encoding header (NULL, "", "identity", "gzip", "x-gzip", "deflate", "zstd", in
 * any case). With an identity encoding *text points to `body`, else into `out`, whose ceiling bounds the
 * inflated size.
 */
enum gw_body_result gw_body_decode(const char *encoding, const char *body, size_t len, struct lm_buffer *out,
                                   const char **text, size_t *text_len) LM_MUST_CHECK;

#endif
