/*
 * Replies come in the order of the commands, so look-ups are numbered: the reply to one that was given up
 * meanwhile finds nobody with its number.
 */
#include "agent/cache/redis.h"

#include "agent/cache/redis_link.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 3000 /* from the name to the end of the greeting */
#define MISSED 3        /* look-ups in a row without an answer in time */

enum redis_state { REDIS_DOWN, REDIS_OPENING, REDIS_GREETING, REDIS_UP, REDIS_CLOSED };

struct ag_redis {
    struct ag_redis_options options;
    struct ag_redis_url url;
    SSL_CTX *tls; /* NULL: plain */
    enum redis_state state;
    struct ag_redis_link *link; /* NULL in REDIS_DOWN */
    uint64_t asked, answered;   /* look-ups, of the link */
    uv_timer_t timer;           /* the next attempt; the end of this one; once up, of the oldest look-up */
    struct lm_backoff backoff;
    unsigned attempts;
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
    static const char *const names[] = {"down", "opening", "greeting", "up", "closed"};
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

static void tell(struct ag_redis_lookup *lookup, const struct ag_reply *reply)
{
    unlink_lookup(lookup);
    lookup->told(reply, lookup->context);
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
        tell(redis->first, NULL);
        late = true;
    }
    if (late) {
        count_missed(redis, "look-ups are not answered in time");
    }
    watch_first(redis);
}

/* ---- connections ---- */

static void release(void *context)
{
    struct ag_redis *redis = context;
    if (--redis->open > 0) {
        return;
    }
    void (*closed)(void *) = redis->closed;
    void *closed_context = redis->closed_context;
    ag_tls_context_free(redis->tls);
    free(redis);
    closed(closed_context);
}

static void let_go(struct ag_redis *redis)
{
    struct ag_redis_link *link = redis->link;
    redis->link = NULL;
    if (link != NULL) {
        ag_redis_link_drop(link);
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
        tell(redis->first, NULL);
    }
}

static void on_broken(const struct lm_error *error, void *context)
{
    went_down(context, error);
}

/* Says one command. False: it cannot be asked now. */
static bool command(struct ag_redis *redis, const struct ag_resp_argument *arguments, size_t count,
                    ag_reply_handler handler)
{
    struct lm_error error;
    const int said = ag_redis_link_say(redis->link, arguments, count, handler, redis, &error);
    if (said < 0) {
        went_down(redis, &error);
    }
    return said == 0;
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

static void on_opened(void *context)
{
    struct ag_redis *redis = context;
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

/* ---- its timer ---- */

static void connect_now(struct ag_redis *redis)
{
    const struct ag_redis_link_options options = {.loop = redis->options.loop,
                                                  .url = &redis->url,
                                                  .tls = redis->tls,
                                                  .attempt = redis->attempts++,
                                                  .max_value = AG_REDIS_MAX_VALUE,
                                                  .opened = on_opened,
                                                  .broken = on_broken,
                                                  .freed = release,
                                                  .context = redis};
    struct lm_error error;
    change_state(redis, REDIS_OPENING);
    uv_timer_start(&redis->timer, on_timer, CONNECT_MS, 0);
    redis->asked = redis->answered = 0;
    if (ag_redis_link_open(&options, &redis->link, &error) == 0) {
        redis->open++;
    } else {
        went_down(redis, &error);
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

/* The look-up that is answered now, or NULL: it was given up. */
static struct ag_redis_lookup *answered(struct ag_redis *redis)
{
    const uint64_t number = ++redis->answered;
    struct ag_redis_lookup *lookup = redis->first;
    return lookup != NULL && lookup->number == number ? lookup : NULL;
}

static void answer(struct ag_redis *redis, struct ag_redis_lookup *lookup, const struct ag_reply *reply)
{
    if (lookup != NULL) {
        redis->missed = 0;
        lm_backoff_reset(&redis->backoff);
        tell(lookup, reply);
        watch_first(redis);
    }
}

static void on_value(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    struct ag_redis_lookup *lookup = answered(redis);
    if (reply->type == AG_REPLY_TEXT || reply->type == AG_REPLY_NIL) {
        answer(redis, lookup, reply);
        return;
    }
    if (lookup != NULL) {
        tell(lookup, NULL);
        watch_first(redis);
    }
    count_missed(redis, reply->type == AG_REPLY_ERROR ? reply->text : "the server answers nonsense");
}

/* That a script cannot be run says nothing of the values. */
static void on_run(const struct ag_reply *reply, void *context)
{
    struct ag_redis *redis = context;
    answer(redis, answered(redis), reply);
}

static bool look_up(struct ag_redis *redis, const struct ag_resp_argument *arguments, size_t count,
                    ag_reply_handler handler, struct ag_redis_lookup *lookup)
{
    if (redis->state != REDIS_UP || !command(redis, arguments, count, handler)) {
        return false;
    }
    lookup->redis = redis;
    lookup->number = ++redis->asked;
    lookup->until_us = lm_clock_mono_us() + *redis->options.timeout_ms * 1000;
    lookup->next = NULL;
    lookup->previous = redis->last;
    *(redis->last != NULL ? &redis->last->next : &redis->first) = lookup;
    redis->last = lookup;
    watch_first(redis);
    return true;
}

bool ag_redis_get(struct ag_redis *redis, const char *key, struct ag_redis_lookup *lookup)
{
    const struct ag_resp_argument get[] = {TEXT("GET"), TEXT(key)};
    return look_up(redis, get, 2, on_value, lookup);
}

bool ag_redis_run(struct ag_redis *redis, const char *script, const char *key, const char *const arguments[2],
                  struct ag_redis_lookup *lookup)
{
    const struct ag_resp_argument run[] = {TEXT("EVAL"), TEXT(script),       TEXT("1"),
                                           TEXT(key),    TEXT(arguments[0]), TEXT(arguments[1])};
    return look_up(redis, run, 6, on_run, lookup);
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
