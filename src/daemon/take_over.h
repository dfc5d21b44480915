/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The new program's side of a hand-over; the old one's is hand_over.h. They talk over a socket
 * whose number is in XENOLITH_TAKE_OVER, in frames of JSON (proto/frame.h):
 *
 *   new  {"ready": 1}              all that needs no store is done, the old one may stop
 *   old  {"go": {...}} + sockets   what the store does not keep, the lock, the listeners
 *   new  {"serving": pid}          the hand-over is done
 *   old  {"given": {...}} + socket a connection; what was read from it follows the JSON and a NUL
 *   old  {"all": 1}                those to come are stragglers
 *
 * An end of the conversation before "go": the new one gives up. After it: the new one goes on.
 *
 * To be called by the main thread; connections are received on one of this module's own.
 */

#include "base/error.h"
#include "daemon/links.h"
#include "daemon/listen.h"

#include <jansson.h>

#define TAKE_OVER_ENV "XENOLITH_TAKE_OVER"

struct server;
struct take_over;

/* *ret = NULL: nobody hands over to this program. */
_must_check_ struct error *take_over_begin(struct take_over **ret);
/* Says ready and waits for "go". The descriptors that come with it are the caller's. */
_must_check_ struct error *take_over_await(struct take_over *t, struct listen_fds *ret_listen,
                                           struct link_list *ret_links, int *ret_lock);
/* Members of "go", until take_over_serve. NULL for a NULL t. */
const json_t *take_over_get(const struct take_over *t, const char *key);
/* Says serving; from now on connections come to the server. */
_must_check_ struct error *take_over_serve(struct take_over *t, struct server *s);
/* Waits until the first lot of connections has come. */
void take_over_await_all(struct take_over *t);
void take_over_free(struct take_over *t); /* NULL is fine; before server_free */
