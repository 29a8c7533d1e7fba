/*
 * Pages of other origins (Fetch Standard, section 3.2): a browser lets them read an answer that names their
 * origin, and asks first (a preflight: OPTIONS with Access-Control-Request-Method) before it sends what a
 * form could not. Keys come in headers, never in cookies, so credentials are not allowed and "*" can be said
 * as it is. The headers are on refusals too, or a page could not tell why. A page that is not listed gets the
 * answer without them, as a client that is no browser does.
 */
#include "common/http/http_internal.h"

#include "common/http/origin.h"

#include <string.h>

#define PREFLIGHT_S "600" /* for which a browser remembers the answer */

static bool is_any(const struct lm_config_list *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (strcmp(origins->items[i], "*") == 0)
            return true;
    }
    return false;
}

void http_cors_begin(struct lm_http_request *request)
{
    const struct lm_http_cors *cors = &request->server->cors;
    if (cors->origins == NULL || cors->origins->count == 0)
        return;
    const char *origin = lm_http_header(request, "Origin");
    const bool any = is_any(cors->origins);
    if (!any)
        lm_http_reply_header(request, "Vary", "Origin"); /* also where none came: it may next time */
    if (origin == NULL || !lm_origin_listed(cors->origins, origin))
        return;
    request->cross_origin = true;
    lm_http_reply_header(request, "Access-Control-Allow-Origin", any ? "*" : origin);
    lm_http_reply_header(request, "Access-Control-Expose-Headers", cors->exposed_headers);
}

bool http_cors_is_preflight(const struct lm_http_request *request)
{
    return request->cross_origin && strcmp(request->method, "OPTIONS") == 0 &&
           lm_http_header(request, "Access-Control-Request-Method") != NULL;
}

void http_cors_answer(struct lm_http_request *request, const char *methods)
{
    lm_http_reply_header(request, "Access-Control-Allow-Methods", methods);
    lm_http_reply_header(request, "Access-Control-Allow-Headers", request->server->cors.allowed_headers);
    lm_http_reply_header(request, "Access-Control-Max-Age", PREFLIGHT_S);
    lm_http_reply(request, 204, NULL, NULL, 0);
}
