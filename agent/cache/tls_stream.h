/*
 * TLS beside a socket of the loop's: the client's side of OpenSSL between two memory BIOs. Bytes from the
 * wire go in, plain text comes out, and the other way round; the owner does the reading and writing. The
 * server's certificate must be good for the host's name. One thread at a time.
 */
#ifndef LOGMILL_AGENT_CACHE_TLS_STREAM_H
#define LOGMILL_AGENT_CACHE_TLS_STREAM_H

#include "common/buffer.h"

typedef struct ssl_ctx_st SSL_CTX;
struct ag_tls;

/* `ca_file` NULL or "": the system's authorities. LM_FATAL "tls". */
int ag_tls_context_new(const char *ca_file, SSL_CTX **out, struct lm_error *error) LM_MUST_CHECK;
void ag_tls_context_free(SSL_CTX *context);

/* `host`: a name or an address. NULL without memory. */
struct ag_tls *ag_tls_new(SSL_CTX *context, const char *host);
void ag_tls_free(struct ag_tls *tls);
/*
 * Bytes from the wire, then on with the handshake; plain text is appended to `plain`, what is to be sent to
 * `wire`. Once without bytes to begin. 0: the handshake goes on; 1: it is done; -1 (LM_RETRY "tls").
 */
int ag_tls_take(struct ag_tls *tls, const char *data, size_t len, struct lm_buffer *plain,
                struct lm_buffer *wire, struct lm_error *error) LM_MUST_CHECK;
/* After the handshake: plain text becomes bytes for the wire. -1 (LM_RETRY "tls"). */
int ag_tls_send(struct ag_tls *tls, const char *data, size_t len, struct lm_buffer *wire,
                struct lm_error *error) LM_MUST_CHECK;

#endif
