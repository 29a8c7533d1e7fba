/*
 * The opening handshake of a WebSocket (RFC 6455, section 4.2) as far as it is the headers' matter: version,
 * key, whether the page that asks may (Origin), and the sub-protocols `logmill`, `key.<API key>` and
 * `ticket.<ticket>`, for browsers cannot set headers. What is shown so is neither logged nor echoed: only
 * `logmill` is ever accepted. Any thread.
 */
#ifndef LOGMILL_AGENT_HTTP_HANDSHAKE_H
#define LOGMILL_AGENT_HTTP_HANDSHAKE_H

#include "agent/failure.h"
#include "common/config/config.h"

#include <stdbool.h>

#define AG_HANDSHAKE_SHOWN_SIZE 64 /* of a key or ticket as it came, with the NUL */

/* What the sub-protocols show. */
enum ag_shown { AG_SHOWN_NOTHING, AG_SHOWN_KEY, AG_SHOWN_TICKET };

/* As they were sent; NULL where they were not. */
struct ag_handshake_headers {
    const char *upgrade, *connection, *version, *key, *protocols, *origin, *host;
};

struct ag_handshake {
    char accept[32]; /* Sec-WebSocket-Accept */
    bool logmill;    /* the client offers the sub-protocol `logmill` */
    enum ag_shown shows;
    char shown[AG_HANDSHAKE_SHOWN_SIZE]; /* hostile */
};

/*
 * 0, or -1 with `failure`: "upgrade_required" (no WebSocket of version 13), "bad_request", or "forbidden" (a
 * page of another host than ours and of none of `origins`; "*" among them is any). A client that sends no
 * Origin is no browser, and is let in.
 */
int ag_handshake_read(const struct ag_handshake_headers *headers, const struct lm_config_list *origins,
                      struct ag_handshake *out, struct ag_failure *failure) LM_MUST_CHECK;

#endif
