#include "agent/http/handshake.h"

#include "common/http/origin.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEY_TEXT_LEN 24 /* 16 bytes in base64 */
#define SHA1_SIZE 20

/* Goes through a comma-separated list: the next item without the blanks around it, or NULL. */
static const char *next_item(const char **at, size_t *len)
{
    while (*at != NULL && **at != '\0') {
        const char *item = *at + strspn(*at, " \t,");
        *len = strcspn(item, ",");
        *at = item + *len;
        while (*len > 0 && (item[*len - 1] == ' ' || item[*len - 1] == '\t')) {
            (*len)--;
        }
        if (*len > 0) {
            return item;
        }
    }
    return NULL;
}

static bool has_token(const char *list, const char *token)
{
    size_t len = 0;
    for (const char *item = next_item(&list, &len); item != NULL; item = next_item(&list, &len)) {
        if (len == strlen(token) && strncasecmp(item, token, len) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse(struct ag_failure *failure, const char *code, const char *message, const char *hint)
{
    ag_failure_set(failure, code, message, hint);
    return -1;
}

/* ---- the handshake ---- */

/* What proves that this answer is to this handshake. */
static bool accept_key(const char *key, char *out)
{
    char text[KEY_TEXT_LEN + 40];
    unsigned char nonce[KEY_TEXT_LEN];
    unsigned char digest[SHA1_SIZE];
    if (strlen(key) != KEY_TEXT_LEN || strcmp(key + KEY_TEXT_LEN - 2, "==") != 0 ||
        EVP_DecodeBlock(nonce, (const unsigned char *)key, KEY_TEXT_LEN) != KEY_TEXT_LEN / 4 * 3) {
        return false;
    }
    const int len = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL) != 1) {
        return false;
    }
    (void)EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    return true;
}

/* Is the item `prefix` and something behind it? */
static bool begins(const char *item, size_t len, const char *prefix)
{
    return len > strlen(prefix) && strncmp(item, prefix, strlen(prefix)) == 0;
}

static void take_shown(struct ag_handshake *out, enum ag_shown shows, const char *text, size_t len)
{
    /* One that is too long is none of ours: the empty text is refused as it would be. */
    len = len < sizeof(out->shown) ? len : 0;
    memcpy(out->shown, text, len);
    out->shown[len] = '\0';
    out->shows = shows;
}

static int read_protocols(const char *list, struct ag_handshake *out, struct ag_failure *failure)
{
    static const char key[] = "key.";
    static const char ticket[] = "ticket.";
    size_t len = 0;
    for (const char *item = next_item(&list, &len); item != NULL; item = next_item(&list, &len)) {
        const bool keyed = begins(item, len, key);
        const size_t skip = keyed ? sizeof(key) - 1 : sizeof(ticket) - 1;
        if (len == 7 && strncmp(item, "logmill", len) == 0) {
            out->logmill = true;
        } else if (keyed || begins(item, len, ticket)) {
            if (out->shows != AG_SHOWN_NOTHING) {
                return refuse(failure, "bad_request", "more than one key or ticket is shown", NULL);
            }
            take_shown(out, keyed ? AG_SHOWN_KEY : AG_SHOWN_TICKET, item + skip, len - skip);
        }
    }
    /* A browser gives up a connection whose answer names none of the sub-protocols it offered. */
    return out->shows != AG_SHOWN_NOTHING && !out->logmill
               ? refuse(failure, "bad_request", "the sub-protocol logmill is missing beside the key's",
                        "offer both: new WebSocket(url, [\"logmill\", \"key.\" + key])")
               : 0;
}

int ag_handshake_read(const struct ag_handshake_headers *headers, const struct lm_config_list *origins,
                      struct ag_handshake *out, struct ag_failure *failure)
{
    *out = (struct ag_handshake){.logmill = false};
    if (!has_token(headers->upgrade, "websocket") || !has_token(headers->connection, "upgrade") ||
        headers->version == NULL || strcmp(headers->version, "13") != 0) {
        return refuse(failure, "upgrade_required", "this path speaks WebSocket, version 13",
                      "POST /query answers without one");
    }
    if (headers->key == NULL || !accept_key(headers->key, out->accept)) {
        return refuse(failure, "bad_request", "Sec-WebSocket-Key must be 16 bytes in base64", NULL);
    }
    if (headers->origin != NULL && !lm_origin_listed(origins, headers->origin) &&
        !lm_origin_is_own(headers->origin, headers->host)) {
        return refuse(failure, "forbidden", "pages of this origin may not ask here",
                      "cors.origins lists those that may");
    }
    return read_protocols(headers->protocols, out, failure);
}
