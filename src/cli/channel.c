/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/channel.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

static struct channel *channel_new(int fd)
{
    /* The buffer needs no zeros. */
    struct channel *ch = xmalloc(sizeof(*ch));

    ch->fd = fd;
    ch->ssl = NULL;
    ch->watched = -1;
    ch->at = ch->end = 0;
    return ch;
}

struct channel *channel_of(int fd, int watched)
{
    struct channel *ch = channel_new(fd);

    ch->watched = watched;
    return ch;
}

struct error *channel_open_unix(const char *path, struct channel **ret)
{
    int fd;

    TRY(io_connect_unix(path, SOCK_STREAM, &fd));
    *ret = channel_new(fd);
    return NULL;
}

static struct error *connect_any(const struct addrinfo *list, int *ret)
{
    int failure = ECONNREFUSED;

    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        _cleanup_close_ int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
        int on = 1;

        if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            failure = errno;
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        *ret = TAKE_FD(fd);
        return NULL;
    }
    return error_text("%s (calling connect )", strerror(failure));
}

static struct error *check_certificate(struct channel *ch, const struct known *known,
                                       const char *host, uint16_t port)
{
    X509 *certificate = SSL_get1_peer_certificate(ch->ssl);
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned n = 0;
    int good = certificate && X509_digest(certificate, EVP_sha256(), digest, &n);

    X509_free(certificate);
    if (!good || n != KNOWN_DIGEST)
        return error_text("%s shows no certificate", host);
    return known_check(known, host, port, digest);
}

static struct error *start_tls(struct channel *ch, const struct known *known, char *host,
                               uint16_t port)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    ch->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_tlsext_host_name(ch->ssl, host);
    SSL_set_fd(ch->ssl, ch->fd);
    if (SSL_connect(ch->ssl) != 1)
        return error_text("no TLS with %s: %s", host,
                          ERR_reason_error_string(ERR_peek_last_error()) ?: "connection closed");
    return check_certificate(ch, known, host, port);
}

struct error *channel_open_tcp(const char *host, uint16_t port, const struct known *known,
                               struct channel **ret)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    _cleanup_free_ char *bare = NULL;
    struct addrinfo *list = NULL;
    size_t len = strlen(host);
    char service[8];
    int fd;

    /* "[fe80::1]" is an address in a URL. */
    bare = len > 2 && host[0] == '[' ? xmemdup0(host + 1, len - 2) : xstrdup(host);
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(bare, service, &hints, &list) != 0)
        return error_text("Host '%s' not found.", bare);
    struct error *e = connect_any(list, &fd);

    freeaddrinfo(list);
    TRY(e);
    _cleanup_channel_ struct channel *ch = channel_new(fd);

    if (known)
        TRY(start_tls(ch, known, bare, port));
    *ret = TAKE_PTR(ch);
    return NULL;
}

void channel_free(struct channel *ch)
{
    if (ch->ssl) {
        SSL_shutdown(ch->ssl);
        SSL_free(ch->ssl);
    }
    close(ch->fd);
    free(ch);
}

struct error *channel_write(struct channel *ch, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t done;

        if (ch->ssl) {
            done = SSL_write(ch->ssl, at, (int)MIN(n, (size_t)1 << 20));
            if (done <= 0)
                return error_text("Lost connection to the server.");
        } else {
            done = send(ch->fd, at, n, MSG_NOSIGNAL);
            if (done < 0 && errno == EINTR)
                continue;
            if (done < 0)
                return error_text("Lost connection to the server.");
        }
        at += done;
        n -= (size_t)done;
    }
    return NULL;
}

/* False: the watched descriptor has hung up, and nobody is left who wants the answer. */
static bool await_bytes(const struct channel *ch)
{
    struct pollfd p[2] = {{.fd = ch->fd, .events = POLLIN}, {.fd = ch->watched}};

    while (!p[0].revents && !p[1].revents)
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return false;
    return p[0].revents;
}

static struct error *read_some(struct channel *ch, void *p, size_t n, size_t *ret)
{
    for (;;) {
        ssize_t got;

        if (ch->watched >= 0 && !await_bytes(ch))
            return error_text("Lost connection to the client.");
        if (ch->ssl)
            got = SSL_read(ch->ssl, p, (int)MIN(n, (size_t)1 << 20));
        else
            got = read(ch->fd, p, n);
        if (got < 0 && !ch->ssl && errno == EINTR)
            continue;
        if (got < 0 && !(ch->ssl && SSL_get_error(ch->ssl, (int)got) == SSL_ERROR_ZERO_RETURN))
            return error_text("Lost connection to the server.");
        *ret = got > 0 ? (size_t)got : 0;
        return NULL;
    }
}

struct error *channel_read(struct channel *ch, void *p, size_t n, size_t *ret)
{
    size_t have = ch->end - ch->at;

    if (!have)
        return read_some(ch, p, n, ret);
    *ret = MIN(n, have);
    memcpy(p, ch->buf + ch->at, *ret);
    ch->at += *ret;
    return NULL;
}

struct error *channel_read_line(struct channel *ch, size_t max, char **ret)
{
    _cleanup_str_ struct str line = STR_INIT;

    for (;;) {
        const char *start = ch->buf + ch->at;
        const char *lf = memchr(start, '\n', ch->end - ch->at);
        size_t n = lf ? (size_t)(lf - start) : ch->end - ch->at;

        if (line.len + n > max)
            return error_text("the server's answer is not HTTP");
        str_add_mem(&line, start, n);
        ch->at += n;
        if (lf) {
            ch->at++;
            if (line.len && line.s[line.len - 1] == '\r')
                line.s[--line.len] = '\0';
            *ret = str_take(&line);
            return NULL;
        }
        ch->at = ch->end = 0;
        TRY(read_some(ch, ch->buf, sizeof(ch->buf), &ch->end));
        if (!ch->end)
            return error_text("Lost connection to the server.");
    }
}

bool channel_has_bytes(const struct channel *ch)
{
    return ch->at < ch->end || (ch->ssl && SSL_pending(ch->ssl) > 0);
}

bool channel_is_ended(const struct channel *ch)
{
    struct pollfd p = {.fd = ch->fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}
