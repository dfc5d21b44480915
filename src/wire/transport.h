/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A connected socket, plain or under TLS, with non-blocking operations of one shape. Used by the
 * pollers (conn.c) and by the blocking streams (stream.c).
 *
 * Every operation says what became of it; after TRANSPORT_WANT_* it is repeated, with the same
 * bytes, once the socket is ready for that. One thread at a time. The program ignores SIGPIPE.
 */

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;
struct tls;

enum transport_status {
    TRANSPORT_OK,
    TRANSPORT_WANT_READ,
    TRANSPORT_WANT_WRITE,
    TRANSPORT_EOF,
    TRANSPORT_FAILED, /* see error text */
};

struct transport {
    int fd;             /* non-blocking */
    struct ssl_st *ssl; /* NULL = plain */
    int failure;        /* errno of the last TRANSPORT_FAILED; EPROTO for TLS itself */
};

/* Takes the descriptor over. tls: NULL = plain, else the server's side of TLS. */
_must_check_ struct error *transport_init(struct transport *t, int fd, struct tls *tls);
/* Closes at once: what must still be said is said by transport_end first. */
void transport_fini(struct transport *t);

/* TLS: to be repeated until it is OK. Plain: OK. */
enum transport_status transport_handshake(struct transport *t);
/* At least one byte when OK. */
enum transport_status transport_read(struct transport *t, void *p, size_t n, size_t *ret_n);
enum transport_status transport_write(struct transport *t, const struct iovec *iov, size_t n,
                                      size_t *ret_n);
/* Sends from a file at *offset, which moves on. */
enum transport_status transport_send_file(struct transport *t, int fd, off_t *offset, size_t n,
                                          size_t *ret_n);
/* Says that we send nothing more (close_notify, FIN), as far as that goes without waiting. */
void transport_end(struct transport *t);
