/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A connection to a host: unix socket, TCP or TLS, blocking, with a read buffer. Certificates are
 * known from the first connection on (known.h), as hosts sign their own. One thread.
 */

#include "base/error.h"
#include "cli/known.h"

#include <stdint.h>

struct ssl_st;

struct channel {
    int fd;
    struct ssl_st *ssl; /* NULL = plain */
    int watched;        /* waits end when this descriptor hangs up; -1 = none */
    size_t at;          /* unread bytes of buf: at..end */
    size_t end;
    char buf[65536];
};

/* Of a connection that is there; takes fd. watched is borrowed. */
struct channel *channel_of(int fd, int watched);
_must_check_ struct error *channel_open_unix(const char *path, struct channel **ret);
/* known: TLS, with the certificates seen before; NULL: plain. Errors are in the words xe has. */
_must_check_ struct error *channel_open_tcp(const char *host, uint16_t port,
                                            const struct known *known, struct channel **ret);
void channel_free(struct channel *ch);

_must_check_ struct error *channel_write(struct channel *ch, const void *p, size_t n);
/* Bytes of the buffer, then of the connection; 0 = the peer has ended. */
_must_check_ struct error *channel_read(struct channel *ch, void *p, size_t n, size_t *ret);
/* A line without its end; at most max bytes. */
_must_check_ struct error *channel_read_line(struct channel *ch, size_t max, char **ret);
/* Are there bytes that poll cannot see? */
bool channel_has_bytes(const struct channel *ch);
/* Has the peer ended the connection, or said something nobody asked for? Does not wait. */
bool channel_is_ended(const struct channel *ch);

static inline void cleanup_channel(struct channel **ch)
{
    if (*ch)
        channel_free(*ch);
}

#define _cleanup_channel_ _cleanup_(cleanup_channel)
