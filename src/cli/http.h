/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HTTP requests over one kept connection, and over connections of their own for long transfers.
 * Only what the servers of XenAPI send is understood: Content-Length or the end of the connection.
 */

#include "base/str.h"
#include "cli/channel.h"
#include "cli/options.h"

struct http_client {
    const struct options *options; /* borrowed; names the server */
    struct channel *channel;       /* kept, NULL until needed */
};

struct http_answer {
    int status;
    int64_t length; /* -1 = until the end of the connection */
    char *location; /* NULL = none */
    bool close;
};

void http_answer_fini(struct http_answer *a);
void http_client_fini(struct http_client *h);

/* A connection to the server, or to another host of its pool ("address" or "address:port"). */
_must_check_ struct error *http_connect(const struct http_client *h, const char *host,
                                        struct channel **ret);
/* POSTs n bodies of JSON, all at once, and reads the answers into ret_bodies (cleared first), in
 * the same order: one round trip. */
_must_check_ struct error *http_post_all(struct http_client *h, const char *path,
                                         char *const *bodies, size_t n, struct str *ret_bodies);
/* Sends a head; length < 0: none is announced; from: the first byte that is wanted. */
_must_check_ struct error *http_send_head(struct channel *ch, const char *verb, const char *path,
                                          const char *host, int64_t length, int64_t from);
_must_check_ struct error *http_read_head(struct channel *ch, struct http_answer *ret);
/* Splits "https://host/path" into host (caller frees; NULL for a bare path) and path within url. */
const char *http_split_url(const char *url, char **ret_host);
