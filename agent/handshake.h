/*
 * The opening handshake of a WebSocket (RFC 6455, section 4.2) as far as it is the headers' matter: version,
 * key, whether the page that asks may (Origin), and the sub-protocols `logmill` and `key.<API key>`, for
 * browsers cannot set headers. The key is neither logged nor echoed: only `logmill` is ever accepted. Any
 * thread.
 */
#ifndef LOGMILL_AGENT_HANDSHAKE_H
#define LOGMILL_AGENT_HANDSHAKE_H

#include "agent/failure.h"
#include "common/config.h"

#include <stdbool.h>

#define AG_HANDSHAKE_KEY_SIZE 64 /* of an API key as it came, with the NUL */

/* As they were sent; NULL where they were not. */
struct ag_handshake_headers {
    const char *upgrade, *connection, *version, *key, *protocols, *origin, *host;
};

struct ag_handshake {
    char accept[32]; /* Sec-WebSocket-Accept */
    bool logmill;    /* the client offers the sub-protocol `logmill` */
    bool keyed;      /* and a key */
    char api_key[AG_HANDSHAKE_KEY_SIZE];
};

/*
 * 0, or -1 with `failure`: "upgrade_required" (no WebSocket of version 13), "bad_request", or "forbidden" (a
 * page of another host than ours and of none of `origins`; "*" among them is any). A client that sends no
 * Origin is no browser, and is let in.
 */
int ag_handshake_read(const struct ag_handshake_headers *headers, const struct lm_config_list *origins,
                      struct ag_handshake *out, struct ag_failure *failure) LM_MUST_CHECK;

#endif
