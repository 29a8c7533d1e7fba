/*
 * The one HTTP server: libmicrohttpd's epoll descriptor on a uv_poll, for the admin port of every program,
 * the gateway and the agent. Everything runs on the loop's thread. A handler gets the whole body (bounded),
 * and answers now or later, in one piece or as a stream, or takes the connection over for another protocol:
 * the request stays valid until lm_http_reply, lm_http_stream_end or lm_http_upgrade_end or, if the client
 * goes away first, until on_abandoned.
 *
 * Refused before a handler sees it: both Content-Length and Transfer-Encoding, repeated Content-Length, a
 * body over the route's limit (413), an unknown path (404), a wrong method (405 with Allow). Preflights of
 * pages that may ask are answered. A client that shuts its sending side down after the request counts as
 * gone, as with nginx.
 */
#ifndef LOGMILL_COMMON_HTTP_SERVER_H
#define LOGMILL_COMMON_HTTP_SERVER_H

#include "common/error.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct lm_config_list;
struct lm_http_server;
struct lm_http_request;

typedef void (*lm_http_handler)(struct lm_http_request *request, void *context);

struct lm_http_route {
    const char *method; /* "GET" (serves HEAD too), "POST", … */
    const char *path;   /* exact, or with one "{name}" that matches one non-empty segment */
    size_t max_body;    /* bytes; 0: no body accepted */
    lm_http_handler handler;
    void *context;
};

/* Pages of other origins that may read answers, and what they may send and see beside what every page may. */
struct lm_http_cors {
    const struct lm_config_list *origins;          /* origin.h; outlives the server. NULL or empty: none */
    const char *allowed_headers, *exposed_headers; /* comma-separated; not copied */
};

struct lm_http_options {
    uv_loop_t *loop;
    const char *listen;         /* host:port, :port, [v6]:port; port 0 takes a free one */
    struct lm_metrics *metrics; /* may be NULL; requests by route and status, seconds */
    unsigned max_connections;   /* 0: 1024 */
    unsigned
        idle_timeout_s; /* 0: 60; without a byte from or to the client, not while a handler has its request */
    size_t max_body_bytes; /* 0: 256 MiB; all bodies together, 503 with Retry-After beyond */
    struct lm_http_cors cors;
};

/* Opens the listening socket; routes are added afterwards. LM_FATAL when the address is taken, said with the
 * address. */
int lm_http_server_open(const struct lm_http_options *options, struct lm_http_server **out,
                        struct lm_error *error) LM_MUST_CHECK;
/* Routes are matched in the order added. Strings are copied. 0, or -1 without memory. */
int lm_http_server_route(struct lm_http_server *server, const struct lm_http_route *route) LM_MUST_CHECK;
/* "http://127.0.0.1:8001" with the port really bound. */
const char *lm_http_server_url(const struct lm_http_server *server);
/* Stops accepting, lets requests under way finish until `deadline_ms`, closes, then calls `closed` (may be
 * NULL) once, on the loop. The server is freed by then. Called again before that, it only shortens the wait;
 * the first call's `closed` counts. */
void lm_http_server_close(struct lm_http_server *server, unsigned deadline_ms, void (*closed)(void *context),
                          void *context);

const char *lm_http_method(const struct lm_http_request *request);
const char *lm_http_path(const struct lm_http_request *request);
/* Value of the route's "{name}" segment, percent-decoded, or NULL. */
const char *lm_http_segment(const struct lm_http_request *request);
/* First value of a header (name in any case), or NULL; also NULL once the client has gone. */
const char *lm_http_header(const struct lm_http_request *request, const char *name);
/* First value of a query parameter, percent-decoded ('+' is a blank), or NULL; also NULL once the client has
 * gone. */
const char *lm_http_query(const struct lm_http_request *request, const char *name);
/* The body as received (still encoded as Content-Encoding says); never NULL, not NUL-terminated. */
const char *lm_http_body(const struct lm_http_request *request, size_t *len);
/* Numeric address of the peer. */
const char *lm_http_peer(const struct lm_http_request *request);
/*
 * Called once if the client closes before the reply (or before the end of a stream), or the server's closing
 * deadline strikes; the request is gone after it returns, and must not be replied to. Without such a callback
 * the request stays valid and the reply is dropped.
 */
