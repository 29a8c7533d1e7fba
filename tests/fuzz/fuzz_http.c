/*
 * Any bytes on a connection to the HTTP server, in one or two pieces (the first byte says where they are
 * cut). A handler that is reached must have been given a body within its route's limit; nothing may crash,
 * leak or stay behind.
 */
#include "common/http/http_server.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BODY 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_request(struct lm_http_request *request, void *context)
{
    size_t len;
    const char *body = lm_http_body(request, &len);
    (void)context;
    if (len > MAX_BODY || lm_http_path(request)[0] != '/' ||
        (strcmp(lm_http_method(request), "GET") == 0 && len > 0))
        abort();
    if (lm_http_query(request, "q") != NULL && lm_http_header(request, "x-thing") != NULL)
        lm_http_reply_header(request, "X-Thing", lm_http_header(request, "x-thing"));
    lm_http_reply(request, 200, "text/plain", body, len);
}

static void send_and_turn(uv_loop_t *loop, int fd, const uint8_t *data, size_t size)
{
    char scrap[4096];
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            break;
        data += n;
        size -= (size_t)n;
    }
    for (int i = 0; i < 4; i++)
        uv_run(loop, UV_RUN_NOWAIT);
    while (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lm_http_route routes[] = {
        {.method = "POST", .path = "/p", .max_body = MAX_BODY, .handler = on_request},
        {.method = "GET", .path = "/{name}", .handler = on_request},
    };
    uv_loop_t loop;
    struct lm_http_server *server;
    struct lm_error error;
    lm_log_set_threshold(LM_LOG_FATAL);
    struct lm_http_options options = {.loop = &loop, .listen = "127.0.0.1:0"};
    if (uv_loop_init(&loop) != 0 || lm_http_server_open(&options, &server, &error) != 0)
        abort();
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (lm_http_server_route(server, &routes[i]) != 0)
            abort();
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)atoi(strrchr(lm_http_server_url(server), ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* or the machine runs out of ports */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && size > 0) {
        size_t cut = data[0] < size ? data[0] : size - 1;
        send_and_turn(&loop, fd, data + 1, cut);
        send_and_turn(&loop, fd, data + 1 + cut, size - 1 - cut);
    }
    close(fd);
    lm_http_server_close(server, 0, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        abort();
    return 0;
}
