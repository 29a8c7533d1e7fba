#include "agent/cache/redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            const int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
            if (low < 0 || high + low == 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= size) {
            return false;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool copy(const char *text, size_t len, char *out, size_t size)
{
    if (len >= size) {
        return false;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "user:password", ":password", or "password" alone as some write it. */
static bool read_login(const char *text, size_t len, struct ag_redis_url *out)
{
    const char *colon = memchr(text, ':', len);
    if (colon == NULL) {
        return decode(text, len, out->password, sizeof(out->password));
    }
    const size_t user = (size_t)(colon - text);
    return decode(text, user, out->user, sizeof(out->user)) &&
           decode(colon + 1, len - user - 1, out->password, sizeof(out->password));
}

static bool is_number(const char *text, size_t len, long most)
{
    return len > 0 && len < 7 && strspn(text, "0123456789") >= len && strtol(text, NULL, 10) <= most;
}

static bool read_address(const char *text, size_t len, struct ag_redis_url *out)
{
    const char *end = text + len;
    const char *host_end = NULL;
    const char *port = NULL;
    bool good = true;
    if (len > 0 && text[0] == '[') {
        text++;
        host_end = memchr(text, ']', (size_t)(end - text));
        if (host_end == NULL) {
            return false;
        }
        port = host_end + 1;
    } else {
        host_end = memchr(text, ':', len);
        host_end = host_end != NULL ? host_end : end;
        port = host_end;
    }
    if (port < end) {
        const size_t port_len = (size_t)(end - port) - 1;
        good = *port == ':' && is_number(port + 1, port_len, 65535) &&
               copy(port + 1, port_len, out->port, sizeof(out->port));
    }
    return good && host_end > text && copy(text, (size_t)(host_end - text), out->host, sizeof(out->host));
}

int ag_redis_url_parse(const char *text, struct ag_redis_url *out, struct lm_error *error)
{
    *out = (struct ag_redis_url){.port = "6379", .database = "0"};
    out->tls = strncmp(text, "rediss://", 9) == 0;
    const char *at = out->tls ? text + 9 : strncmp(text, "redis://", 8) == 0 ? text + 8 : NULL;
    if (at != NULL) {
        size_t len = strcspn(at, "/?#");
        const char *path = at + len;
        const char *login_end = NULL;
        for (size_t i = 0; i < len; i++) {
            login_end = at[i] == '@' ? at + i : login_end;
        }
        bool good = true;
        if (login_end != NULL) {
            good = read_login(at, (size_t)(login_end - at), out);
            len -= (size_t)(login_end + 1 - at);
            at = login_end + 1;
        }
        if (path[0] == '/' && path[1] != '\0') {
            const size_t digits = strlen(path + 1);
            good = good && is_number(path + 1, digits, 999999) &&
                   copy(path + 1, digits, out->database, sizeof(out->database));
        } else {
            good = good && (path[0] == '\0' || path[0] == '/');
        }
        if (good && read_address(at, len, out)) {
            return 0;
        }
    }
    return lm_error_set(error, LM_FATAL, "redis_url",
                        "redis_url is not redis[s]://[user][:password@]host[:port][/database]; a %%, /, :, ? "
                        "or # inside user or password is written %%25, %%2F …");
}

bool ag_redis_url_is_private(const struct ag_redis_url *url)
{
    return (url->tls && url->password[0] != '\0') || strncmp(url->host, "127.", 4) == 0 ||
           strcmp(url->host, "localhost") == 0 || strcmp(url->host, "::1") == 0;
}
