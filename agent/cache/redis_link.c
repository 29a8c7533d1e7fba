#include "agent/cache/redis_link.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define SILENT_US (5 * LM_SECOND_US)  /* for any command: the connection is given up */
#define UNSENT ((size_t)8 << 20)      /* bytes the socket has not taken; beyond it nothing more is sent */
#define REPLY_ROOM ((size_t)64 << 10) /* beside a value: what else may lie in the reader */
#define KEEPALIVE_S 60

enum link_state { LINK_RESOLVING, LINK_CONNECTING, LINK_SECURING, LINK_OPEN, LINK_GONE };

struct ag_redis_link {
    struct ag_redis_link_options options;
    enum link_state state;
    bool has_socket;
    uv_tcp_t socket;
    uv_getaddrinfo_t resolving;
    uv_connect_t connecting;
    struct ag_tls *tls; /* NULL: plain */
    struct ag_resp *resp;
    char input[16384];
};

struct sending {
    uv_write_t write;
    struct ag_redis_link *link;
    char data[];
};

static void change_state(struct ag_redis_link *link, enum link_state to)
{
    static const char *const names[] = {"resolving", "connecting", "securing", "open", "gone"};
    lm_log(LM_LOG_DEBUG, "redis", "link to %s:%s: %s -> %s", link->options.url->host, link->options.url->port,
           names[link->state], names[to]);
    link->state = to;
}

/* ---- its end ---- */

static void free_parts(struct ag_redis_link *link)
{
    ag_tls_free(link->tls);
    ag_resp_free(link->resp);
    free(link);
}

static void free_link(struct ag_redis_link *link)
{
    void (*freed)(void *) = link->options.freed;
    void *context = link->options.context;
    free_parts(link);
    freed(context);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free_link(handle->data);
}

void ag_redis_link_drop(struct ag_redis_link *link)
{
    change_state(link, LINK_GONE);
    ag_resp_stop(link->resp);
    if (link->has_socket) {
        uv_close((uv_handle_t *)&link->socket, on_socket_closed);
    } else {
        (void)uv_cancel((uv_req_t *)&link->resolving); /* on_resolved comes in any case, and frees it */
    }
}

static void fail(struct ag_redis_link *link, int status, const char *what)
{
    struct lm_error error;
    lm_error_set(&error, LM_RETRY, "unavailable", "%s: %s", what, uv_strerror(status));
    link->options.broken(&error, link->options.context);
}

/* ---- sending ---- */

static void on_sent(uv_write_t *write, int status)
{
    struct sending *sending = write->data;
    struct ag_redis_link *link = sending->link;
    free(sending);
    if (status != 0 && link->state != LINK_GONE) {
        fail(link, status, "cannot be written to");
    }
}

/* Bytes for the wire. */
static int send_bytes(struct ag_redis_link *link, const struct lm_buffer *bytes)
{
    if (bytes->len == 0) {
        return bytes->failed ? -1 : 0;
    }
    struct sending *sending = !bytes->failed ? malloc(sizeof(*sending) + bytes->len) : NULL;
    if (sending == NULL) {
        return -1;
    }
    sending->link = link;
    sending->write.data = sending;
    memcpy(sending->data, bytes->data, bytes->len);
    const uv_buf_t piece = uv_buf_init(sending->data, (unsigned)bytes->len);
    if (uv_write(&sending->write, (uv_stream_t *)&link->socket, &piece, 1, on_sent) != 0) {
        free(sending);
        return -1;
    }
    return 0;
}

/* What the conversation wrote. A failure here leaves a command without its bytes: the link must go. */
static int send_plain(struct ag_redis_link *link, const struct lm_buffer *plain, struct lm_error *error)
{
    struct lm_buffer wire;
    int result = 0;
    if (link->tls == NULL) {
        result = send_bytes(link, plain);
    } else {
        lm_buffer_init(&wire, plain->len * 2 + (64u << 10));
        result = ag_tls_send(link->tls, plain->data, plain->len, &wire, error);
        if (result != 0) {
            lm_buffer_free(&wire);
            return -1;
        }
        result = send_bytes(link, &wire);
        lm_buffer_free(&wire);
    }
    return result == 0 ? 0 : lm_error_set(error, LM_RETRY, "unavailable", "a command could not be sent");
}

int ag_redis_link_say(struct ag_redis_link *link, const struct ag_resp_argument *arguments, size_t count,
                      ag_reply_handler handler, void *context, struct lm_error *error)
{
    struct lm_buffer plain;
    const int64_t oldest_us = ag_resp_oldest_us(link->resp);
    if (oldest_us != 0 && lm_clock_mono_us() - oldest_us > SILENT_US) {
        return lm_error_set(error, LM_RETRY, "unavailable", "the server answers nothing");
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&link->socket) > UNSENT) {
        return 1;
    }
    lm_buffer_init(&plain, link->options.max_value + 4096);
    if (ag_resp_write(link->resp, arguments, count, handler, context, &plain) != 0) {
        lm_buffer_free(&plain);
        return 1;
    }
    const int result = send_plain(link, &plain, error);
    lm_buffer_free(&plain);
    return result;
}

