/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/tls.h"

#include "base/mem.h"
#include "wire/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

struct tls {
    pthread_mutex_t lock; /* rank: leaf; guards the pointer */
    SSL_CTX *context;
};

struct error *tls_error(const char *fmt, ...)
{
    unsigned long code = ERR_peek_last_error();
    char why[256] = "unknown TLS failure";
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    if (code)
        ERR_error_string_n(code, why, sizeof(why));
    ERR_clear_error();
    return error_text("%s: %s", text, why);
}

/* RFC 7301 wire form: length, name. */
static const unsigned char protocol[] = "\x08http/1.1";

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *arg)
{
    /* The library writes through a pointer without const but does not change what it points to. */
    unsigned char *chosen = NULL;
    int r = SSL_select_next_proto(&chosen, ret_len, protocol, sizeof(protocol) - 1, offered,
                                  offered_len);

    if (r != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct error *make_context(const char *pem_path, SSL_CTX **ret)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        return tls_error("cannot make a TLS context");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* Who closes without close_notify has just ended: lengths are checked by HTTP. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Idle connections are many: give their buffers back. Partial writes are ours to continue. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do */
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(ctx, pem_path) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, pem_path, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        SSL_CTX_free(ctx);
        return tls_error("cannot use the certificate %s", pem_path);
    }
    *ret = ctx;
    return NULL;
}

struct error *tls_new(const char *pem_path, struct tls **ret)
{
    SSL_CTX *ctx;

    TRY(make_context(pem_path, &ctx));
    struct tls *t = xnew(struct tls);

    pthread_mutex_init(&t->lock, NULL);
    t->context = ctx;
    *ret = t;
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->context);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct error *tls_reload(struct tls *t, const char *pem_path)
{
    SSL_CTX *ctx;

    TRY(make_context(pem_path, &ctx));
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->context;

    t->context = ctx;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old); /* connections hold references of their own */
    return NULL;
}

struct error *tls_start(struct tls *t, int fd, struct ssl_st **ret)
{
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->context);

    pthread_mutex_unlock(&t->lock);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return tls_error("cannot start TLS");
    }
    SSL_set_accept_state(ssl);
    *ret = ssl;
    return NULL;
}
