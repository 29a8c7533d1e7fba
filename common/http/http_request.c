/*
 * One request: admitted or refused by its headers, its body collected, handed to the route's handler,
 * suspended until the reply (http_reply.c), given to libmicrohttpd. It is freed when the daemon has forgotten
 * it and the handler has nothing more to say to it.
 *
 * What libmicrohttpd lets pass is refused here: Content-Length beside Transfer-Encoding, repeated
 * Content-Length, encodings other than chunked (request smuggling), bodies over the limit. A refusal before
 * the body was read closes the connection. In the middle of a body the daemon takes no reply at all, so that
 * one is written to the socket directly.
 */
#include "common/http/http_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* Up to here a refused body is read and dropped, and the connection kept. */
#define SMALL_BODY ((uint64_t)64 << 10)

static const char *const state_names[] = {"reading", "handling", "replied", "sending", "upgraded", "gone"};

bool http_request_change_state(struct lm_http_request *request, enum http_state to)
{
    static const unsigned allowed[] = {
        [HTTP_READING] = 1U << HTTP_HANDLING | 1U << HTTP_REPLIED | 1U << HTTP_GONE,
        [HTTP_HANDLING] = 1U << HTTP_REPLIED | 1U << HTTP_GONE,
        [HTTP_REPLIED] = 1U << HTTP_SENDING | 1U << HTTP_GONE,
        [HTTP_SENDING] = 1U << HTTP_UPGRADED | 1U << HTTP_GONE,
        [HTTP_UPGRADED] = 1U << HTTP_GONE,
        [HTTP_GONE] = 0,
    };
    if ((allowed[request->state] & 1U << to) == 0) {
        lm_log(LM_LOG_ERROR, "http", "%s %s cannot go from %s to %s", request->method, request->path,
               state_names[request->state], state_names[to]);
        return false;
    }
    request->state = to;
    return true;
}

/* ---- life ---- */

void http_request_free(struct lm_http_request *request)
{
    while (request->headers != NULL) {
        struct http_reply_header *header = request->headers;
        request->headers = header->next;
        free(header);
    }
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    http_stream_free(request->stream);
    lm_buffer_free(&request->body);
    free(request->method);
    free(request->path);
    free(request->segment);
    free(request);
}

static void write_peer(struct MHD_Connection *connection, char *out, size_t size)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[64] = "";
    if (info != NULL && info->client_addr != NULL) {
        socklen_t len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
        (void)getnameinfo(info->client_addr, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    }
    snprintf(out, size, "%s", strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host);
}

static struct lm_http_request *new_request(struct lm_http_server *server, struct MHD_Connection *connection,
                                           const char *method, const char *path)
{
    struct lm_http_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    lm_buffer_init(&request->body, 0);
    request->method = strdup(method);
    request->path = strdup(path);
    if (request->method == NULL || request->path == NULL) {
        http_request_free(request);
        return NULL;
    }
    request->server = server;
    request->connection = connection;
    request->started_us = lm_clock_mono_us();
    write_peer(connection, request->peer, sizeof(request->peer));
    request->next = server->requests;
    request->link = &server->requests;
    if (request->next != NULL)
        request->next->link = &request->next;
    server->requests = request;
    return request;
}

static void end_watch(struct lm_http_request *request)
{
    http_socket_close(request->watch);
    request->watch = NULL;
}

void http_request_suspend(struct lm_http_request *request)
{
    MHD_suspend_connection(request->connection);
    request->suspended = true;
    request->watch = http_socket_watch(request);
}

void http_request_resume(struct lm_http_request *request)
{
    if (!request->suspended)
        return;
    request->suspended = false;
    end_watch(request);
    MHD_resume_connection(request->connection);
    http_server_kick(request->server);
}

void http_request_count(const struct lm_http_request *request)
{
    struct lm_metrics *metrics = request->server->metrics;
    if (metrics == NULL)
        return;
    char status[16];
    struct lm_buffer labels;
    /* 499, as others count a client that left before the answer. */
    snprintf(status, sizeof(status), "%u", request->status != 0 ? request->status : 499U);
    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "route", request->route != NULL ? request->route->public.path : "(none)");
    lm_metrics_label(&labels, "status", status);
    lm_counter_add(lm_counter(metrics, "logmill_http_requests_total", lm_buffer_text(&labels),
                              "HTTP requests answered."),
                   1);
    lm_buffer_free(&labels);
    if (request->route != NULL && request->route->seconds != NULL)
        lm_histogram_observe(request->route->seconds,
                             (double)(lm_clock_mono_us() - request->started_us) / 1e6);
}

/* The client has hung up, or the server closes. Where nobody asked to be told, the request waits for a reply
 * that is dropped. */
static void tell_abandoned(struct lm_http_request *request)
{
    http_request_change_state(request, HTTP_GONE);
    if (request->abandoned != NULL) {
        request->abandoned(request, request->abandoned_context);
        request->handed_out = false;
    }
}

