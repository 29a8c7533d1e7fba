/*
 * Each attempt to connect is a link of its own (socket, TLS, conversation), which is let go as a whole and
 * freed when its socket has closed; nothing of an old link can speak into a new one.
 *
 * Replies come in the order of the commands, so look-ups are numbered: the reply to one that was given up
 * meanwhile finds nobody with its number.
 */
#include "agent/redis.h"

#include "agent/redis_url.h"
#include "agent/resp.h"
#include "agent/tls_stream.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 3000               /* from the name to the end of the greeting */
#define MISSED 3                      /* look-ups in a row without an answer in time */
#define SILENT_US (5 * LM_SECOND_US)  /* for any command: the connection is given up */
#define UNSENT ((size_t)8 << 20)      /* bytes the socket has not taken; beyond it nothing more is sent */
#define REPLY_ROOM ((size_t)64 << 10) /* beside a value: what else may lie in the reader */
#define KEEPALIVE_S 60

enum redis_state {
    REDIS_DOWN,
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_SECURING,
    REDIS_GREETING,
    REDIS_UP,
    REDIS_CLOSED
};

struct redis_link {
    struct ag_redis *redis;
    bool gone; /* let go: only what closes it still calls back */
    bool has_socket;
    uv_tcp_t socket;
    uv_getaddrinfo_t resolving;
    uv_connect_t connecting;
    struct ag_tls *tls; /* NULL: plain */
    struct ag_resp *resp;
    uint64_t asked, answered; /* look-ups */
    char input[16384];
};

struct sending {
    uv_write_t write;
    struct redis_link *link;
    char data[];
};

struct ag_redis {
    struct ag_redis_options options;
    struct ag_redis_url url;
    SSL_CTX *tls; /* NULL: plain */
    enum redis_state state;
    struct redis_link *link; /* NULL in REDIS_DOWN */
    uv_timer_t timer;        /* the next attempt; the end of this one; once up, of the oldest look-up */
    struct lm_backoff backoff;
    unsigned attempts;                    /* each takes the next of the host's addresses */
    struct ag_redis_lookup *first, *last; /* the oldest first */
    unsigned missed;                      /* in a row */
    unsigned open;                        /* links and handles */
    void (*closed)(void *context);
    void *closed_context;
    struct lm_gauge *up;
    struct lm_log_limit complaint;
};

static void connect_now(struct ag_redis *redis);
static void went_down(struct ag_redis *redis, const struct lm_error *error);
static void on_timer(uv_timer_t *timer);

static void change_state(struct ag_redis *redis, enum redis_state to)
{
    static const char *const names[] = {"down",     "resolving", "connecting", "securing",
                                        "greeting", "up",        "closed"};
    if (redis->state == REDIS_CLOSED) {
        return;
    }
    lm_log(to == REDIS_UP ? LM_LOG_INFO : LM_LOG_DEBUG, "redis", "%s:%s: %s -> %s", redis->url.host,
           redis->url.port, names[redis->state], names[to]);
    lm_gauge_set(redis->up, to == REDIS_UP ? 1 : 0);
    redis->state = to;
}

/* ---- look-ups that wait ---- */

static void unlink_lookup(struct ag_redis_lookup *lookup)
{
    struct ag_redis *redis = lookup->redis;
    *(lookup->previous != NULL ? &lookup->previous->next : &redis->first) = lookup->next;
    *(lookup->next != NULL ? &lookup->next->previous : &redis->last) = lookup->previous;
    lookup->next = lookup->previous = NULL;
    lookup->redis = NULL;
}

static void tell(struct ag_redis_lookup *lookup, const char *value, size_t len)
{
    unlink_lookup(lookup);
    lookup->told(value, len, lookup->context);
}

/* Once it is up, the timer is that of the oldest look-up. */
static void watch_first(struct ag_redis *redis)
{
    if (redis->state != REDIS_UP) {
        return;
    }
    if (redis->first == NULL) {
        uv_timer_stop(&redis->timer);
        return;
    }
    const int64_t left_us = redis->first->until_us - lm_clock_mono_us();
    uv_timer_start(&redis->timer, on_timer, left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0, 0);
}

static void count_missed(struct ag_redis *redis, const char *why)
{
    struct lm_error error;
    if (++redis->missed >= MISSED && redis->state == REDIS_UP) {
        lm_error_set(&error, LM_RETRY, "unavailable", "%s", why);
        went_down(redis, &error);
    }
}

static void give_late_up(struct ag_redis *redis)
{
    const int64_t now_us = lm_clock_mono_us();
    bool late = false;
    while (redis->first != NULL && redis->first->until_us <= now_us) {
        tell(redis->first, NULL, 0);
        late = true;
    }
    if (late) {
        count_missed(redis, "look-ups are not answered in time");
    }
    watch_first(redis);
}