void lm_http_on_abandoned(struct lm_http_request *request, lm_http_handler abandoned, void *context);

/* A response header to send with the reply; copied. One whose value holds a line break or nothing is left out
 * and logged. */
void lm_http_reply_header(struct lm_http_request *request, const char *name, const char *value);
/* Answers and gives the request back, from inside the handler or later. `body` (NULL when len is 0) is
 * copied, `content_type` may be NULL. zstd or gzip when the client accepts it and the body is > 1 KiB,
 * unless a Content-Encoding was set. */
void lm_http_reply(struct lm_http_request *request, unsigned status, const char *content_type,
                   const char *body, size_t len);
/* The same with {"error":{"code":…,"message":…}} as the body. */
void lm_http_reply_error(struct lm_http_request *request, unsigned status, const char *code,
                         const char *message);

/*
 * A reply whose body comes piece by piece: chunked, or ended by the end of the connection for HTTP/1.0; not
 * compressed. A stream keeps its connection for as long as it lasts; only a client that has bytes to get and
 * takes none for idle_timeout_s is let go.
 */
struct lm_http_stream {
    unsigned status;
    const char *content_type; /* may be NULL */
    size_t max_unsent;        /* bytes written and not yet taken by the connection, at most */
    size_t full_at;           /* bytes unsent from which a write answers 1; 0: half of the bound */
    /* May be NULL. Called after a write answered 1, once half of `full_at` is unsent; may write and end. */
    lm_http_handler drained;
    void *context;
};
/* Instead of lm_http_reply; from then on the request belongs to the stream until lm_http_stream_end or
 * on_abandoned, which also comes right after the headers of an answer to HEAD. -1 without memory: the request
 * still wants a reply. */
int lm_http_stream_open(struct lm_http_request *request, const struct lm_http_stream *stream) LM_MUST_CHECK;
/* `data` is copied, all of it or nothing. 0: taken. 1: taken, and `full_at` is reached: wait for
 * `drained`. -1: not taken, for the client has gone, memory is short or it would break the bound. */
int lm_http_stream_write(struct lm_http_request *request, const char *data, size_t len) LM_MUST_CHECK;
/* Bytes written that the connection has not yet taken. */
size_t lm_http_stream_unsent(const struct lm_http_request *request);
/* What is written is still sent, then the body ends, and the request is given back. Not `complete`: the
 * connection is cut instead, at once, so that nobody takes what came for the whole. */
void lm_http_stream_end(struct lm_http_request *request, bool complete);

/*
 * Another protocol on the connection (RFC 9110, section 7.8), HTTP/1.1 only: the answer is 101 with the
 * header Upgrade and what lm_http_reply_header set.
 */
struct lm_http_upgrade {
    const char *protocol; /* of the header; not copied */
    /*
     * Once, on the loop, when the 101 has been sent: from now on the owner reads, writes and polls `fd`, a
     * non-blocking TCP socket without delay, and never closes it. `early` is what the client sent behind
     * its request, valid during the call. May end the upgrade.
     */
    void (*upgraded)(struct lm_http_request *request, int fd, const char *early, size_t len, void *context);
    void *context;
};
/*
 * Instead of lm_http_reply; from then on the request is the owner's until lm_http_upgrade_end or
 * on_abandoned, which must be set and must leave the socket unpolled: it comes when the client goes before
 * `upgraded`, or the server's closing deadline strikes. Who hangs up after `upgraded` is seen by the owner
 * alone. -1 without memory or when the server closes: the request still wants a reply.
 */
int lm_http_upgrade(struct lm_http_request *request, const struct lm_http_upgrade *upgrade) LM_MUST_CHECK;
/* The owner polls the socket no more: closes it, and the request is given back. */
void lm_http_upgrade_end(struct lm_http_request *request);

#endif
