#include "agent/cache/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct ag_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by `ssl` */
};

static int failed(struct lm_error *error, enum lm_decision decision, const char *what)
{
    char text[160] = "the other side closed";
    const unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, text, sizeof(text));
    }
    ERR_clear_error();
    return lm_error_set(error, decision, "tls", "%s: %s", what, text);
}

int ag_tls_context_new(const char *ca_file, SSL_CTX **out, struct lm_error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        return lm_error_set(error, LM_FATAL, "tls", "OpenSSL cannot be used");
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    const int loaded = ca_file != NULL && ca_file[0] != '\0'
                           ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                           : SSL_CTX_set_default_verify_paths(context);
    if (loaded != 1) {
        SSL_CTX_free(context);
        return failed(error, LM_FATAL, "the certificates of authorities cannot be read");
    }
    *out = context;
    return 0;
}

void ag_tls_context_free(SSL_CTX *context)
{
    SSL_CTX_free(context);
}

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1;
    }
    return X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ag_tls *ag_tls_new(SSL_CTX *context, const char *host)
{
    struct ag_tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->ssl = SSL_new(context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL || !expect_host(tls->ssl, host)) {
        SSL_free(tls->ssl);
        BIO_free(tls->in);
        BIO_free(tls->out);
        free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    return tls;
}

void ag_tls_free(struct ag_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        free(tls);
    }
}

static void take_out(struct ag_tls *tls, struct lm_buffer *wire)
{
    char piece[4096];
    int n = 0;
    while ((n = BIO_read(tls->out, piece, sizeof(piece))) > 0) {
        lm_buffer_append(wire, piece, (size_t)n);
    }
}

static bool wants_more(const struct ag_tls *tls, int result)
{
    const int reason = SSL_get_error(tls->ssl, result);
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
}

int ag_tls_take(struct ag_tls *tls, const char *data, size_t len, struct lm_buffer *plain,
                struct lm_buffer *wire, struct lm_error *error)
{
    char piece[16384];
    int n = 1;
    ERR_clear_error();
    if (len > 0 && BIO_write(tls->in, data, (int)len) != (int)len) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for TLS");
    }
    if (!SSL_is_init_finished(tls->ssl)) {
        n = SSL_do_handshake(tls->ssl);
        take_out(tls, wire); /* an alert, where it failed */
        if (n != 1) {
            return wants_more(tls, n) ? 0 : failed(error, LM_RETRY, "TLS cannot be agreed on");
        }
    }
    while ((n = SSL_read(tls->ssl, piece, sizeof(piece))) > 0) {
        lm_buffer_append(plain, piece, (size_t)n);
    }
    take_out(tls, wire); /* a key update */
    if (!wants_more(tls, n)) {
        return failed(error, LM_RETRY, "TLS ended");
    }
    return 1;
}

int ag_tls_send(struct ag_tls *tls, const char *data, size_t len, struct lm_buffer *wire,
                struct lm_error *error)
{
    ERR_clear_error();
    if (len > 0 && SSL_write(tls->ssl, data, (int)len) != (int)len) {
        return failed(error, LM_RETRY, "TLS cannot send");
    }
    take_out(tls, wire);
    return 0;
}