/* ---- letting a link go ---- */

static void release(struct ag_redis *redis)
{
    if (--redis->open > 0) {
        return;
    }
    void (*closed)(void *) = redis->closed;
    void *context = redis->closed_context;
    ag_tls_context_free(redis->tls);
    free(redis);
    closed(context);
}

static void free_link(struct redis_link *link)
{
    struct ag_redis *redis = link->redis;
    ag_tls_free(link->tls);
    ag_resp_free(link->resp);
    free(link);
    release(redis);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free_link(handle->data);
}

static void let_go(struct ag_redis *redis)
{
    struct redis_link *link = redis->link;
    redis->link = NULL;
    if (link == NULL) {
        return;
    }
    link->gone = true;
    ag_resp_stop(link->resp);
    if (link->has_socket) {
        uv_close((uv_handle_t *)&link->socket, on_socket_closed);
    } else {
        (void)uv_cancel((uv_req_t *)&link->resolving); /* on_resolved comes in any case, and frees it */
    }
}

static void went_down(struct ag_redis *redis, const struct lm_error *error)
{
    const uint32_t delay = lm_backoff_next(&redis->backoff);
    lm_log_limited(&redis->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "redis",
                   "%s:%s: %s; answers are not shared meanwhile, again in %u ms", redis->url.host,
                   redis->url.port, error->text, delay);
    let_go(redis);
    redis->missed = 0;
    change_state(redis, REDIS_DOWN);
    uv_timer_start(&redis->timer, on_timer, delay, 0);
    while (redis->first != NULL) {
        tell(redis->first, NULL, 0);
    }
}

static void fail(struct ag_redis *redis, int status, const char *what)
{
    struct lm_error error;
    lm_error_set(&error, LM_RETRY, "unavailable", "%s: %s", what, uv_strerror(status));
    went_down(redis, &error);
}

/* ---- sending ---- */

static void on_sent(uv_write_t *write, int status)
{
    struct sending *sending = write->data;
    struct redis_link *link = sending->link;
    free(sending);
    if (status != 0 && !link->gone) {
        fail(link->redis, status, "cannot be written to");
    }
}

/* Bytes for the wire. */
static int send_bytes(struct redis_link *link, const struct lm_buffer *bytes)
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
static int send_plain(struct redis_link *link, const struct lm_buffer *plain, struct lm_error *error)
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

/* Writes one command and sends it. False: it cannot be asked now. */
static bool command(struct ag_redis *redis, const struct ag_resp_argument *arguments, size_t count,
                    ag_reply_handler handler)
{
    struct redis_link *link = redis->link;
    struct lm_buffer plain;
    struct lm_error error;
    const int64_t oldest_us = ag_resp_oldest_us(link->resp);
    if (oldest_us != 0 && lm_clock_mono_us() - oldest_us > SILENT_US) {
        lm_error_set(&error, LM_RETRY, "unavailable", "the server answers nothing");
        went_down(redis, &error);
        return false;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&link->socket) > UNSENT) {
        return false;
    }
    lm_buffer_init(&plain, AG_REDIS_MAX_VALUE + 4096);
    if (ag_resp_write(link->resp, arguments, count, handler, redis, &plain) != 0) {
        lm_buffer_free(&plain);
        return false;
    }
    const int sent = send_plain(link, &plain, &error);
    lm_buffer_free(&plain);
    if (sent != 0) {
        went_down(redis, &error);
    }
    return sent == 0;
}

/* ---- the greeting ---- */

static void on_greeted(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    struct lm_error error;
    if (reply->type != AG_REPLY_STATUS) {
        lm_error_set(&error, LM_RETRY, "unavailable", "the server refuses: %.120s",
                     reply->type == AG_REPLY_ERROR ? reply->text : "no status");
        went_down(redis, &error);
    }
}

static void on_ponged(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    on_greeted(reply, redis);
    if (redis->state == REDIS_GREETING) {
        /* The back-off stays as it is until a look-up was answered in time. */
        change_state(redis, REDIS_UP);
        watch_first(redis);
    }
}

#define TEXT(text) ((struct ag_resp_argument){(text), strlen(text)})

