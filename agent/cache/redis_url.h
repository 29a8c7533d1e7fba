/* redis[s]://[user][:password@]host[:port][/database], as Redis clients write it; rediss is TLS. */
#ifndef LOGMILL_AGENT_CACHE_REDIS_URL_H
#define LOGMILL_AGENT_CACHE_REDIS_URL_H

#include "common/error.h"

#include <stdbool.h>

struct ag_redis_url {
    bool tls;
    char host[256]; /* a name or an address, IPv6 without its brackets */
    char port[8];
    char user[128];     /* "": the default one */
    char password[512]; /* "": none */
    char database[8];   /* "0" where none is named */
};

/* Percent-encoded user and password are decoded. LM_FATAL "redis_url" with a sentence that does not hold the
 * password. Any thread. */
int ag_redis_url_parse(const char *text, struct ag_redis_url *out, struct lm_error *error) LM_MUST_CHECK;
/* May log text go there? True for this machine itself, or with TLS and a password. */
bool ag_redis_url_is_private(const struct ag_redis_url *url);

#endif