void http_on_completed(void *context, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason)
{
    struct lm_http_request *request = *state;
    (void)context;
    (void)connection;
    (void)reason;
    if (request == NULL)
        return;
    *state = NULL;
    if (request->upgraded == NULL)
        http_request_count(request);
    end_watch(request);
    request->server->body_bytes -= request->body.len;
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    request->server = NULL;
    request->connection = NULL;
    if (request->handed_out && request->state != HTTP_GONE)
        tell_abandoned(request); /* in the middle of a stream */
    if (!request->handed_out)
        http_request_free(request);
}

void http_request_abandon(struct lm_http_request *request)
{
    const bool waits = request->state == HTTP_HANDLING && request->suspended;
    const bool streams = request->state == HTTP_SENDING && request->stream != NULL && request->handed_out;
    const bool upgraded = request->state == HTTP_UPGRADED && request->handed_out;
    if (!waits && !streams && !upgraded)
        return;
    tell_abandoned(request);
    if (upgraded)
        http_upgrade_close(request);
    else
        http_request_resume(request);
}

/* ---- refusing ---- */

static const char *reason_phrase(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 413:
        return "Content Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

static enum MHD_Result queue_response(struct lm_http_request *request)
{
    if (request->response == NULL || !http_request_change_state(request, HTTP_SENDING))
        return MHD_NO;
    return MHD_queue_response(request->connection, request->status, request->response);
}

/* The reply is made while the headers are all there is. `now`: the body must not be read. */
static enum MHD_Result reply_early(struct lm_http_request *request, bool now)
{
    if (!now)
        return MHD_YES; /* the daemon asks for the response once it has read and we have dropped the body */
    http_socket_drain(request->server, request->connection, NULL, 0);
    return queue_response(request);
}

static enum MHD_Result refuse(struct lm_http_request *request, bool now, unsigned status, const char *code,
                              const char *message)
{
    if (now)
        lm_http_reply_header(request, "Connection", "close");
    lm_http_reply_header(request, "Cache-Control", "no-store");
    lm_http_reply_error(request, status, code, message);
    return reply_early(request, now);
}

static enum MHD_Result refuse_in_body(struct lm_http_request *request, unsigned status, const char *code,
                                      const char *message)
{
    struct lm_buffer body, reply;
    lm_buffer_init(&body, 4096);
    lm_buffer_init(&reply, 8192);
    http_error_body(&body, code, message);
    lm_buffer_printf(&reply,
                     "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: "
                     "application/json\r\nCache-Control: no-store\r\n%sContent-Length: %zu\r\n",
                     status, reason_phrase(status), status == 503 ? "Retry-After: 1\r\n" : "", body.len);
    for (const struct http_reply_header *header = request->headers; header != NULL; header = header->next)
        lm_buffer_printf(&reply, "%s: %s\r\n", header->name, header->value);
    lm_buffer_append_text(&reply, "\r\n");
    lm_buffer_append(&reply, body.data, body.len);
    if (!reply.failed)
        http_socket_drain(request->server, request->connection, reply.data, reply.len);
    lm_buffer_free(&body);
    lm_buffer_free(&reply);
    request->status = status;
    http_request_change_state(request, HTTP_GONE);
    return MHD_NO;
}

/* ---- admitting ---- */

struct framing {
    unsigned lengths, encodings;
    bool chunked;
    uint64_t length;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *framing = context;
    (void)kind;
    if (strcasecmp(name, "Content-Length") == 0) {
        framing->lengths++;
        framing->length = value != NULL ? strtoull(value, NULL, 10) : 0;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->encodings++;
        framing->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* *segment and *len receive what stands for the pattern's "{name}", within `path`; NULL where it has none. */
static bool path_matches(const struct http_route *route, const char *path, const char **segment, size_t *len)
{
    const char *pattern = route->public.path;
    const char *open = strstr(pattern, "/{");
    const char *close = open != NULL ? strchr(open, '}') : NULL;
    *segment = NULL;
    *len = 0;
    if (close == NULL)
        return strcmp(pattern, path) == 0;
    size_t prefix = (size_t)(open - pattern) + 1;
    if (strncmp(pattern, path, prefix) != 0)
        return false;
    *segment = path + prefix;
    *len = strcspn(path + prefix, "/");
    return *len > 0 && strcmp(path + prefix + *len, close + 1) == 0;
}

static bool method_matches(const struct http_route *route, const char *method)
{
    return strcmp(route->public.method, method) == 0 ||
           (strcmp(route->public.method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Sets route and segment; otherwise the methods that the path knows (empty: no such path). */
static void find_route(struct lm_http_request *request, struct lm_buffer *allow)
{
    for (struct http_route *route = request->server->routes; route != NULL; route = route->next) {
        const char *segment;
        size_t len;
        if (!path_matches(route, request->path, &segment, &len))
            continue;
        if (method_matches(route, request->method)) {
            request->route = route;
            request->segment = segment != NULL ? strndup(segment, len) : NULL;
            return;
        }
        lm_buffer_append_text(allow, allow->len > 0 ? ", " : "");
        lm_buffer_append_text(allow, route->public.method);
        if (strcmp(route->public.method, "GET") == 0)
            lm_buffer_append_text(allow, ", HEAD");
    }
}

static enum MHD_Result refuse_unrouted(struct lm_http_request *request, bool now, struct lm_buffer *allow)
{
    if (allow->len > 0 && http_cors_is_preflight(request) && lm_buffer_text(allow) != NULL) {
        http_cors_answer(request, allow->data);
        return reply_early(request, now);
    }
    if (allow->len == 0)
        return refuse(request, now, 404, "not_found", "There is nothing at this path.");
    if (lm_buffer_text(allow) != NULL)
        lm_http_reply_header(request, "Allow", allow->data);
    return refuse(request, now, 405, "method_not_allowed", "This path does not take this method; see Allow.");
}

static enum MHD_Result admit(struct lm_http_request *request)
{
    struct framing framing = {0};
    char message[128];
    http_cors_begin(request);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_header, &framing);
    if (framing.lengths > 1 || framing.encodings > 1 || (framing.lengths > 0 && framing.encodings > 0))
        return refuse(
            request, true, 400, "bad_request",
            "The length of the body must be said once: one Content-Length or one Transfer-Encoding.");
    if (framing.encodings > 0 && !framing.chunked)
        return refuse(request, true, 501, "not_implemented",
                      "Transfer-Encoding other than chunked is not understood.");

    /* A client that waits for "100 Continue" must not get it for a body that nobody wants. */
    bool waits = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Expect") != NULL;
    bool now = framing.chunked || framing.length > SMALL_BODY || (waits && framing.length > 0);
    struct lm_buffer allow;
    lm_buffer_init(&allow, 256);
    find_route(request, &allow);
    if (request->route == NULL) {
        enum MHD_Result result = refuse_unrouted(request, now, &allow);
        lm_buffer_free(&allow);
        return result;
    }
    lm_buffer_free(&allow);
    size_t max = request->route->public.max_body;
    if (framing.length > max) {
        snprintf(message, sizeof(message), "The body is larger than the %zu bytes that are accepted here.",
                 max);
        return refuse(request, now, 413, "too_large", message);
    }
    if (request->server->body_bytes + framing.length > request->server->max_body_bytes) {
        lm_http_reply_header(request, "Retry-After", "1");
        return refuse(request, now, 503, "busy", "Too many bodies are being received; try again shortly.");
    }
    lm_buffer_init(&request->body, max);
    return MHD_YES;
}

static enum MHD_Result take_body(struct lm_http_request *request, const char *data, size_t len)
{
    char message[128];
    if (request->state != HTTP_READING)
        return MHD_YES; /* refused: dropped */
    size_t max = request->route->public.max_body;
    if (len > max - request->body.len) {
        snprintf(message, sizeof(message), "The body is larger than the %zu bytes that are accepted here.",
                 max);
        return refuse_in_body(request, 413, "too_large", message);
    }
    size_t before = request->body.len;
    if (request->server->body_bytes + len <= request->server->max_body_bytes)
        lm_buffer_append(&request->body, data, len);
    if (request->body.len != before + len)
        return refuse_in_body(request, 503, "busy", "Too many bodies are being received; try again shortly.");
    request->server->body_bytes += len;
    return MHD_YES;
}

static enum MHD_Result dispatch(struct lm_http_request *request)
{
    if (request->server->ending || !http_request_change_state(request, HTTP_HANDLING))
        return MHD_NO;
    request->handed_out = true;
    request->route->public.handler(request, request->route->public.context);
    if (request->state == HTTP_REPLIED)
        return queue_response(request);
    http_request_suspend(request);
    return MHD_YES;
}

/* The daemon calls this first with the headers, then with each piece of the body, then once more for the
 * response, and again after a suspended connection was resumed. */
enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *size,
                                void **state)
{
    struct lm_http_request *request = *state;
    (void)version;
    if (request == NULL) {
        request = new_request(context, connection, method, url);
        *state = request;
        return request != NULL ? admit(request) : MHD_NO;
    }
    if (*size > 0) {
        size_t len = *size;
        *size = 0;
        return take_body(request, data, len);
    }
    if (request->state == HTTP_READING)
        return dispatch(request);
    if (request->state == HTTP_REPLIED)
        return queue_response(request);
    return MHD_NO;
}

/* ---- reading a request ---- */

const char *lm_http_method(const struct lm_http_request *request)
{
    return request->method;
}

const char *lm_http_path(const struct lm_http_request *request)
{
    return request->path;
}

const char *lm_http_segment(const struct lm_http_request *request)
{
    return request->segment;
}

const char *lm_http_header(const struct lm_http_request *request, const char *name)
{
    return request->connection != NULL
               ? MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name)
               : NULL;
}

const char *lm_http_query(const struct lm_http_request *request, const char *name)
{
    return request->connection != NULL
               ? MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name)
               : NULL;
}

const char *lm_http_body(const struct lm_http_request *request, size_t *len)
{
    *len = request->body.len;
    return request->body.data != NULL ? request->body.data : "";
}

const char *lm_http_peer(const struct lm_http_request *request)
{
    return request->peer;
}

void lm_http_on_abandoned(struct lm_http_request *request, lm_http_handler abandoned, void *context)
{
    request->abandoned = abandoned;
    request->abandoned_context = context;
}
