/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The RPC layer: takes request bodies from the HTTP server, finds the message, checks count,
 * session and role, decodes arguments, runs the body with a transaction, encodes the answer.
 * Reads finish on the poller's thread; whatever may wait for the disk or the host runs on workers.
 */

#include "task/daemon.h"
#include "wire/server.h"

/* Routes of the RPC endpoints (POST /, /RPC2, /jsonrpc, /json and OPTIONS); ctx is the daemon.
 * Returns how many were written; there is room for RPC_ROUTES. */
#define RPC_ROUTES 8
size_t rpc_routes(struct daemon *d, struct http_route *ret);

/* Session and permission of other HTTP handlers use the same text. */
struct error *rpc_denied(const char *permission, uint32_t roles);

/* The host answers with TLS only, and this request came without. */
bool rpc_plain_is_refused(struct daemon *d, const struct http_request *rq);
