/*
 * HTTP requests to others, on the loop: libcurl's multi interface, its sockets and its timer as libuv's. Any
 * number at once, over connections that are kept; each has a deadline and can be cancelled. Redirects are not
 * followed: where a secret goes is the configuration's to say. Names are resolved in threads of libcurl's.
 * Loop thread.
 */
#ifndef LOGMILL_COMMON_HTTP_CLIENT_H
#define LOGMILL_COMMON_HTTP_CLIENT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct lm_http_client;
struct lm_http_call;

/* 0, or -1 without memory (LM_FATAL). */
int lm_http_client_open(uv_loop_t *loop, struct lm_http_client **out, struct lm_error *error) LM_MUST_CHECK;
/* Cancels what is under way, then calls `closed` once on the loop; freed by then. */
void lm_http_client_close(struct lm_http_client *client, void (*closed)(void *context), void *context);

struct lm_http_call_options {
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
    const char *user, *password;
    const char *bearer;  /* a token; instead of user and password */
    const char *ca_file; /* NULL: the system's */
    const char *body;    /* not NULL: POST, `body_len` bytes of it; else GET */
    size_t body_len;
    long connect_timeout_ms, timeout_ms; /* the second is for everything */
    /* Once, when the answer's header is in, before `data`: its status, and the seconds of Retry-After (0:
     * none; a date is told as seconds from now). May be NULL. Must not cancel. */
    void (*head)(int status, long retry_after_s, void *context);
    /* The answer's body as it comes, whatever its status. False: no more of it, the call fails. Must not
     * cancel. */
    bool (*data)(const char *data, size_t len, void *context);
    /* Once, never from inside lm_http_call_start, unless cancelled: the status with `error` NULL when an
     * answer came to its end, else LM_RETRY "unreachable", "timeout", "tls" or "aborted" (by `data`). The
     * call is gone by then. */
    void (*done)(int status, const struct lm_error *error, void *context);
    void *context;
};
/* Copies its texts. The call is valid until `done` or lm_http_call_cancel. LM_RETRY "memory"; LM_FATAL
 * "configuration" where libcurl refuses an option. */
int lm_http_call_start(struct lm_http_client *client, const struct lm_http_call_options *options,
                       struct lm_http_call **out, struct lm_error *error) LM_MUST_CHECK;
/* Nothing is called any more. */
void lm_http_call_cancel(struct lm_http_call *call);

#endif
