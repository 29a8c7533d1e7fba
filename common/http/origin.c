#include "common/http/origin.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* What stands behind "://", or NULL. */
static const char *host_of(const char *origin)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    const size_t scheme = strspn(origin, letters);
    return scheme > 0 && strncmp(origin + scheme, "://", 3) == 0 ? origin + scheme + 3 : NULL;
}

/* Bytes of host[:port] without the port that the origin's scheme has anyway. */
static size_t host_len(const char *origin, const char *host)
{
    const char *usual = strncasecmp(origin, "https:", 6) == 0  ? ":443"
                        : strncasecmp(origin, "http:", 5) == 0 ? ":80"
                                                               : "";
    const size_t len = strlen(host);
    const size_t tail = strlen(usual);
    return len > tail && strcmp(host + len - tail, usual) == 0 ? len - tail : len;
}

static bool same_host(const char *origin, const char *host, const char *other)
{
    const size_t len = host_len(origin, host);
    return len > 0 && len == host_len(origin, other) && strncasecmp(host, other, len) == 0;
}

static bool same(const char *a, const char *b)
{
    const char *host_a = host_of(a);
    const char *host_b = host_of(b);
    return host_a != NULL && host_b != NULL && host_a - a == host_b - b &&
           strncasecmp(a, b, (size_t)(host_a - a)) == 0 && same_host(a, host_a, host_b);
}

int lm_origins_check(const struct lm_config_list *origins, const char *option, struct lm_error *error)
{
    for (size_t i = 0; i < origins->count; i++) {
        const char *item = origins->items[i];
        const char *host = host_of(item);
        if (strcmp(item, "*") != 0 && (host == NULL || *host == '\0' || strpbrk(host, "/?#@* \t") != NULL)) {
            return lm_error_set(error, LM_FATAL, "configuration",
                                "%s: \"%s\" is no origin: write https://host[:port] without a path, or *",
                                option, item);
        }
    }
    return 0;
}

bool lm_origin_listed(const struct lm_config_list *origins, const char *origin)
{
    for (size_t i = 0; i < origins->count; i++) {
        const bool any = strcmp(origins->items[i], "*") == 0;
        if (any ? host_of(origin) != NULL : same(origins->items[i], origin)) {
            return true;
        }
    }
    return false;
}

bool lm_origin_is_own(const char *origin, const char *host)
{
    const char *own = host_of(origin);
    const bool web = strncasecmp(origin, "http://", 7) == 0 || strncasecmp(origin, "https://", 8) == 0;
    return web && own != NULL && host != NULL && same_host(origin, own, host);
}

bool lm_host_is_loopback(const char *host)
{
    char name[INET_ADDRSTRLEN];
    uint8_t address[4];
    const size_t len = strcspn(host, ":");
    if (strncmp(host, "[::1]", 5) == 0) {
        return host[5] == '\0' || host[5] == ':';
    }
    if (len == 9 && strncasecmp(host, "localhost", len) == 0) {
        return true;
    }
    if (len >= sizeof(name)) {
        return false;
    }
    memcpy(name, host, len);
    name[len] = '\0';
    return inet_pton(AF_INET, name, address) == 1 && address[0] == 127;
}
