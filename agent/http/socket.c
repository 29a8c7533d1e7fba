/*
 * wslay calls back for bytes and messages from inside wslay_event_recv and wslay_event_send, so nothing is
 * torn down there: every turn ends in settle(), which alone decides what is waited for or that it is over.
 *
 * Its buffering of messages is off: it checks the length of every frame but allocates for each one, so that
 * a message of one-byte frames would take a hundred times its length.
 */
#include "agent/http/socket.h"

#include "common/buffer.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#define CLOSE_MS 2000
#define READ_BUDGET ((size_t)64 << 10) /* bytes a turn, so that nobody has the loop for himself */
#define OUT_SIZE ((size_t)16 << 10)    /* frames are gathered up to so many bytes for one send() */
#define SLOW_UNSENT ((size_t)1 << 20)
#define SLOW_MESSAGES 1024

enum socket_state {
    SOCKET_OPEN,
    SOCKET_DRAINING, /* nothing more comes or goes but what was sent; then the close */
    SOCKET_CLOSING,  /* the close is on its way, or the peer's is here */
    SOCKET_GONE
};

struct ag_socket {
    struct ag_socket_options options;
    enum socket_state state;
    wslay_event_context_ptr frames;
    uv_poll_t poll;
    uv_timer_t timer; /* pings, then the end of closing */
    unsigned open_handles;
    int watched; /* what the poll waits for */
    struct lm_buffer early;
    size_t early_read;
    struct lm_buffer message; /* as far as it has come */
    bool control;             /* the frame that comes is no part of it */
    struct lm_buffer out;     /* bytes of frames */
    size_t out_sent;
    size_t budget;
    unsigned code; /* that we close with; 0: wslay knows */
    const char *reason;
    bool blocked; /* the peer has not taken all that was sent */
    bool heard;   /* a sign of life since the last ping */
    bool ended;   /* there is no peer any more */
    bool shut;    /* our side */
};

static const char *const state_names[] = {"open", "draining", "closing", "gone"};

static bool change_state(struct ag_socket *socket, enum socket_state to)
{
    if (to <= socket->state) {
        return false;
    }
    lm_log(LM_LOG_DEBUG, "socket", "%s -> %s", state_names[socket->state], state_names[to]);
    socket->state = to;
    return true;
}

/* ---- what is waited for ---- */

static void on_timer(uv_timer_t *timer);

static void begin_closing(struct ag_socket *socket)
{
    if (change_state(socket, SOCKET_CLOSING)) {
        uv_timer_start(&socket->timer, on_timer, CLOSE_MS, 0);
    }
}

static bool is_slow(const struct ag_socket *socket)
{
    return ag_socket_unsent(socket) >= SLOW_UNSENT ||
           wslay_event_get_queued_msg_count(socket->frames) >= SLOW_MESSAGES;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct ag_socket *socket)
{
    int events = socket->state < SOCKET_CLOSING && is_slow(socket) ? UV_DISCONNECT : UV_READABLE;
    if (wslay_event_want_write(socket->frames) || socket->out.len > 0 || socket->early.len > 0 ||
        socket->state == SOCKET_DRAINING) {
        events |= UV_WRITABLE; /* there is something to do as soon as that can be */
    }
    if (events != socket->watched && uv_poll_start(&socket->poll, events, on_poll) == 0) {
        socket->watched = events;
    }
}

/* wslay sends a close before the messages that wait. */
static void queue_close(struct ag_socket *socket)
{
    (void)wslay_event_queue_close(socket->frames, (uint16_t)socket->code, (const uint8_t *)socket->reason,
                                  strlen(socket->reason));
    begin_closing(socket);
}

/* Closes before what waits to be sent. */
static void cut_short(struct ag_socket *socket, unsigned code, const char *reason)
{
    socket->code = code;
    socket->reason = reason;
    queue_close(socket);
    watch(socket);
}

/* ---- bytes out ---- */

