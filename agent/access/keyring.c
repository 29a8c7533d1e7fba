#include "agent/access/keyring.h"

#include "common/clock.h"
#include "common/log.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_US (10 * LM_SECOND_US)
#define USED_AGAIN_US (60 * LM_SECOND_US) /* how often the time of use is stored */
#define IDLE_US (5 * LM_MINUTE_US)
#define SWEEP_MS 30000
#define BUCKETS 1024
#define MAX_ENTRIES 4096

struct ag_key_entry {
    struct ag_key_entry *next; /* of its bucket */
    struct ag_keyring *keyring;
    char prefix[LM_API_KEY_PREFIX_SIZE];
    struct ag_caller *caller; /* NULL: there is no such key, or it is not good any more */
    int64_t read_us;          /* 0: never */
    int64_t good_until_us;
    int64_t asked_us;
    int64_t used_us; /* when its use was last stored */
    struct ag_bucket bucket;
    bool looking;
    bool failed; /* of this look-up: what came could not be used */
    struct ag_key_waiter *first;
};

struct ag_keyring {
    struct ag_keyring_options options;
    struct ag_key_entry *buckets[BUCKETS];
    size_t count;
    uv_timer_t timer;
    void (*closed)(void *context);
    void *closed_context;
};

static const char *const role_names[] = {"viewer", "operator", "admin"};

const char *ag_key_role_name(enum ag_key_role role)
{
    return role_names[role];
}

struct ag_caller *ag_caller_hold(struct ag_caller *caller)
{
    caller->holders++;
    return caller;
}

void ag_caller_drop(struct ag_caller *caller)
{
    if (caller != NULL && --caller->holders == 0) {
        ag_sight_drop(caller->sight);
        OPENSSL_cleanse(&caller->key, sizeof(caller->key));
        free(caller);
    }
}

/* ---- entries ---- */

static struct ag_key_entry **bucket_of(struct ag_keyring *keyring, const char *prefix)
{
    uint32_t hash = 2166136261u;
    for (const char *c = prefix; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    return &keyring->buckets[hash % BUCKETS];
}

/* Nothing may be under way for it. */
static void drop_entry(struct ag_key_entry *entry)
{
    struct ag_key_entry **at = bucket_of(entry->keyring, entry->prefix);
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    entry->keyring->count--;
    ag_caller_drop(entry->caller);
    free(entry);
}

/* The least recently asked, those that are no keys first: whoever tries made-up keys displaces no real one.
 */
static bool make_room(struct ag_keyring *keyring)
{
    struct ag_key_entry *victim = NULL;
    for (size_t i = 0; i < BUCKETS && keyring->count >= MAX_ENTRIES; i++) {
        for (struct ag_key_entry *entry = keyring->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->looking || entry->first != NULL) {
                continue;
            }
            const bool unknown = entry->caller == NULL;
            const bool victim_unknown = victim != NULL && victim->caller == NULL;
            if (victim == NULL || (unknown && !victim_unknown) ||
                (unknown == victim_unknown && entry->asked_us < victim->asked_us)) {
                victim = entry;
            }
        }
    }
    if (victim != NULL) {
        drop_entry(victim);
    }
    return keyring->count < MAX_ENTRIES;
}

static struct ag_key_entry *known_entry(struct ag_keyring *keyring, const char *prefix)
{
    struct ag_key_entry *entry = *bucket_of(keyring, prefix);
    while (entry != NULL && strcmp(entry->prefix, prefix) != 0) {
        entry = entry->next;
    }
    return entry;
}

struct ag_bucket *ag_keyring_bucket(struct ag_keyring *keyring, const char *prefix)
{
    struct ag_key_entry *entry = known_entry(keyring, prefix);
    return entry != NULL ? &entry->bucket : NULL;
}

static struct ag_key_entry *find_entry(struct ag_keyring *keyring, const char *prefix)
{
    struct ag_key_entry *entry = known_entry(keyring, prefix);
    if (entry != NULL) {
        return entry;
    }
    entry = make_room(keyring) ? calloc(1, sizeof(*entry)) : NULL;
    if (entry != NULL) {
        struct ag_key_entry **bucket = bucket_of(keyring, prefix);
        entry->keyring = keyring;
        snprintf(entry->prefix, sizeof(entry->prefix), "%s", prefix);
        entry->next = *bucket;
        *bucket = entry;
        keyring->count++;
    }
    return entry;
}

