#include "agent/access/tickets.h"

#include "common/clock.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_BYTES ((AG_TICKET_SIZE - 1) / 2) /* in hexadecimal digits */

struct ticket {
    uint8_t digest[AG_DIGEST_SIZE];
    int64_t until_us;
    struct ag_shown_key key;
};

struct ag_tickets {
    size_t count;
    struct ticket list[AG_TICKETS]; /* in no order */
};

struct ag_tickets *ag_tickets_new(void)
{
    return calloc(1, sizeof(struct ag_tickets));
}

void ag_tickets_free(struct ag_tickets *tickets)
{
    free(tickets);
}

static void drop(struct ag_tickets *tickets, size_t i)
{
    struct ticket *last = &tickets->list[--tickets->count];
    tickets->list[i] = *last;
    OPENSSL_cleanse(last, sizeof(*last));
}

static void drop_old(struct ag_tickets *tickets, int64_t now_us)
{
    for (size_t i = tickets->count; i > 0; i--) {
        if (tickets->list[i - 1].until_us <= now_us) {
            drop(tickets, i - 1);
        }
    }
}

static bool has_room(const struct ag_tickets *tickets, const struct ag_shown_key *key)
{
    size_t own = 0;
    for (size_t i = 0; i < tickets->count; i++) {
        own += strcmp(tickets->list[i].key.prefix, key->prefix) == 0;
    }
    return own < AG_TICKETS_EACH && tickets->count < AG_TICKETS;
}

static bool digest_of(const char *text, uint8_t out[AG_DIGEST_SIZE])
{
    return EVP_Digest(text, strlen(text), out, NULL, EVP_sha256(), NULL) == 1;
}

int ag_ticket_give(struct ag_tickets *tickets, const struct ag_shown_key *key, int64_t now_us,
                   char out[AG_TICKET_SIZE], struct lm_error *error)
{
    uint8_t bytes[RANDOM_BYTES];
    drop_old(tickets, now_us);
    if (!has_room(tickets, key)) {
        return lm_error_set(error, LM_RETRY, "many", "too many tickets of this API key are not used yet");
    }
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return lm_error_set(error, LM_RETRY, "random", "the system gives no random bytes");
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    struct ticket *ticket = &tickets->list[tickets->count];
    if (!digest_of(out, ticket->digest)) {
        return lm_error_set(error, LM_RETRY, "random", "out of memory for a ticket");
    }
    ticket->until_us = now_us + AG_TICKET_S * LM_SECOND_US;
    ticket->key = *key;
    tickets->count++;
    return 0;
}

bool ag_ticket_take(struct ag_tickets *tickets, const char *text, int64_t now_us, struct ag_shown_key *key)
{
    uint8_t digest[AG_DIGEST_SIZE];
    drop_old(tickets, now_us);
    if (!digest_of(text, digest)) {
        return false;
    }
    for (size_t i = 0; i < tickets->count; i++) {
        if (CRYPTO_memcmp(tickets->list[i].digest, digest, sizeof(digest)) == 0) {
            *key = tickets->list[i].key;
            drop(tickets, i);
            return true;
        }
    }
    return false;
}

/* ---- POST /ws/ticket ---- */

static void on_ticket(struct lm_http_request *http, struct ag_caller *caller, void *context)
{
    char ticket[AG_TICKET_SIZE];
    char body[128];
    struct lm_error error;
    if (ag_ticket_give(context, &caller->key, lm_clock_mono_us(), ticket, &error) != 0) {
        struct ag_failure failure = {.code = NULL};
        const bool many = strcmp(error.kind, "many") == 0;
        ag_failure_set(&failure, many ? "too_many_requests" : "unavailable", error.text,
                       "open the WebSockets that tickets were asked for, or ask again in a minute");
        ag_failure_reply(http, &failure);
        return;
    }
    const int len =
        snprintf(body, sizeof(body), "{\"ticket\":\"%s\",\"expires_in\":%d}", ticket, AG_TICKET_S);
    lm_http_reply_header(http, "Cache-Control", "no-store");
    lm_http_reply(http, 200, "application/json", body, (size_t)len);
    OPENSSL_cleanse(ticket, sizeof(ticket));
    OPENSSL_cleanse(body, sizeof(body));
}

int ag_tickets_route(struct ag_tickets *tickets, struct ag_access *access, struct lm_http_server *http,
                     struct lm_error *error)
{
    const struct ag_access_route route = {"POST",       "/ws/ticket", 0,      AG_RIGHT_READ,
                                          AG_COST_PAGE, on_ticket,    tickets};
    return ag_access_route(access, http, &route, error);
}
