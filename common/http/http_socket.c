/*
 * Sockets beside libmicrohttpd. It does not look at a suspended connection, so a peer's hang-up is seen on a
 * dup of its socket; and it closes at once after an early reply, which resets the connection under a client
 * that still sends, so a dup keeps the socket open and swallows the rest for a while (what others call a
 * lingering close).
 */
#include "common/http/http_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MS 2000
#define DRAIN_BYTES ((size_t)64 << 20)

struct http_socket {
    struct http_socket *next, **link;
    struct lm_http_server *server;
    struct lm_http_request *request; /* NULL: draining */
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    size_t drained;
    unsigned open_handles;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_socket *socket = handle->data;
    if (--socket->open_handles > 0)
        return;
    struct lm_http_server *server = socket->server;
    close(socket->fd);
    free(socket);
    http_server_release(server);
}

void http_socket_close(struct http_socket *socket)
{
    if (socket == NULL)
        return;
    *socket->link = socket->next;
    if (socket->next != NULL)
        socket->next->link = socket->link;
    uv_close((uv_handle_t *)&socket->poll, on_handle_closed);
    uv_close((uv_handle_t *)&socket->timer, on_handle_closed);
}

static struct http_socket *open_dup(struct lm_http_server *server, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_socket *socket = info != NULL ? calloc(1, sizeof(*socket)) : NULL;
    if (socket == NULL)
        return NULL;
    socket->fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
    if (socket->fd < 0 || uv_poll_init(server->loop, &socket->poll, socket->fd) != 0) {
        if (socket->fd >= 0)
            close(socket->fd);
        free(socket);
        return NULL;
    }
    uv_timer_init(server->loop, &socket->timer);
    socket->poll.data = socket;
    socket->timer.data = socket;
    socket->open_handles = 2;
    socket->server = server;
    server->open_handles++;
    socket->next = server->sockets;
    socket->link = &server->sockets;
    if (socket->next != NULL)
        socket->next->link = &socket->next;
    server->sockets = socket;
    return socket;
}

static void on_hang_up(uv_poll_t *poll, int status, int events)
{
    struct http_socket *socket = poll->data;
    (void)events;
    (void)status; /* an error on the socket is the end of it as well */
    uv_poll_stop(poll);
    http_request_abandon(socket->request);
}

struct http_socket *http_socket_watch(struct lm_http_request *request)
{
    struct http_socket *socket = open_dup(request->server, request->connection);
    if (socket == NULL)
        return NULL;
    socket->request = request;
    if (uv_poll_start(&socket->poll, UV_DISCONNECT, on_hang_up) != 0) {
        http_socket_close(socket);
        return NULL;
    }
    return socket;
}

static void on_drain_timeout(uv_timer_t *timer)
{
    http_socket_close(timer->data);
}

static void on_drain_readable(uv_poll_t *poll, int status, int events)
{
    struct http_socket *socket = poll->data;
    char scrap[65536];
    (void)events;
    ssize_t n = status == 0 ? recv(socket->fd, scrap, sizeof(scrap), MSG_DONTWAIT) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    socket->drained += n > 0 ? (size_t)n : 0;
    if (n <= 0 || socket->drained > DRAIN_BYTES)
        http_socket_close(socket);
}

void http_socket_drain(struct lm_http_server *server, struct MHD_Connection *connection, const char *text,
                       size_t len)
{
    struct http_socket *socket = open_dup(server, connection);
    if (socket == NULL)
        return;
    if (text != NULL) {
        /* Nothing else is under way on this connection, and a short reply always fits the socket's buffer. */
        ssize_t sent = send(socket->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent; /* a peer that is gone needs no reply */
        shutdown(socket->fd, SHUT_WR);
    }
    if (uv_poll_start(&socket->poll, UV_READABLE, on_drain_readable) != 0 ||
        uv_timer_start(&socket->timer, on_drain_timeout, DRAIN_MS, 0) != 0)
        http_socket_close(socket);
}

/* ---- listening ---- */

/* Splits "host:port", ":port", "[v6]:port". */
static int split_address(const char *address, char *host, size_t host_size, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5 || atoi(colon + 1) > 65535)
        return -1;
    const char *from = address, *to = colon;
    if (*from == '[') {
        from++;
        to--;
        if (to < from || *to != ']')
            return -1;
    } else if (memchr(from, ':', (size_t)(to - from)) != NULL) {
        return -1; /* an IPv6 address without brackets: which colon ends it? */
    }
    if ((size_t)(to - from) >= host_size)
        return -1;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    *port = colon + 1;
    return 0;
}

static int bind_one(const struct addrinfo *info)
{
    int on = 1, off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void write_url(int fd, char *url, size_t url_size)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN + 8] = "", port[8] = "";
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        (void)getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
    if (strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0)
        snprintf(url, url_size, "http://localhost:%s", port); /* a URL that can be used, not the wildcard */
    else
        snprintf(url, url_size, strchr(host, ':') != NULL ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

int http_listen(const char *address, char *url, size_t url_size, struct lm_error *error)
{
    char host[256];
    const char *port;
    if (split_address(address, host, sizeof(host), &port) != 0)
        return lm_error_set(error, LM_FATAL, "listen",
                            "\"%s\" is no address to listen on: host:port, :port or [v6]:port", address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int wrong = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
    if (wrong != 0)
        return lm_error_set(error, LM_FATAL, "listen", "cannot listen on %s: %s", address,
                            gai_strerror(wrong));
    int fd = -1, saved = 0;
    /* Without a host the IPv6 wildcard first, for it takes IPv4 too; else in the resolver's order. */
    for (int pass = 0; pass < 2 && fd < 0; pass++) {
        for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
            if ((pass == 0) == (host[0] != '\0' || info->ai_family == AF_INET6)) {
                fd = bind_one(info);
                saved = fd < 0 && saved != EADDRINUSE ? errno : saved;
            }
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return lm_error_set(error, LM_FATAL, "listen", "cannot listen on %s: %s", address, strerror(saved));
    write_url(fd, url, url_size);
    return fd;
}