static void greet(struct ag_redis *redis)
{
    const struct ag_redis_url *url = &redis->url;
    const struct ag_resp_argument select[] = {TEXT("SELECT"), TEXT(url->database)};
    const struct ag_resp_argument ping[] = {TEXT("PING")};
    bool good = true;
    change_state(redis, REDIS_GREETING);
    if (url->password[0] != '\0' && url->user[0] != '\0') {
        const struct ag_resp_argument login[] = {TEXT("AUTH"), TEXT(url->user), TEXT(url->password)};
        good = command(redis, login, 3, on_greeted);
    } else if (url->password[0] != '\0') {
        const struct ag_resp_argument login[] = {TEXT("AUTH"), TEXT(url->password)};
        good = command(redis, login, 2, on_greeted);
    }
    if (good && strcmp(url->database, "0") != 0) {
        good = command(redis, select, 2, on_greeted);
    }
    if (good) {
        (void)command(redis, ping, 1, on_ponged);
    }
}

/* ---- receiving ---- */

static int take_secured(struct redis_link *link, const char *data, size_t len, struct lm_error *error)
{
    struct lm_buffer plain;
    struct lm_buffer wire;
    lm_buffer_init(&plain, 256u << 10);
    lm_buffer_init(&wire, 256u << 10);
    int result = ag_tls_take(link->tls, data, len, &plain, &wire, error);
    if (send_bytes(link, &wire) != 0 && result >= 0) {
        result = lm_error_set(error, LM_RETRY, "unavailable", "TLS could not be sent");
    }
    if (result == 1 && link->redis->state == REDIS_SECURING) {
        greet(link->redis);
    }
    if (result == 1 && !link->gone) {
        result = plain.failed ? lm_error_set(error, LM_RETRY, "memory", "out of memory for TLS")
                              : ag_resp_feed(link->resp, plain.data, plain.len, error);
    }
    lm_buffer_free(&plain);
    lm_buffer_free(&wire);
    return result < 0 ? -1 : 0;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct redis_link *link = stream->data;
    struct ag_redis *redis = link->redis;
    struct lm_error error;
    if (n < 0) {
        fail(redis, (int)n, "the connection ended");
    } else if (n > 0) {
        const int result = link->tls != NULL ? take_secured(link, buffer->base, (size_t)n, &error)
                                             : ag_resp_feed(link->resp, buffer->base, (size_t)n, &error);
        if (result != 0 && !link->gone) {
            went_down(redis, &error);
        }
    }
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct redis_link *link = handle->data;
    (void)size;
    *buffer = uv_buf_init(link->input, sizeof(link->input));
}

/* ---- connecting ---- */

static void on_connected(uv_connect_t *connecting, int status)
{
    struct redis_link *link = connecting->data;
    struct ag_redis *redis = link->redis;
    struct lm_error error;
    if (link->gone) {
        return;
    }
    if (status == 0) {
        (void)uv_tcp_nodelay(&link->socket, 1);
        (void)uv_tcp_keepalive(&link->socket, 1, KEEPALIVE_S);
        status = uv_read_start((uv_stream_t *)&link->socket, on_room, on_read);
    }
    if (status != 0) {
        fail(redis, status, "cannot be connected to");
    } else if (redis->tls == NULL) {
        greet(redis);
    } else {
        change_state(redis, REDIS_SECURING);
        if (take_secured(link, NULL, 0, &error) != 0) {
            went_down(redis, &error);
        }
    }
}

static void on_resolved(uv_getaddrinfo_t *resolving, int status, struct addrinfo *addresses)
{
    struct redis_link *link = resolving->data;
    struct ag_redis *redis = link->redis;
    unsigned count = 0;
    if (link->gone) {
        uv_freeaddrinfo(addresses);
        free_link(link);
        return;
    }
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        count++;
    }
    if (status == 0 && count > 0) {
        const struct addrinfo *address = addresses;
        for (unsigned skip = redis->attempts++ % count; skip > 0; skip--) {
            address = address->ai_next;
        }
        change_state(redis, REDIS_CONNECTING);
        status = uv_tcp_init(redis->options.loop, &link->socket);
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
        fail(redis, status, "cannot be reached");
        if (!resolved) {
            free_link(link); /* there is nothing left that would call back */
        }
    }
}

static struct redis_link *new_link(struct ag_redis *redis)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return NULL;
    }
    link->redis = redis;
    link->resolving.data = link;
    link->resp = ag_resp_new(AG_REDIS_MAX_VALUE + REPLY_ROOM);
    link->tls = redis->tls != NULL ? ag_tls_new(redis->tls, redis->url.host) : NULL;
    redis->open++;
    if (link->resp == NULL || (redis->tls != NULL && link->tls == NULL)) {
        free_link(link);
        return NULL;
    }
    return link;
}

