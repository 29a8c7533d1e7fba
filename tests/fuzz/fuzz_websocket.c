/*
 * Any bytes on a WebSocket behind its handshake, in two pieces, the first of which comes with the handshake
 * (the first byte says where they are cut): every message that arrives is text within its bound, and is read
 * as an ask or a cancel, answered, or refused. Nothing may crash, leak or stay behind once the peer has gone.
 */
#include "agent/http/message.h"
#include "agent/http/socket.h"
#include "common/log.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_MESSAGE 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct owner {
    struct ag_socket *socket; /* NULL once it has closed */
};

static bool is_utf8(const char *text, size_t len)
{
    while (len > 0) {
        const size_t n = lm_utf8_sequence(text, len);
        if (n == 0)
            return false;
        text += n;
        len -= n;
    }
    return true;
}

static void on_message(const char *text, size_t len, void *context)
{
    struct owner *owner = context;
    struct ag_message message;
    struct lm_error error;
    if (len > MAX_MESSAGE || text[len] != '\0' || !is_utf8(text, len))
        abort();
    if (ag_message_read(text, len, &message, &error) == 0) {
        if (message.id[0] == '\0' || !json_is_object(message.request))
            abort();
        if (message.type == AG_MESSAGE_CANCEL)
            ag_socket_close(owner->socket, AG_SOCKET_NORMAL, message.id[0] == 'c' ? "done" : "");
    }
    (void)ag_socket_send(owner->socket, text, len);
    ag_message_clear(&message);
}

static void on_alive(void *context)
{
    (void)context;
}

static void on_closed(unsigned code, void *context)
{
    struct owner *owner = context;
    (void)code;
    owner->socket = NULL;
}

static void turn(uv_loop_t *loop, int fd)
{
    char scrap[4096];
    for (int i = 0; i < 4; i++)
        uv_run(loop, UV_RUN_NOWAIT);
    while (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uv_loop_t loop;
    int fds[2];
    struct owner owner = {.socket = NULL};
    lm_log_set_threshold(LM_LOG_FATAL);
    if (size == 0)
        return 0;
    if (uv_loop_init(&loop) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    const struct ag_socket_options options = {.loop = &loop,
                                              .fd = fds[0],
                                              .max_message = MAX_MESSAGE,
                                              .max_unsent = 4096,
                                              .ping_ms = 60000,
                                              .message = on_message,
                                              .alive = on_alive,
                                              .closed = on_closed,
                                              .context = &owner};
    const size_t cut = data[0] < size ? data[0] : size - 1;
    owner.socket = ag_socket_open(&options, (const char *)data + 1, cut);
    if (owner.socket == NULL)
        abort();
    turn(&loop, fds[1]);
    if (send(fds[1], data + 1 + cut, size - 1 - cut, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        turn(&loop, fds[1]);
    close(fds[1]);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends, for the peer has gone */
    if (owner.socket != NULL)
        abort();
    close(fds[0]);
    if (uv_loop_close(&loop) != 0)
        abort();
    return 0;
}