/* ---- receiving ---- */

static void become_open(struct ag_redis_link *link)
{
    change_state(link, LINK_OPEN);
    link->options.opened(link->options.context);
}

static int take_secured(struct ag_redis_link *link, const char *data, size_t len, struct lm_error *error)
{
    struct lm_buffer plain;
    struct lm_buffer wire;
    lm_buffer_init(&plain, 256u << 10);
    lm_buffer_init(&wire, 256u << 10);
    int result = ag_tls_take(link->tls, data, len, &plain, &wire, error);
    if (send_bytes(link, &wire) != 0 && result >= 0) {
        result = lm_error_set(error, LM_RETRY, "unavailable", "TLS could not be sent");
    }
    if (result == 1 && link->state == LINK_SECURING) {
        become_open(link);
    }
    if (result == 1 && link->state == LINK_OPEN) {
        result = plain.failed ? lm_error_set(error, LM_RETRY, "memory", "out of memory for TLS")
                              : ag_resp_feed(link->resp, plain.data, plain.len, error);
    }
    lm_buffer_free(&plain);
    lm_buffer_free(&wire);
    return result < 0 ? -1 : 0;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct ag_redis_link *link = stream->data;
    struct lm_error error;
    if (n < 0) {
        fail(link, (int)n, "the connection ended");
    } else if (n > 0) {
        const int result = link->tls != NULL ? take_secured(link, buffer->base, (size_t)n, &error)
                                             : ag_resp_feed(link->resp, buffer->base, (size_t)n, &error);
        if (result != 0 && link->state != LINK_GONE) {
            link->options.broken(&error, link->options.context);
        }
    }
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct ag_redis_link *link = handle->data;
    (void)size;
    *buffer = uv_buf_init(link->input, sizeof(link->input));
}

/* ---- connecting ---- */

static void on_connected(uv_connect_t *connecting, int status)
{
    struct ag_redis_link *link = connecting->data;
    struct lm_error error;
    if (link->state == LINK_GONE) {
        return;
    }
    if (status == 0) {
        (void)uv_tcp_nodelay(&link->socket, 1);
        (void)uv_tcp_keepalive(&link->socket, 1, KEEPALIVE_S);
        status = uv_read_start((uv_stream_t *)&link->socket, on_room, on_read);
    }
    if (status != 0) {
        fail(link, status, "cannot be connected to");
    } else if (link->tls == NULL) {
        become_open(link);
    } else {
        change_state(link, LINK_SECURING);
        if (take_secured(link, NULL, 0, &error) != 0) {
            link->options.broken(&error, link->options.context);
        }
    }
}

static void on_resolved(uv_getaddrinfo_t *resolving, int status, struct addrinfo *addresses)
{
    struct ag_redis_link *link = resolving->data;
    unsigned count = 0;
    if (link->state == LINK_GONE) {
        uv_freeaddrinfo(addresses);
        free_link(link);
        return;
    }
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        count++;
    }
    if (status == 0 && count > 0) {
        const struct addrinfo *address = addresses;
        for (unsigned skip = link->options.attempt % count; skip > 0; skip--) {
            address = address->ai_next;
        }
        change_state(link, LINK_CONNECTING);
        status = uv_tcp_init(link->options.loop, &link->socket);
        link->has_socket = status == 0;
        link->socket.data = link;
        link->connecting.data = link;
        if (status == 0) {
            status = uv_tcp_connect(&link->connecting, &link->socket, address->ai_addr, on_connected);
        }
    } else if (status == 0) {
        status = UV_EAI_NONAME;
    }
    uv_freeaddrinfo(addresses);
    if (status != 0) {
        const bool resolved = link->has_socket;
        fail(link, status, "cannot be reached");
        if (!resolved) {
            free_link(link); /* there is nothing left that would call back */
        }
    }
}

int ag_redis_link_open(const struct ag_redis_link_options *options, struct ag_redis_link **out,
                       struct lm_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct ag_redis_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a connection");
    }
    link->options = *options;
    link->resolving.data = link;
    link->resp = ag_resp_new(options->max_value + REPLY_ROOM);
    link->tls = options->tls != NULL ? ag_tls_new(options->tls, options->url->host) : NULL;
    int status = UV_ENOMEM;
    if (link->resp != NULL && (options->tls == NULL || link->tls != NULL)) {
        status = uv_getaddrinfo(options->loop, &link->resolving, on_resolved, options->url->host,
                                options->url->port, &hints);
    }
    if (status != 0) {
        free_parts(link);
        return lm_error_set(error, LM_RETRY, "unavailable", "cannot be reached: %s", uv_strerror(status));
    }
    *out = link;
    return 0;
}
