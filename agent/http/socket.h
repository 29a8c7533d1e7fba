/*
 * One WebSocket (RFC 6455), the server's side, on a connected socket behind its handshake: text messages both
 * ways, each side's close, and an end to peers that break the rules, read too slowly or are gone. wslay has
 * the frames; here are the socket, the bounds and the time.
 *
 *   1002  a frame against the protocol          1003  a binary message
 *   1007  a message that is not UTF-8           1009  a message over max_message bytes
 *   1013  max_unsent bytes wait to be taken, and another message is to be sent
 *
 * A peer from which nothing has come, and which has taken nothing that waited, between two pings is gone.
 * While SLOW_UNSENT bytes or SLOW_MESSAGES frames wait to be taken nothing more is read. Whoever does not
 * answer a close within 2 s is cut off. Loop thread.
 */
#ifndef LOGMILL_AGENT_HTTP_SOCKET_H
#define LOGMILL_AGENT_HTTP_SOCKET_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    AG_SOCKET_NORMAL = 1000,
    AG_SOCKET_GOING_AWAY = 1001,
    AG_SOCKET_UNSUPPORTED = 1003,
    AG_SOCKET_POLICY = 1008,
    AG_SOCKET_TOO_BIG = 1009,
    AG_SOCKET_TRY_LATER = 1013
};

struct ag_socket;

struct ag_socket_options {
    uv_loop_t *loop;
    int fd; /* stays the owner's, who closes it once `closed` was called or ag_socket_drop has returned */
    size_t max_message; /* bytes */
    size_t max_unsent;  /* bytes; a message is taken whole as long as less waits */
    unsigned ping_ms;
    /* A message, NUL-terminated as well, valid during the call; may send and close. */
    void (*message)(const char *text, size_t len, void *context);
    /* With every ping. */
    void (*alive)(void *context);
    /* Once, and then nothing more, unless dropped. `code` is the one we closed with; 1006: we did not, the
     * peer had gone. */
    void (*closed)(unsigned code, void *context);
    void *context;
};

/* `early` is what came behind the handshake; copied. NULL without memory or when the loop cannot watch the
 * socket. */
struct ag_socket *ag_socket_open(const struct ag_socket_options *options, const char *early, size_t len);
/* `text` is valid UTF-8 and copied. False: it closes, memory is short, or the peer is too slow, which closes.
 * Calls nobody back. */
bool ag_socket_send(struct ag_socket *socket, const char *text, size_t len);
/* Bytes sent and not yet taken by the connection. */
size_t ag_socket_unsent(const struct ag_socket *socket);
/* Begins to close: no message more in either direction but those sent; `closed` follows. Nothing where that
 * has begun. `reason` is a literal, at most 123 bytes. */
void ag_socket_close(struct ag_socket *socket, unsigned code, const char *reason);
/* At once; not from inside `message`. `closed` is not called, the memory is freed on the loop. */
void ag_socket_drop(struct ag_socket *socket);

#endif