static void connect_now(struct ag_redis *redis)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct redis_link *link = new_link(redis);
    int status = UV_ENOMEM;
    change_state(redis, REDIS_RESOLVING);
    uv_timer_start(&redis->timer, on_timer, CONNECT_MS, 0);
    if (link != NULL) {
        status = uv_getaddrinfo(redis->options.loop, &link->resolving, on_resolved, redis->url.host,
                                redis->url.port, &hints);
        if (status != 0) {
            free_link(link);
        }
    }
    redis->link = status == 0 ? link : NULL;
    if (status != 0) {
        fail(redis, status, "cannot be reached");
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_redis *redis = timer->data;
    struct lm_error error;
    if (redis->state == REDIS_DOWN) {
        connect_now(redis);
    } else if (redis->state == REDIS_UP) {
        give_late_up(redis);
    } else {
        lm_error_set(&error, LM_RETRY, "unavailable", "no connection within %d s", CONNECT_MS / 1000);
        went_down(redis, &error);
    }
}

/* ---- what the owner asks ---- */

static void on_value(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    struct ag_redis_lookup *lookup = redis->first;
    const uint64_t number = ++redis->link->answered;
    const bool good = reply->type == AG_REPLY_TEXT || reply->type == AG_REPLY_NIL;
    if (lookup != NULL && lookup->number == number) {
        if (good) {
            redis->missed = 0;
            lm_backoff_reset(&redis->backoff);
        }
        tell(lookup, reply->type == AG_REPLY_TEXT ? reply->text : NULL, reply->len);
        watch_first(redis);
    }
    if (!good) {
        count_missed(redis, reply->type == AG_REPLY_ERROR ? reply->text : "the server answers nonsense");
    }
}

bool ag_redis_get(struct ag_redis *redis, const char *key, struct ag_redis_lookup *lookup)
{
    const struct ag_resp_argument get[] = {TEXT("GET"), TEXT(key)};
    if (redis->state != REDIS_UP || !command(redis, get, 2, on_value)) {
        return false;
    }
    lookup->redis = redis;
    lookup->number = ++redis->link->asked;
    lookup->until_us = lm_clock_mono_us() + *redis->options.timeout_ms * 1000;
    lookup->next = NULL;
    lookup->previous = redis->last;
    *(redis->last != NULL ? &redis->last->next : &redis->first) = lookup;
    redis->last = lookup;
    watch_first(redis);
    return true;
}

void ag_redis_forget(struct ag_redis_lookup *lookup)
{
    struct ag_redis *redis = lookup->redis;
    if (redis != NULL) {
        unlink_lookup(lookup);
        watch_first(redis);
    }
}

static void on_stored(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    if (reply->type != AG_REPLY_STATUS) {
        lm_log_limited(&redis->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "redis",
                       "%s:%s does not take an answer: %.120s", redis->url.host, redis->url.port,
                       reply->type == AG_REPLY_ERROR ? reply->text : "no status");
    }
}

void ag_redis_set(struct ag_redis *redis, const char *key, const char *value, size_t len, int64_t ttl_ms)
{
    char ttl[24];
    snprintf(ttl, sizeof(ttl), "%" PRId64, ttl_ms);
    const struct ag_resp_argument set[] = {TEXT("SET"), TEXT(key), {value, len}, TEXT("PX"), TEXT(ttl)};
    if (redis->state == REDIS_UP && len <= AG_REDIS_MAX_VALUE && ttl_ms > 0) {
        (void)command(redis, set, 5, on_stored);
    }
}

/* ---- opening and closing ---- */

int ag_redis_open(const struct ag_redis_options *options, struct ag_redis **out, struct lm_error *error)
{
    struct ag_redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for Redis");
    }
    redis->options = *options;
    if (ag_redis_url_parse(options->url, &redis->url, error) != 0 ||
        (redis->url.tls && ag_tls_context_new(options->ca_file, &redis->tls, error) != 0)) {
        free(redis);
        return -1;
    }
    if (!ag_redis_url_is_private(&redis->url)) {
        lm_log(LM_LOG_WARN, "redis",
               "%s:%s is asked without TLS or without a password: what it holds is log text, for anybody who "
               "can reach or listen to it; use rediss://:password@…",
               redis->url.host, redis->url.port);
    }
    redis->up = lm_gauge(options->metrics, "logmill_agent_redis_up", NULL,
                         "1 while answers can be shared through Redis.");
    lm_backoff_init(&redis->backoff, 200, 15000, 0);
    (void)uv_timer_init(options->loop, &redis->timer);
    redis->timer.data = redis;
    redis->open = 1; /* the timer */
    connect_now(redis);
    *out = redis;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void ag_redis_close(struct ag_redis *redis, void (*closed)(void *context), void *context)
{
    redis->closed = closed;
    redis->closed_context = context;
    change_state(redis, REDIS_CLOSED);
    while (redis->first != NULL) {
        unlink_lookup(redis->first);
    }
    let_go(redis);
    uv_close((uv_handle_t *)&redis->timer, on_timer_closed);
}
