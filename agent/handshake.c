#include "agent/handshake.h"

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

/* ---- the page that asks ---- */

/* host[:port] without the port that the scheme has anyway. */
static size_t host_len(const char *host, const char *usual_port)
{
    const size_t len = strlen(host);
    const size_t tail = strlen(usual_port);
    return len > tail && strcmp(host + len - tail, usual_port) == 0 ? len - tail : len;
}

static bool is_own_host(const char *origin, const char *host)
{
    const bool tls = strncasecmp(origin, "https://", 8) == 0;
    if (host == NULL || (!tls && strncasecmp(origin, "http://", 7) != 0)) {
        return false;
    }
    const char *from = origin + (tls ? 8 : 7);
    const size_t len = host_len(from, tls ? ":443" : ":80");
    return len > 0 && len == host_len(host, tls ? ":443" : ":80") && strncasecmp(from, host, len) == 0;
}

static bool is_allowed(const char *origin, const char *host, const struct lm_config_list *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (strcmp(origins->items[i], "*") == 0 || strcasecmp(origins->items[i], origin) == 0) {
            return true;
        }
    }
    return is_own_host(origin, host);
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

static int read_protocols(const char *list, struct ag_handshake *out, struct ag_failure *failure)
{
    static const char prefix[] = "key.";
    const size_t prefix_len = sizeof(prefix) - 1;
    size_t len = 0;
    for (const char *item = next_item(&list, &len); item != NULL; item = next_item(&list, &len)) {
        if (len == 7 && strncmp(item, "logmill", len) == 0) {
            out->logmill = true;
        } else if (len > prefix_len && strncmp(item, prefix, prefix_len) == 0) {
            /* One that is too long is no key of ours: the empty text is refused as it would be. */
            const size_t key_len = len - prefix_len < sizeof(out->api_key) ? len - prefix_len : 0;
            memcpy(out->api_key, item + prefix_len, key_len);
            out->api_key[key_len] = '\0';
            out->keyed = true;
        }
    }
    /* A browser gives up a connection whose answer names none of the sub-protocols it offered. */
    return out->keyed && !out->logmill
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
    if (headers->origin != NULL && !is_allowed(headers->origin, headers->host, origins)) {
        return refuse(failure, "forbidden", "pages of this origin may not ask here",
                      "cors.origins lists those that may");
    }
    return read_protocols(headers->protocols, out, failure);
}
