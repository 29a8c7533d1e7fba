/*
 * libmicrohttpd on the loop, through its "external epoll" mode: its epoll descriptor sits in a uv_poll, its
 * time-outs in a uv_timer, and MHD_run is called from those two only, never from inside a call of the
 * owner's. MHD_resume_connection does not wake the descriptor, so a reply starts the timer with zero.
 *
 * Closing is: no new connections, requests under way until the deadline, then the rest is abandoned, and the
 * daemon stopped. The daemon must not be stopped while a connection is suspended (it aborts), so abandoned
 * ones are resumed and run first.
 */
#include "common/http/http_internal.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION_MEMORY ((size_t)64 << 10)
#define MAX_CONNECTIONS 1024
#define IDLE_TIMEOUT_S 60
#define MAX_BODY_BYTES ((size_t)256 << 20)

static void finish(struct lm_http_server *server);

/* ---- the daemon ---- */

static void on_daemon_log(void *context, const char *format, va_list arguments)
{
    char line[256];
    (void)context;
    int len = vsnprintf(line, sizeof(line), format, arguments);
    if (len > 0 && len < (int)sizeof(line) && line[len - 1] == '\n')
        line[len - 1] = '\0';
    lm_log(LM_LOG_DEBUG, "http", "%s", line);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes in place, for paths and query parameters. %00 stays as it is: decoded it would cut the text
 * short. */
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    char *out = text;
    (void)context;
    (void)connection;
    for (const char *in = text; *in != '\0'; in++) {
        int high = in[0] == '%' ? hex_digit(in[1]) : -1;
        int low = high >= 0 ? hex_digit(in[2]) : -1;
        if (low >= 0 && (high != 0 || low != 0)) {
            *out++ = (char)(high * 16 + low);
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

static void on_timer(uv_timer_t *timer);

static void run(struct lm_http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait;
    server->kicked = false;
    (void)MHD_run(server->daemon);
    if (server->closing && server->requests == NULL) {
        finish(server);
        return;
    }
    if (server->kicked) /* from inside that run: what was resumed is no time-out of the daemon's */
        uv_timer_start(&server->timer, on_timer, 0, 0);
    else if (MHD_get_timeout(server->daemon, &wait) == MHD_YES)
        uv_timer_start(&server->timer, on_timer, wait, 0);
    else
        uv_timer_stop(&server->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

void http_server_kick(struct lm_http_server *server)
{
    server->kicked = true;
    uv_timer_start(&server->timer, on_timer, 0, 0);
}

/* ---- open and close ---- */

static void free_routes(struct lm_http_server *server)
{
    while (server->routes != NULL) {
        struct http_route *route = server->routes;
        server->routes = route->next;
        free((char *)route->public.method);
        free((char *)route->public.path);
        free(route);
    }
}

void http_server_release(struct lm_http_server *server)
{
    if (--server->open_handles > 0)
        return;
    void (*closed)(void *) = server->closed;
    void *context = server->closed_context;
    free_routes(server);
    free(server);
    if (closed != NULL)
        closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    http_server_release(handle->data);
}

static void close_handles(struct lm_http_server *server)
{
    uv_close((uv_handle_t *)&server->timer, on_handle_closed);
    uv_close((uv_handle_t *)&server->deadline, on_handle_closed);
}

/* No request is suspended any more. The poll goes before the descriptor under it. */
static void finish(struct lm_http_server *server)
{
    uv_poll_stop(&server->poll);
    uv_close((uv_handle_t *)&server->poll, on_handle_closed);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    while (server->sockets != NULL)
        http_socket_close(server->sockets);
    close_handles(server);
}

static void on_deadline(uv_timer_t *timer)
{
    struct lm_http_server *server = timer->data;
    struct lm_http_request *next;
    server->ending = true;
    for (struct lm_http_request *request = server->requests; request != NULL; request = next) {
        next = request->next;
        http_request_abandon(request);
    }
    (void)MHD_run(server->daemon); /* lets the resumed ones end */
    finish(server);
}

void lm_http_server_close(struct lm_http_server *server, unsigned deadline_ms, void (*closed)(void *context),
                          void *context)
{
    if (server->closing) {
        if (uv_is_active((uv_handle_t *)&server->deadline) &&
            uv_timer_get_due_in(&server->deadline) > deadline_ms)
            uv_timer_start(&server->deadline, on_deadline, deadline_ms, 0);
        return;
    }
    server->closing = true;
    server->closed = closed;
    server->closed_context = context;
    MHD_socket listening = MHD_quiesce_daemon(server->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    uv_timer_start(&server->deadline, on_deadline, deadline_ms, 0);
    http_server_kick(server); /* ends at once where nothing is under way */
}

static int start_daemon(struct lm_http_server *server, const struct lm_http_options *options,
                        struct lm_error *error)
{
    int fd = http_listen(options->listen, server->url, sizeof(server->url), error);
    if (fd < 0)
        return -1;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
        options->max_connections != 0 ? options->max_connections : MAX_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT,
        options->idle_timeout_s != 0 ? options->idle_timeout_s : IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_completed, server, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon != NULL)
        return 0;
    close(fd);
    return lm_error_set(error, LM_FATAL, "http",
                        "the HTTP server for %s cannot start (out of memory or descriptors?)",
                        options->listen);
}

int lm_http_server_open(const struct lm_http_options *options, struct lm_http_server **out,
                        struct lm_error *error)
{
    struct lm_http_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory while opening the HTTP server");
    server->loop = options->loop;
    server->metrics = options->metrics;
    server->cors = options->cors;
    server->max_body_bytes = options->max_body_bytes != 0 ? options->max_body_bytes : MAX_BODY_BYTES;
    if (start_daemon(server, options, error) != 0) {
        free(server);
        return -1;
    }
    uv_timer_init(server->loop, &server->timer);
    uv_timer_init(server->loop, &server->deadline);
    server->timer.data = server;
    server->deadline.data = server;
    server->poll.data = server;
    server->open_handles = 2;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(server->loop, &server->poll, info->epoll_fd) != 0 ||
        uv_poll_start(&server->poll, UV_READABLE, on_readable) != 0) {
        MHD_stop_daemon(server->daemon);
        close_handles(server);
        return lm_error_set(error, LM_FATAL, "http", "the HTTP server for %s cannot be watched by the loop",
                            options->listen);
    }
    server->open_handles = 3;
    *out = server;
    return 0;
}

int lm_http_server_route(struct lm_http_server *server, const struct lm_http_route *public)
{
    static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                    0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
    struct http_route *route = calloc(1, sizeof(*route));
    if (route == NULL)
        return -1;
    route->public = *public;
    route->public.method = strdup(public->method);
    route->public.path = strdup(public->path);
    if (route->public.method == NULL || route->public.path == NULL) {
        free((char *)route->public.method);
        free((char *)route->public.path);
        free(route);
        return -1;
    }
    if (server->metrics != NULL) {
        struct lm_buffer labels;
        lm_buffer_init(&labels, 1024);
        lm_metrics_label(&labels, "route", public->path);
        route->seconds =
            lm_histogram(server->metrics, "logmill_http_request_seconds", lm_buffer_text(&labels),
                         "Time from the first header to the last byte of the reply.", bounds,
                         sizeof(bounds) / sizeof(bounds[0]));
        lm_buffer_free(&labels);
    }
    struct http_route **last = &server->routes;
    while (*last != NULL)
        last = &(*last)->next;
    *last = route;
    return 0;
}

const char *lm_http_server_url(const struct lm_http_server *server)
{
    return server->url;
}
