/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a body gets: `struct error *api_vm_start(struct call *c, const struct vm_start_args *a)`.
 *
 * Session, roles, argument types and counts have been checked. Bodies hold business rules only: no
 * JSON or XML, no SQL, no locks, no permission tests, no logging. Reads and writes go through
 * c->txn; results are written through `ret`, with memory from c->arena.
 *   READ   c->txn is never committed
 *   WRITE  c->txn is committed after the body; on a conflict the body runs again with a fresh txn
 *   PLAN   as WRITE, and plan_begin was called: the call is answered when the plan has ended
 *   PARK   may call call_park: then it is run again later, and nothing is answered yet
 *   SLOW   as WRITE, on a worker: may ask hostd; what it asks must be harmless when asked twice
 * A body that answers OTHER_OPERATION_IN_PROGRESS is run again when the object named in it changes
 * (unless c->no_wait), so bodies just return that error.
 */

#include "base/arena.h"
#include "gen/errors.h"
#include "model/txn.h"
#include "model/version.h"
#include "rpc/message.h"
#include "task/daemon.h"

struct plan;

struct call {
    struct daemon *daemon;
    struct arena *arena; /* lives until the answer is sent */
    struct txn *txn;
    const struct message *msg;
    const char *session;    /* reference, "" before a login */
    const char *user;       /* name for audit and tasks */
    uint32_t roles;         /* ROLE_BIT() mask */
    bool superuser;         /* local root: no role is needed */
    bool from_unix;         /* the local socket: logs in without a password */
    const char *originator; /* text of the peer's address or name */
    const char *agent;      /* what the client's program calls itself, "" = nothing */
    const char *task;       /* reference of this call's task row, "" = it has none */
    int64_t start_us;       /* mono_us when it came, perhaps to a program before this one */
    bool no_wait;           /* set by a body: contention is answered, not waited for */
    enum wire_form form;    /* of the reply, for MSG_CUSTOM_RESULT */
    struct str *raw;        /* MSG_CUSTOM_RESULT: the encoded value goes here, */
    struct iovec *pieces;   /* or is this, in memory that lives as long as the arena; or NULL */
    size_t n_pieces;
    void *memo;     /* a parked body's own state between runs (c->arena), NULL at first */
    bool timed_out; /* this run is due to the deadline of call_park */
    bool much;      /* set by a PARK body: its next run takes long, so others do not wait */

    /* Outcomes set through the functions below. */
    struct plan *plan;
    bool parked;
    int64_t park_deadline_us;
    bool park_classes[CLASS_MAX];
    const struct interest *park_only;
    const char *cancels; /* task whose plan hears of it once this call is committed, or NULL */
};

/*
 * PARK bodies: run me again after a publication that touches one of the classes, or at the deadline
 * (mono_us; then c->timed_out is set). Return NULL after it.
 */
struct error *call_park(struct call *c, const bool classes_of_interest[CLASS_MAX],
                        int64_t deadline_us);
/* The same for what an interest names; it must live until the body runs again (c->arena). */
struct error *call_park_for(struct call *c, const struct interest *of_interest,
                            int64_t deadline_us);
