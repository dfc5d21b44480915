/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * All transfers of a daemon: which are under way, so that it can end them when it stops, and
 * whether they may still use its store and hostd. Any thread.
 */

#include "api/http/transfer.h"

struct transfers;

/* Freed when none is under way. */
struct transfers *transfers_new(void);
void transfers_free(struct transfers *all);
/* Makes every transfer under way end soon: the daemon stops. */
void transfers_cancel(struct transfers *all);

/* The program that takes over. ask takes the question, waits for the answer and gives it back, NULL
 * if there is nobody; tell does not wait. Any thread. */
struct transfer_successor {
    json_t *(*ask)(void *ctx, json_t *question);
    void (*tell)(void *ctx, json_t *question);
    void *ctx;
};

/* No further transfer begins; waits until those that do have a connection of their own, at most
 * timeout_us. What follows is transfers_leave. */
void transfers_hold(struct transfers *all, int64_t timeout_us);
/* Once the server is paused: requests of transfers that have not begun are given back, those under
 * way ask the next program. transfers_await_left: returns when nobody uses store and hostd any
 * more. */
void transfers_leave(struct transfers *all, const struct transfer_successor *next);
void transfers_await_left(struct transfers *all);
bool transfers_are_left(struct transfers *all);
/* Once they are left. */
const struct transfer_successor *transfers_next(const struct transfers *all);
/* What those under way hold, for the next program: transfers_lost of transfer.h. */
json_t *transfers_held(struct transfers *all);

/* ---- for one transfer ---- */

/* Transfers of one address (NULL = local) at a time, waiting ones included: others have threads
 * left then. */
#define TRANSFERS_PER_SOURCE 128
/* False: it has that many. Else ticket_return when the transfer is over. */
_must_check_ bool transfers_admit(struct transfers *all, const char *address, struct ticket *ret);

void transfers_add(struct transfer *t);
void transfers_remove(struct transfer *t);
/* It begins: it may use the store and hostd until it is told that it has begun. False: that is
 * over. Blocks while transfers are held. */
bool transfer_begin(struct transfer *t);
/* It has its connection, or has ended: from now on it enters for each call. May come twice. */
void transfer_begun(struct transfer *t);
/* False: store and hostd are another program's; else they are ours until transfers_exit. */
_must_check_ bool transfers_enter(struct transfers *all);
void transfers_exit(struct transfers *all);

/* Has that VDI open by that handle of hostd's, from now until transfers_remove. */
void transfers_set_disk(struct transfer *t, const char *vdi, const char *handle);
/* Shows that console, from now until transfers_remove. False: alone it cannot, another one does. */
_must_check_ bool transfers_set_console(struct transfer *t, const char *console, bool alone);
/* A disk that a transfer has may be free soon: clients cut one off, and upload again or destroy the
 * disk at once. Calls fn, and again while it fails with VDI_IN_USE and a transfer that has the VDI
 * ends within two seconds. Blocks. */
_must_check_ struct error *transfers_retry(struct transfers *all, const char *vdi,
                                           struct error *(*fn)(void *ctx), void *ctx);

/* One of TRANSFERS_LARGE_MAX places for what keeps much in memory; waits a moment for one. */
#define TRANSFERS_LARGE_MAX 4
_must_check_ bool transfers_enter_large(struct transfers *all);
void transfers_leave_large(struct transfers *all);

/* What transfers_cancel ends: given back as NULL before it is closed. */
void transfers_set_stream(struct transfer *t, struct stream *stream);
void transfers_set_web(struct transfer *t, struct websocket *web);
/* Keeps the refusal until t->late is due. False: it is still the caller's. */
_must_check_ bool transfers_refuse_late(struct transfer *t, struct error *e);
struct error *transfers_take_refusal(struct transfer *t);
