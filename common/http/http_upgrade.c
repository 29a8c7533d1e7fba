/*
 * Connections given to another protocol. To libmicrohttpd such a connection is suspended, and its socket is
 * watched by nobody but the owner; MHD_UPGRADE_ACTION_CLOSE lets the daemon close it in its next run, which
 * it must be given, and then it forgets the request as any other.
 */
#include "common/http/http_internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

void http_upgrade_close(struct lm_http_request *request)
{
    (void)MHD_upgrade_action(request->upgraded, MHD_UPGRADE_ACTION_CLOSE);
    http_server_kick(request->server);
}

/* The daemon blocks no socket of its own, but promises nothing for one it gives away. */
static void prepare_socket(int fd)
{
    const int flags = fcntl(fd, F_GETFL), on = 1;
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* The 101 is out. Inside MHD_run. */
static void on_upgrade(void *context, struct MHD_Connection *connection, void *state, const char *early,
                       size_t len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct lm_http_request *request = context;
    (void)connection;
    (void)state;
    request->upgraded = handle;
    http_request_count(request);
    (void)http_request_change_state(request, HTTP_UPGRADED);
    prepare_socket(fd);
    if (request->server->ending) /* nobody would end it any more */
        http_request_abandon(request);
    else
        request->upgrade.upgraded(request, fd, early, len, request->upgrade.context);
}

int lm_http_upgrade(struct lm_http_request *request, const struct lm_http_upgrade *upgrade)
{
    if (request->state != HTTP_HANDLING)
        return request->state == HTTP_GONE ? 0 : -1; /* one that has gone is told so, or was */
    if (request->server->closing)
        return -1;
    request->response = MHD_create_response_for_upgrade(on_upgrade, request);
    if (request->response == NULL)
        return -1;
    request->upgrade = *upgrade;
    request->status = MHD_HTTP_SWITCHING_PROTOCOLS;
    lm_http_reply_header(request, MHD_HTTP_HEADER_UPGRADE, upgrade->protocol);
    http_reply_queue(request, NULL);
    return 0;
}

void lm_http_upgrade_end(struct lm_http_request *request)
{
    request->handed_out = false;
    if (http_request_change_state(request, HTTP_GONE))
        http_upgrade_close(request);
}
