/*
 * What the seven files of the HTTP server share: http_server.c (daemon, loop, close), http_request.c (from
 * the first header to the end), http_reply.c (replies of one piece), http_cors.c (pages of other origins),
 * http_stream.c (replies that come piece by piece), http_upgrade.c (connections given to another protocol),
 * http_socket.c (listening, sockets of clients that must be watched or let down gently).
 */
#ifndef LOGMILL_COMMON_HTTP_INTERNAL_H
#define LOGMILL_COMMON_HTTP_INTERNAL_H

#include "common/buffer.h"
#include "common/http/http_server.h"

#include <microhttpd.h>
#include <stdint.h>

struct http_socket;

struct http_route {
    struct http_route *next;
    struct lm_http_route public; /* texts are our copies */
    struct lm_histogram *seconds;
};

struct lm_http_server {
    uv_loop_t *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;   /* on the daemon's epoll descriptor */
    uv_timer_t timer; /* when the daemon wants to run next */
    uv_timer_t deadline;
    unsigned open_handles; /* those three and the sockets' */
    struct http_route *routes;
    struct lm_http_request *requests; /* known to the daemon */
    struct http_socket *sockets;
    struct lm_metrics *metrics;
    size_t body_bytes, max_body_bytes; /* of all requests under way */
    struct lm_http_cors cors;
    char url[128];
    bool kicked;  /* since the daemon's last run began */
    bool closing; /* no new connections */
    bool ending;  /* no new requests either: the daemon must not be stopped while one is suspended */
    void (*closed)(void *context);
    void *closed_context;
};

enum http_state {
    HTTP_READING,  /* body comes in */
    HTTP_HANDLING, /* the handler has it */
    HTTP_REPLIED,  /* the response is there, the daemon has not asked for it yet */
    HTTP_SENDING,  /* the daemon has it */
    HTTP_UPGRADED, /* the socket is the owner's */
    HTTP_GONE      /* no reply will be sent */
};

struct http_reply_header {
    struct http_reply_header *next;
    char *value; /* behind the name, in the same block */
    char name[];
};

/* A reply under way piece by piece. */
struct http_stream {
    struct lm_buffer unsent; /* its ceiling is the stream's */
    size_t sent;             /* bytes at its front that the daemon has taken */
    size_t full_at;
    bool full;   /* the owner was told to wait for `drained` */
    bool broken; /* ended before it was complete */
    lm_http_handler drained;
    void *drained_context;
};

struct lm_http_request {
    struct lm_http_request *next, **link; /* in server->requests */
    struct lm_http_server *server;        /* NULL once the daemon has forgotten the request */
    struct MHD_Connection *connection;    /* likewise */
    struct http_route *route;             /* NULL when refused before */
    enum http_state state;
    bool handed_out; /* the handler has it and has neither replied (to the end) nor been told that it is gone
                      */
    bool suspended;
    bool cross_origin; /* by a page that may read the answer */
    char *method, *path;
    char *segment; /* NULL where the route has none */
    char peer[64];
    struct lm_buffer body;
    struct http_reply_header *headers;
    struct MHD_Response *response;
    struct http_stream *stream; /* NULL: the reply is one piece */
    struct lm_http_upgrade upgrade;
    struct MHD_UpgradeResponseHandle
        *upgraded; /* not NULL: HTTP_UPGRADED, and the daemon waits for its end */
    unsigned status;
    struct http_socket *watch; /* while suspended */
    lm_http_handler abandoned;
    void *abandoned_context;
    int64_t started_us;
};

/* http_server.c: lets the daemon run from the loop as soon as possible. */
void http_server_kick(struct lm_http_server *server);

/* http_request.c: the daemon's callbacks, and the end of a request whose reply must not be awaited any
 * longer. */
enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *size,
                                void **state);
void http_on_completed(void *context, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason);
void http_request_abandon(struct lm_http_request *request);
/* The daemon leaves the connection alone until http_request_resume; only its hang-up is watched for. */
void http_request_suspend(struct lm_http_request *request);
void http_request_resume(struct lm_http_request *request);
bool http_request_change_state(struct lm_http_request *request, enum http_state to);
/* In the metrics, once a request. */
void http_request_count(const struct lm_http_request *request);
/* Only once the daemon has forgotten it. */
void http_request_free(struct lm_http_request *request);

/* http_reply.c: request->response is there: adds its headers and lets the daemon have it. */
void http_reply_queue(struct lm_http_request *request, const char *content_type);
/* The JSON of lm_http_reply_error. */
void http_error_body(struct lm_buffer *out, const char *code, const char *message);

/* http_cors.c: at the first header, what lets a page read whatever the answer will be. */
void http_cors_begin(struct lm_http_request *request);
/* A page that may ask wants to know how. */
bool http_cors_is_preflight(const struct lm_http_request *request);
/* `methods` of the path, comma-separated. */
void http_cors_answer(struct lm_http_request *request, const char *methods);

/* http_stream.c */
void http_stream_free(struct http_stream *stream);

/* http_upgrade.c: lets the daemon close an upgraded connection. */
void http_upgrade_close(struct lm_http_request *request);

/* http_socket.c */

/* Parses host:port, :port, [v6]:port, binds and listens; writes the URL with the port really bound. -1 with
 * the error. */
int http_listen(const char *address, char *url, size_t url_size, struct lm_error *error);
/* Calls http_request_abandon when the peer hangs up. NULL: no memory or descriptors, the request is then not
 * watched. */
struct http_socket *http_socket_watch(struct lm_http_request *request);
/* For a request refused before its body was read: takes the body off the wire, bounded in bytes and time, so
 * that closing does not reset the connection under the reply. `send` (may be NULL) goes out first, and the
 * sending side is shut. */
void http_socket_drain(struct lm_http_server *server, struct MHD_Connection *connection, const char *send,
                       size_t len);
void http_socket_close(struct http_socket *socket);
/* Gives the handle back to the server's count. */
void http_server_release(struct lm_http_server *server);

#endif
