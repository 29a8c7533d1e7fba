/*
 * One connection to a Redis server: its name resolved, TCP, TLS where the URL says so, and a conversation
 * (resp.h) over it. A link is made for one attempt and let go as a whole: once it is dropped nothing of it
 * speaks any more, and it is freed when its socket has closed. Loop thread.
 */
#ifndef LOGMILL_AGENT_CACHE_REDIS_LINK_H
#define LOGMILL_AGENT_CACHE_REDIS_LINK_H

#include "agent/cache/redis_url.h"
#include "agent/cache/resp.h"
#include "agent/cache/tls_stream.h"

#include <uv.h>

struct ag_redis_link;

struct ag_redis_link_options {
    uv_loop_t *loop;
    const struct ag_redis_url *url; /* outlives the link, as does `tls` */
    SSL_CTX *tls;                   /* NULL: plain */
    unsigned attempt;               /* each takes the next of the host's addresses */
    size_t max_value;               /* bytes of a value, either way */
    /* Once: commands may be said. Never from inside ag_redis_link_open, and neither is the next. */
    void (*opened)(void *context);
    /* Once, and then nothing more: it must be dropped. */
    void (*broken)(const struct lm_error *error, void *context);
    /* Once, after it was dropped, maybe from inside that call: its memory is gone. */
    void (*freed)(void *context);
    void *context;
};

/* -1: LM_RETRY, and nothing is called. */
int ag_redis_link_open(const struct ag_redis_link_options *options, struct ag_redis_link **out,
                       struct lm_error *error) LM_MUST_CHECK;
/* 0: on its way, `handler` (resp.h) hears the reply. 1: not now, too much is on its way already, or memory is
 * short. -1 with `error`: the link is good for nothing any more; `broken` is not called. */
int ag_redis_link_say(struct ag_redis_link *link, const struct ag_resp_argument *arguments, size_t count,
                      ag_reply_handler handler, void *context, struct lm_error *error) LM_MUST_CHECK;
void ag_redis_link_drop(struct ag_redis_link *link);

#endif
