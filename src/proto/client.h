/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * xenolithd's connection to xenolith-hostd: the generated stubs hostd_X() of gen/host_proto.h run
 * over it.
 *
 * Any number of threads call at once; each blocks until its own answer, its call's time limit, or
 * the loss of the connection. The connection is made in the background and made again whenever it
 * is lost; a call made while there is none waits for one, at most HOSTD_PATIENCE_US. A call in
 * flight when hostd goes away is made again, since all calls can be repeated, and fails with
 * EHOSTDOWN ("hostd went away") once HOSTD_PATIENCE_US have passed since the first loss.
 *
 * The result may be NULL where nobody wants it.
 *
 * Errors: what the body returned in hostd, API error or system error, as it was; else EHOSTDOWN
 * (hostd is away), ETIMEDOUT (the answer, should it still come, is dropped), EPROTO.
 *
 * Callbacks run on one thread of this module, one at a time, in order. They may call hostd.
 */

#include "base/error.h"
#include "gen/host_proto.h"

#include <errno.h>

#define HOSTD_PATIENCE_US (10ll * 1000000)

struct hostd_config {
    const char *socket_path; /* <state>/run/hostd */
    const char *version;     /* of this program, for the log of the other side */
    /* A connection was made, the first or another: what was known of domains may be stale, and
     * events may have been missed. Ask vm_list. Also called, with the connection as it was, when so
     * many events came that some had to be dropped. */
    void (*on_connect)(void *ctx, const struct host_hello_result *hello);
    void (*on_event)(void *ctx, const struct host_event_rec *event);
    void *ctx;
};

/* Returns at once; fails only if threads cannot be started. Strings are copied. */
_must_check_ struct error *hostd_open(const struct hostd_config *config, struct hostd **ret);
/* Lets go: calls in flight and later ones fail with EHOSTDOWN, no callback runs after it returns.
 * NULL is accepted. */
void hostd_cut(struct hostd *h);
/* Cuts and frees: no call may be in flight any more. NULL is accepted. */
void hostd_close(struct hostd *h);
/* Waits until hostd has answered hello; EHOSTDOWN when the time is up. For start-up. */
_must_check_ struct error *hostd_await(struct hostd *h, int64_t timeout_us);
/* How often it was connected: events of the time between two connections are lost. */
uint64_t hostd_connections(struct hostd *h);
/* The call failed because hostd is away: it may have been carried out, and can be made again. */
static inline bool hostd_is_away(const struct error *e)
{
    return e && !e->code && e->errnum == EHOSTDOWN;
}
