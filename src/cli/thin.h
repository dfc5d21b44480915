/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The user's end of a command whose user is at the other end of a connection, with a thin client:
 * what it is to print or move goes there as messages. Bulk data never passes here: the client
 * fetches and brings it over HTTP by itself.
 *
 * Waits are limited: whoever says nothing for too long is given up. Meanwhile the server is asked
 * something now and then, so that it does not end our connection.
 */

#include "cli/front.h"

struct thin {
    struct front front;
    int fd;                /* of the client; borrowed, blocking */
    struct client *client; /* with the server; NULL before there is one */
    bool gone;             /* the connection is of no use any more */
    size_t at, end;        /* unread bytes of buf */
    char buf[4096];
};

void thin_init(struct thin *t, int fd);
/* Exactly n bytes, within that time. */
_must_check_ struct error *thin_read(struct thin *t, void *p, size_t n, int limit_s);
/* Greets, and waits for the client's greeting. */
_must_check_ struct error *thin_greet(struct thin *t);
/* The last message. */
void thin_exit(struct thin *t, int code);
