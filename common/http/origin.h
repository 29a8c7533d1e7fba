/*
 * Origins of web pages as browsers say them in `Origin` (RFC 6454, section 7): scheme://host[:port], or
 * "null" for a page that has none. Any thread.
 */
#ifndef LOGMILL_COMMON_HTTP_ORIGIN_H
#define LOGMILL_COMMON_HTTP_ORIGIN_H

#include "common/config/config.h"

#include <stdbool.h>

/* Every item must be "*" or an origin, without a path: another would never match. -1: LM_FATAL, naming
 * `option` and the item. */
int lm_origins_check(const struct lm_config_list *origins, const char *option,
                     struct lm_error *error) LM_MUST_CHECK;
/* Is `origin` (hostile) one of the list? In any case, with or without the port its scheme has anyway; "*" is
 * any, but only for pages that have an origin. */
bool lm_origin_listed(const struct lm_config_list *origins, const char *origin);
/* Is it a page of this server's own, by the Host of the request (NULL: no)? */
bool lm_origin_is_own(const char *origin, const char *host);
/* Does host[:port] name this machine, and can it name no other? localhost, 127.…, [::1]. A name of a domain
 * leads wherever its owner wants, also here, and then their pages are of our origin (DNS rebinding). */
bool lm_host_is_loopback(const char *host);

#endif
