/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/transport.h"

#include "base/io.h"
#include "wire/tls_context.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define TLS_RECORD 16384u

struct error *transport_init(struct transport *t, int fd, struct tls *tls)
{
    *t = (struct transport){.fd = fd};
    TRY(io_set_nonblock(fd, true));
    return tls ? tls_start(tls, fd, &t->ssl) : NULL;
}

void transport_fini(struct transport *t)
{
    if (t->ssl)
        SSL_free(t->ssl);
    t->ssl = NULL;
    cleanup_close(&t->fd);
    t->fd = -1;
}

static enum transport_status plain_status(struct transport *t)
{
    if (errno == EAGAIN)
        return TRANSPORT_WANT_READ; /* the caller knows which way it was going */
    t->failure = errno;
    return TRANSPORT_FAILED;
}

static enum transport_status tls_status(struct transport *t, int result)
{
    int saved = errno;

    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TRANSPORT_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TRANSPORT_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TRANSPORT_EOF;
    case SSL_ERROR_SYSCALL:
        t->failure = saved ? saved : ECONNRESET;
        break;
    default:
        t->failure = EPROTO;
    }
    ERR_clear_error();
    /* After a fatal error the library must not be asked to say goodbye. */
    SSL_set_quiet_shutdown(t->ssl, 1);
    return TRANSPORT_FAILED;
}

enum transport_status transport_handshake(struct transport *t)
{
    if (!t->ssl)
        return TRANSPORT_OK;
    ERR_clear_error();
    errno = 0;
    int r = SSL_accept(t->ssl);

    return r == 1 ? TRANSPORT_OK : tls_status(t, r);
}

enum transport_status transport_read(struct transport *t, void *p, size_t n, size_t *ret_n)
{
    assert(n);
    if (t->ssl) {
        ERR_clear_error();
        errno = 0;
        int r = SSL_read_ex(t->ssl, p, n, ret_n);

        return r == 1 ? TRANSPORT_OK : tls_status(t, r);
    }
    ssize_t got;

    do
        got = recv(t->fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return plain_status(t);
    *ret_n = (size_t)got;
    return got ? TRANSPORT_OK : TRANSPORT_EOF;
}

static enum transport_status tls_write(struct transport *t, const void *p, size_t n, size_t *ret_n)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_write_ex(t->ssl, p, n, ret_n);

    return r == 1 ? TRANSPORT_OK : tls_status(t, r);
}

/* Small pieces are joined into one record; a record of its own for each would cost more. */
static enum transport_status tls_write_pieces(struct transport *t, const struct iovec *iov,
                                              size_t n, size_t *ret_n)
{
    char record[TLS_RECORD];
    size_t len = 0;

    if (n == 1 || iov[0].iov_len >= sizeof(record))
        return tls_write(t, iov[0].iov_base, iov[0].iov_len, ret_n);
    for (size_t i = 0; i < n && len < sizeof(record); i++) {
        size_t part = MIN(iov[i].iov_len, sizeof(record) - len);

        memcpy(record + len, iov[i].iov_base, part);
        len += part;
    }
    return tls_write(t, record, len, ret_n);
}

enum transport_status transport_write(struct transport *t, const struct iovec *iov, size_t n,
                                      size_t *ret_n)
{
    assert(n && iov[0].iov_len);
    if (t->ssl)
        return tls_write_pieces(t, iov, n, ret_n);
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = MIN(n, IOV_MAX)};
    ssize_t done;

    do
        done = sendmsg(t->fd, &msg, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return plain_status(t) == TRANSPORT_FAILED ? TRANSPORT_FAILED : TRANSPORT_WANT_WRITE;
    *ret_n = (size_t)done;
    return TRANSPORT_OK;
}

enum transport_status transport_send_file(struct transport *t, int fd, off_t *offset, size_t n,
                                          size_t *ret_n)
{
    if (t->ssl) {
        char record[TLS_RECORD];
        ssize_t got = TEMP_FAILURE_RETRY(pread(fd, record, MIN(n, sizeof(record)), *offset));

        if (got <= 0) {
            t->failure = got < 0 ? errno : EIO; /* the file became shorter than promised */
            return TRANSPORT_FAILED;
        }
        enum transport_status st = tls_write(t, record, (size_t)got, ret_n);

        if (st == TRANSPORT_OK)
            *offset += (off_t)*ret_n;
        return st;
    }
    ssize_t done;

    do
        done = sendfile(t->fd, fd, offset, MIN(n, 1u << 20));
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return plain_status(t) == TRANSPORT_FAILED ? TRANSPORT_FAILED : TRANSPORT_WANT_WRITE;
    if (done == 0) {
        t->failure = EIO;
        return TRANSPORT_FAILED;
    }
    *ret_n = (size_t)done;
    return TRANSPORT_OK;
}

void transport_end(struct transport *t)
{
    if (t->ssl && SSL_is_init_finished(t->ssl)) {
        ERR_clear_error();
        SSL_shutdown(t->ssl); /* sends close_notify; the peer's is not awaited */
        ERR_clear_error();
    }
    shutdown(t->fd, SHUT_WR);
}
