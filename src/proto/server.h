/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The listening side of the host protocol, in xenolith-hostd: accepts xenolithd (and tests), runs
 * the bodies host_X() of gen/host_proto.h on workers, pushes events.
 *
 * Who may connect: the user this program runs as, root, and one more user. All arguments have been
 * decoded by type when a body runs; what they mean (ids, names, ranges) is the body's to check.
 * Many calls run at once, also on one connection; bodies see to what must be done in turn. When a
 * connection ends, its calls that run go on, those that wait do not begin, and answers are dropped;
 * who connects next is heard when those have ended, or after some seconds.
 */

#include "base/arena.h"
#include "base/error.h"
#include "gen/host_proto.h"

#include <sys/types.h>

struct host_server;

struct host_server_config {
    const char *socket_path;
    uid_t user; /* allowed beside root and ourselves, (uid_t)-1 = nobody */
    unsigned max_threads;
    unsigned peer_timeout_s; /* no progress within a message; 0 = 10 */
    void *ctx;               /* what host_call_ctx gives */
};

_must_check_ struct error *host_server_start(const struct host_server_config *config,
                                             struct host_server **ret);
/* Takes no more calls, waits for those that run. NULL is accepted. */
void host_server_stop(struct host_server *s);
/* To all connections. Any thread; never blocks: a connection too slow for events is closed, and its
 * peer learns the state anew when it comes back. */
void host_server_push(struct host_server *s, const struct host_event_rec *event);

/* ---- inside a body ---- */

void *host_call_ctx(const struct host_call *c);
/* For results: valid until the answer is sent. */
struct arena *host_call_arena(struct host_call *c);
/* The caller gave up, or its connection ended. */
bool host_call_cancelled(const struct host_call *c);
/* Sends fd with the answer; takes it. */
void host_call_give_fd(struct host_call *c, int fd);
/* A descriptor that came with the call, now the body's; -1 = there is none of that number. */
int host_call_take_fd(struct host_call *c, size_t i);
