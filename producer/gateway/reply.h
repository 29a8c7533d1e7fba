/* What the gateway answers, in the words of each route. */
#ifndef LOGMILL_PRODUCER_GATEWAY_REPLY_H
#define LOGMILL_PRODUCER_GATEWAY_REPLY_H

#include "common/http/http_server.h"

#define GW_MAX_NAMED_REJECTIONS 1000 /* the rest is counted */

struct gw_rejection {
    size_t index; /* of the record in the body, from 0 */
    char *reason;
};

struct gw_rejections {
    struct gw_rejection *items;
    size_t count; /* named ones */
    size_t total;
};

/* Notes that a record was not taken; without memory, or beyond the bound, it is counted only. */
void gw_reject(struct gw_rejections *rejections, size_t index, const char *reason);
void gw_rejections_free(struct gw_rejections *rejections);

enum gw_answer {
    GW_ANSWER_ONE,   /* 200, or 400 where the one record was bad */
    GW_ANSWER_BATCH, /* 200 {"status", "count", "rejected": [{index, error}]} */
    GW_ANSWER_INGEST /* 200 {"accepted", "rejected", "errors"} */
};

/* Of `accepted` records and those rejected; takes the request. */
void gw_reply_result(struct lm_http_request *http, enum gw_answer answer, size_t accepted,
                     const struct gw_rejections *rejections);
/* {"error": {"code", "message"}}. */
void gw_reply_error(struct lm_http_request *http, unsigned status, const char *code, const char *message);
/* 503 with Retry-After. */
void gw_reply_unavailable(struct lm_http_request *http, const char *message);
/* 200 {"status":"healthy"}, or 503 with the trouble. */
void gw_reply_health(struct lm_http_request *http, const char *trouble);

#endif
