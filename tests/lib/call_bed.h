/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Calls of the API without a connection: bodies with the real store (in memory) and engine. The
 * program that uses this has its own hostd_call, which says what the host answers.
 */

#include "base/workers.h"
#include "gen/messages.h"
#include "rpc/call.h"
#include "task/engine.h"

#include <pthread.h>

struct call_bed {
    struct daemon d;
    struct call c;
    struct arena a;
    uint32_t roles; /* of who calls; 0: may do everything */
};

/* How a plan ended. */
struct call_outcome {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
    struct error *error;
};

void call_bed_init(struct call_bed *b);
void call_bed_fini(struct call_bed *b);
/* What the test itself writes: must succeed; frees the transaction. */
void call_bed_commit(struct txn *t);

/* Runs a body and starts its plan, as rpc does; ret as the message's result wants it. */
_must_check_ struct error *call_begin(struct call_bed *b, enum msg_id id, const void *args,
                                      void *ret, struct call_outcome *o);
_must_check_ struct error *call_await(struct call_outcome *o);
/* Both; the result, at most one reference, is not asked for. */
_must_check_ struct error *call_run(struct call_bed *b, enum msg_id id, const void *args);

/* A record as it is published now, NULL = there is none; lives as long as the bed. */
const void *call_bed_row(struct call_bed *b, enum class_id class_id, const char *ref);

void assert_ok(struct error *e);
void assert_fails(struct error *e, const char *code); /* frees it */
