/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What one xenolithd is made of, handed to everything that acts: no globals. Set up once by
 * src/daemon before threads start and constant afterwards, but for what is atomic; each part has
 * its own header and its own locking.
 */

#include <stdatomic.h>
#include <stddef.h>

struct audit;
struct callers;
struct engine;
struct guesses;
struct hostd;
struct left;
struct sessions;
struct refusals;
struct server;
struct store;
struct tally;
struct traces;
struct transfers;
struct tls;
struct waiting;
struct workers;

struct daemon {
    struct store *store;
    struct hostd *hostd;         /* connection to xenolith-hostd (proto/client.h) */
    struct workers *workers;     /* calls that may block */
    struct workers *transfers;   /* consoles and disk streams: each holds a thread for long */
    struct transfers *under_way; /* of those: api/http/transfers.h */
    struct engine *engine;       /* plans (task/engine.h) */
    struct waiting *waiting;     /* calls and plans that wait without a thread (task/waiting.h) */
    struct sessions *sessions;   /* auth/sessions.h */
    struct guesses *guesses;     /* of passwords: auth/guesses.h */
    struct refusals *refusals;   /* of passwords, to be told: auth/refusals.h, or NULL */
    struct server *server;
    struct tls *tls;         /* of the server, or NULL */
    struct callers *callers; /* of plans of an earlier program (task/callers.h), or NULL */
    struct left *left;       /* calls for the next program (rpc/left.h), or NULL */
    struct tally *tally;     /* of calls (task/tally.h), or NULL */
    struct audit *audit;     /* task/audit.h, or NULL */
    struct traces *traces;   /* of calls (task/traces.h), or NULL */
    /* Starts a worker for a thin client, with these as its descriptors 3 and 4; any thread. NULL =
     * there is nobody who could. */
    struct error *(*start_cli)(void *ctx, const int fds[2]);
    void *start_cli_ctx;
    const char *state_dir;
    const char *host_ref; /* the row of the host this daemon runs on */
    const char *pool_ref;
    const char *boot_id; /* of the machine's present boot, as the host tells it */
    const char *version; /* of the product */
    const char *date;    /* on which it was last changed, "2026-01-31" */
    /* The daemon ends: a call that has committed nothing yet is given up, what it would have
     * done is for the next daemon. */
    atomic_bool leaving;
    /* What hostd told of guests and could not be written, or could not tell: who waits for it must
     * ask again. */
    atomic_uint events_missed;
    atomic_uint events_made_good; /* of them, those after which all guests were asked again */
};