/* True: nothing is left. */
static bool send_out(struct ag_socket *socket)
{
    struct lm_buffer *out = &socket->out;
    while (socket->out_sent < out->len) {
        const ssize_t n = send(socket->options.fd, out->data + socket->out_sent, out->len - socket->out_sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            socket->blocked = errno == EAGAIN;
            socket->ended = socket->ended || errno != EAGAIN;
            return false;
        }
        /* Taking what had to wait is a sign of life; a socket's buffer takes bytes for the dead as well. */
        socket->heard = socket->heard || socket->blocked;
        socket->out_sent += (size_t)n;
    }
    socket->blocked = false;
    socket->out_sent = 0;
    lm_buffer_clear(out);
    return true;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags,
                       void *context)
{
    struct ag_socket *socket = context;
    (void)flags;
    if (socket->out.len == OUT_SIZE && !send_out(socket)) {
        wslay_event_set_error(frames, socket->ended ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    const size_t n = len < OUT_SIZE - socket->out.len ? len : OUT_SIZE - socket->out.len;
    lm_buffer_append(&socket->out, data, n);
    if (socket->out.failed) {
        wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)n;
}

static void flush(struct ag_socket *socket)
{
    if (wslay_event_send(socket->frames) != 0) {
        socket->ended = true;
    } else if (send_out(socket)) {
        lm_buffer_free(&socket->out);
    }
}

/* ---- bytes in ---- */

static ssize_t read_early(struct ag_socket *socket, uint8_t *out, size_t max)
{
    const size_t left = socket->early.len - socket->early_read;
    const size_t n = left < max ? left : max;
    memcpy(out, socket->early.data + socket->early_read, n);
    socket->early_read += n;
    if (n == left) {
        socket->early_read = 0;
        lm_buffer_free(&socket->early);
    }
    return (ssize_t)n;
}

/* Bytes read, 0 for none at the moment, -1 at the end. */
static ssize_t read_socket(struct ag_socket *socket, uint8_t *out, size_t max)
{
    ssize_t n = 0;
    if (socket->early.len > 0) {
        return read_early(socket, out, max);
    }
    if (socket->budget == 0) {
        return 0;
    }
    do {
        n = recv(socket->options.fd, out, max < socket->budget ? max : socket->budget, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        return 0;
    }
    if (n <= 0) {
        socket->ended = true;
        return -1;
    }
    socket->budget -= (size_t)n;
    socket->heard = true;
    return n;
}

static ssize_t on_receive(wslay_event_context_ptr frames, uint8_t *out, size_t max, int flags, void *context)
{
    const ssize_t n = read_socket(context, out, max);
    (void)flags;
    if (n > 0) {
        return n;
    }
    wslay_event_set_error(frames, n == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_frame(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *frame,
                     void *context)
{
    struct ag_socket *socket = context;
    (void)frames;
    socket->control = wslay_is_ctrl_frame(frame->opcode) != 0;
}

static void on_chunk(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                     void *context)
{
    struct ag_socket *socket = context;
    if (socket->control || socket->state != SOCKET_OPEN) {
        return;
    }
    lm_buffer_append(&socket->message, chunk->data, chunk->data_length);
    if (socket->message.failed) {
        cut_short(socket, AG_SOCKET_TOO_BIG, "");
        wslay_event_shutdown_read(frames); /* there may be no end to it */
    }
}

static void on_message(wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message,
                       void *context)
{
    struct ag_socket *socket = context;
    (void)frames;
    if (wslay_is_ctrl_frame(message->opcode) || socket->state != SOCKET_OPEN) {
        return;
    }
    if (message->opcode != WSLAY_TEXT_FRAME) {
        cut_short(socket, AG_SOCKET_UNSUPPORTED, "text messages only");
        return;
    }
    const size_t len = socket->message.len;
    const char *text = lm_buffer_text(&socket->message);
    if (text == NULL) {
        cut_short(socket, AG_SOCKET_TRY_LATER, "out of memory");
        return;
    }
    socket->options.message(text, len, socket->options.context);
    lm_buffer_free(&socket->message);
}

static void receive(struct ag_socket *socket)
{
    uint8_t scrap[4096];
    socket->budget = READ_BUDGET;
    if (wslay_event_get_read_enabled(socket->frames)) {
        if (wslay_event_recv(socket->frames) != 0) {
            socket->ended = true;
        }
        return;
    }
    /* What still comes is of no interest, but left unread it would reset the connection under our close. */
    while (read_socket(socket, scrap, sizeof(scrap)) > 0) {}
}

/* ---- a turn ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct ag_socket *socket = handle->data;
    if (--socket->open_handles == 0) {
        free(socket);
    }
}

void ag_socket_drop(struct ag_socket *socket)
{
    (void)change_state(socket, SOCKET_GONE);
    uv_poll_stop(&socket->poll);
    uv_close((uv_handle_t *)&socket->poll, on_handle_closed);
    uv_close((uv_handle_t *)&socket->timer, on_handle_closed);
    wslay_event_context_free(socket->frames);
    lm_buffer_free(&socket->early);
    lm_buffer_free(&socket->message);
    lm_buffer_free(&socket->out);
}

/* Both sides have said so, or there is only one left. */
static bool is_over(struct ag_socket *socket)
{
    if (socket->ended) {
        return true;
    }
    if (!wslay_event_get_close_sent(socket->frames) || socket->out.len > 0) {
        return false;
    }
    if (!socket->shut && shutdown(socket->options.fd, SHUT_WR) != 0) {
        return true;
    }
    socket->shut = true;
    return wslay_event_get_close_received(socket->frames) != 0;
}

static void settle(struct ag_socket *socket)
{
    if (!wslay_event_get_read_enabled(socket->frames)) {
        begin_closing(socket); /* wslay has seen a close, or what must not be */
    }
    if (socket->state == SOCKET_DRAINING && wslay_event_get_queued_msg_count(socket->frames) == 0) {
        queue_close(socket);
    }
    if (!is_over(socket)) {
        watch(socket);
        return;
    }
    const unsigned code = socket->code != 0 ? socket->code : wslay_event_get_status_code_sent(socket->frames);
    void (*closed)(unsigned, void *) = socket->options.closed;
    void *context = socket->options.context;
    ag_socket_drop(socket);
    closed(code, context);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct ag_socket *socket = poll->data;
    if (status != 0) {
        socket->ended = true;
    } else {
        if ((events & UV_READABLE) != 0 || socket->early.len > 0) {
            receive(socket);
        }
        /* Seen only while nothing is read: what was asked then is asked by nobody. */
        socket->ended = socket->ended || (events & UV_DISCONNECT) != 0;
        flush(socket);
    }
    settle(socket);
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_socket *socket = timer->data;
    const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    if (socket->state == SOCKET_CLOSING || !socket->heard ||
        wslay_event_queue_msg(socket->frames, &ping) != 0) {
        socket->ended = true;
    } else {
        socket->heard = false;
        socket->options.alive(socket->options.context);
    }
    settle(socket);
}

/* ---- the owner's ---- */

struct ag_socket *ag_socket_open(const struct ag_socket_options *options, const char *early, size_t len)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_receive,
                                                           .send_callback = on_send,
                                                           .on_frame_recv_start_callback = on_frame,
                                                           .on_frame_recv_chunk_callback = on_chunk,
                                                           .on_msg_recv_callback = on_message};
    struct ag_socket *socket = calloc(1, sizeof(*socket));
    if (socket == NULL || wslay_event_context_server_init(&socket->frames, &callbacks, socket) != 0) {
        free(socket);
        return NULL;
    }
    socket->options = *options;
    socket->heard = true;
    wslay_event_config_set_no_buffering(socket->frames, 1);
    wslay_event_config_set_max_recv_msg_length(socket->frames, options->max_message);
    lm_buffer_init(&socket->early, len);
    lm_buffer_init(&socket->message, options->max_message);
    lm_buffer_init(&socket->out, OUT_SIZE);
    lm_buffer_append(&socket->early, early, len);
    if (socket->early.failed || uv_poll_init(options->loop, &socket->poll, options->fd) != 0) {
        wslay_event_context_free(socket->frames);
        lm_buffer_free(&socket->early);
        free(socket);
        return NULL;
    }
    uv_timer_init(options->loop, &socket->timer);
    uv_timer_start(&socket->timer, on_timer, options->ping_ms, options->ping_ms);
    socket->poll.data = socket;
    socket->timer.data = socket;
    socket->open_handles = 2;
    watch(socket);
    return socket;
}

bool ag_socket_send(struct ag_socket *socket, const char *text, size_t len)
{
    const struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = len};
    if (socket->state != SOCKET_OPEN) {
        return false;
    }
    if (ag_socket_unsent(socket) >= socket->options.max_unsent) {
        cut_short(socket, AG_SOCKET_TRY_LATER, "read faster, or ask for less at once");
        return false;
    }
    if (wslay_event_queue_msg(socket->frames, &message) != 0) {
        cut_short(socket, AG_SOCKET_TRY_LATER, "out of memory");
        return false;
    }
    watch(socket);
    return true;
}

size_t ag_socket_unsent(const struct ag_socket *socket)
{
    return wslay_event_get_queued_msg_length(socket->frames) + socket->out.len - socket->out_sent;
}

void ag_socket_close(struct ag_socket *socket, unsigned code, const char *reason)
{
    if (socket->state != SOCKET_OPEN) {
        return;
    }
    socket->code = code;
    socket->reason = reason;
    (void)change_state(socket, SOCKET_DRAINING);
    watch(socket);
}