static void on_sweep(uv_timer_t *timer)
{
    struct ag_keyring *keyring = timer->data;
    const int64_t now_us = lm_clock_mono_us();
    for (size_t i = 0; i < BUCKETS; i++) {
        struct ag_key_entry *next = NULL;
        for (struct ag_key_entry *entry = keyring->buckets[i]; entry != NULL; entry = next) {
            next = entry->next;
            if (!entry->looking && entry->first == NULL && now_us - entry->asked_us > IDLE_US) {
                drop_entry(entry);
            }
        }
    }
}

/* ---- what the store says of a key ---- */

enum { ANY_KEY, HASH, ROLE, USABLE_US, SCOPE_ROLE, SCOPE_VERSION, SERVICES, ENVIRONMENTS, CELLS };

static const char *cell(const PGresult *row, int column)
{
    return PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column);
}

static int role_from_name(const char *name)
{
    for (int i = 0; i <= AG_ADMIN; i++) {
        if (name != NULL && strcmp(name, role_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(const char *hex, uint8_t out[AG_DIGEST_SIZE])
{
    if (strlen(hex) != 2 * AG_DIGEST_SIZE) {
        return false;
    }
    for (size_t i = 0; i < AG_DIGEST_SIZE; i++) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* NULL: without memory, or what is stored is not as it should be. */
static struct ag_caller *new_caller(struct ag_key_entry *entry, const PGresult *row)
{
    const bool anonymous = entry->prefix[0] == '\0';
    const int role = anonymous ? AG_ADMIN : role_from_name(cell(row, ROLE));
    const char *version = cell(row, SCOPE_VERSION);
    const char *scope_role = cell(row, SCOPE_ROLE);
    struct ag_caller *caller = role >= 0 ? calloc(1, sizeof(*caller)) : NULL;
    if (caller == NULL || (!anonymous && !read_digest(cell(row, HASH), caller->key.digest))) {
        free(caller);
        return NULL;
    }
    caller->holders = 1;
    caller->role = (enum ag_key_role)role;
    memcpy(caller->key.prefix, entry->prefix, sizeof(caller->key.prefix));
    caller->sight = ag_sights_find(entry->keyring->options.sights, scope_role != NULL ? scope_role : "",
                                   version != NULL ? strtoll(version, NULL, 10) : 0, cell(row, SERVICES),
                                   cell(row, ENVIRONMENTS), role == AG_VIEWER);
    if (caller->sight == NULL) {
        ag_caller_drop(caller);
        return NULL;
    }
    return caller;
}

static bool same(const struct ag_caller *a, const struct ag_caller *b)
{
    return a->role == b->role && a->sight == b->sight &&
           CRYPTO_memcmp(a->key.digest, b->key.digest, AG_DIGEST_SIZE) == 0;
}

static void on_row(const PGresult *row, void *context)
{
    struct ag_key_entry *entry = context;
    struct ag_caller *caller = NULL;
    if (PQntuples(row) != 1 || PQnfields(row) != CELLS) {
        entry->failed = true;
        return;
    }
    const bool any = cell(row, ANY_KEY) != NULL && cell(row, ANY_KEY)[0] == 't';
    const char *usable = cell(row, USABLE_US);
    const int64_t usable_us = usable != NULL ? strtoll(usable, NULL, 10) : INT64_MAX;
    const bool known = entry->prefix[0] == '\0' ? entry->keyring->options.open_without_keys && !any
                                                : cell(row, HASH) != NULL && usable_us > 0;
    if (known) {
        caller = new_caller(entry, row);
        entry->failed = caller == NULL;
    }
    entry->read_us = lm_clock_mono_us();
    entry->good_until_us = entry->read_us + (usable_us < FRESH_US ? usable_us : FRESH_US);
    if (caller != NULL && entry->caller != NULL && same(caller, entry->caller)) {
        ag_caller_drop(caller);
        return;
    }
    ag_caller_drop(entry->caller);
    entry->caller = caller;
}

static void store_use(struct ag_key_entry *entry)
{
    struct lm_error error;
    const int64_t now_us = lm_clock_mono_us();
    const struct ag_store_request request = {
        .sql = "SELECT logmill.key_used($1)", .params = {entry->prefix}, .param_count = 1};
    if (entry->prefix[0] == '\0' || (entry->used_us != 0 && now_us - entry->used_us < USED_AGAIN_US)) {
        return;
    }
    entry->used_us = now_us;
    if (ag_store_ask(entry->keyring->options.store, &request, &error) != 0) {
        entry->used_us = 0;
    }
}

static void judge(struct ag_key_entry *entry, struct ag_key_waiter *waiter)
{
    struct ag_caller *caller = entry->caller;
    if (caller == NULL || lm_clock_mono_us() >= entry->good_until_us ||
        CRYPTO_memcmp(caller->key.digest, waiter->shown.digest, AG_DIGEST_SIZE) != 0) {
        waiter->told(AG_KEY_BAD, NULL, NULL, waiter->context);
        return;
    }
    store_use(entry);
    ag_caller_hold(caller);
    waiter->told(AG_KEY_GOOD, caller, &entry->bucket, waiter->context);
    ag_caller_drop(caller);
}

static void on_looked(const struct lm_error *error, void *context)
{
    struct ag_key_entry *entry = context;
    const bool failed = error != NULL || entry->failed;
    entry->looking = false;
    entry->failed = false;
    if (failed) {
        entry->read_us = 0;
        lm_log(LM_LOG_WARN, "keyring", "an API key could not be looked up: %s",
               error != NULL ? error->text : "what is stored of it is not as it should be");
    }
    /* What is told may ask again, and then waits behind for another look-up. */
    size_t waiting = 0;
    for (const struct ag_key_waiter *waiter = entry->first; waiter != NULL; waiter = waiter->next) {
        waiting++;
    }
    for (; waiting > 0 && entry->first != NULL; waiting--) {
        struct ag_key_waiter *waiter = entry->first;
        entry->first = waiter->next;
        waiter->entry = NULL;
        waiter->next = NULL;
        if (failed) {
            waiter->told(AG_KEY_UNKNOWABLE, NULL, NULL, waiter->context);
        } else {
            judge(entry, waiter);
        }
    }
}

static int look_up(struct ag_key_entry *entry)
{
    struct lm_error error;
    const struct ag_store_request request = {.sql = "SELECT * FROM logmill.auth_key($1)",
                                             .params = {entry->prefix},
                                             .param_count = 1,
                                             .row = on_row,
                                             .done = on_looked,
                                             .context = entry};
    if (ag_store_ask(entry->keyring->options.store, &request, &error) != 0) {
        return -1;
    }
    entry->looking = true;
    return 0;
}

void ag_keyring_ask(struct ag_keyring *keyring, struct ag_key_waiter *waiter)
{
    struct ag_key_entry *entry = find_entry(keyring, waiter->shown.prefix);
    waiter->entry = NULL;
    waiter->next = NULL;
    if (entry == NULL) {
        waiter->told(AG_KEY_UNKNOWABLE, NULL, NULL, waiter->context);
        return;
    }
    entry->asked_us = lm_clock_mono_us();
    if (entry->read_us != 0 && !entry->looking && entry->asked_us - entry->read_us < FRESH_US) {
        judge(entry, waiter);
        return;
    }
    if (!entry->looking && look_up(entry) != 0) {
        waiter->told(AG_KEY_UNKNOWABLE, NULL, NULL, waiter->context);
        return;
    }
    struct ag_key_waiter **last = &entry->first;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    waiter->entry = entry;
    *last = waiter;
}

void ag_keyring_forget(struct ag_key_waiter *waiter)
{
    if (waiter->entry == NULL) {
        return;
    }
    struct ag_key_waiter **at = &waiter->entry->first;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    waiter->entry = NULL;
}

struct ag_keyring *ag_keyring_new(const struct ag_keyring_options *options)
{
    struct ag_keyring *keyring = calloc(1, sizeof(*keyring));
    if (keyring != NULL) {
        keyring->options = *options;
        (void)uv_timer_init(options->loop, &keyring->timer);
        keyring->timer.data = keyring;
        uv_timer_start(&keyring->timer, on_sweep, SWEEP_MS, SWEEP_MS);
    }
    return keyring;
}

static void on_closed(uv_handle_t *handle)
{
    struct ag_keyring *keyring = handle->data;
    void (*closed)(void *) = keyring->closed;
    void *closed_context = keyring->closed_context;
    free(keyring);
    closed(closed_context);
}

void ag_keyring_close(struct ag_keyring *keyring, void (*closed)(void *context), void *context)
{
    keyring->closed = closed;
    keyring->closed_context = context;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (keyring->buckets[i] != NULL) {
            ag_store_forget(keyring->options.store, keyring->buckets[i]);
            drop_entry(keyring->buckets[i]);
        }
    }
    uv_close((uv_handle_t *)&keyring->timer, on_closed);
}
