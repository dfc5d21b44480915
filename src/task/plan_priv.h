/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of a plan, for plan.c (state and intent) and engine.c (running). */

#include "base/list.h"
#include "gen/class/task_txn.h"
#include "task/engine.h"
#include "task/waiting.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

struct plan {
    struct list link; /* engine's list */
    struct daemon *daemon;
    const struct plan_type *type;
    struct arena arena;
    char *task_ref;
    char *label; /* the call, for audit and log */
    char *user;
    json_t *state;
    void *memo;
    struct task_rec *row; /* during the intent's transaction only */
    int step;
    bool undoing;
    int refusals;      /* how often the store did not take this step's rows */
    bool transient;    /* a synchronous call's: its task row goes when it ends */
    struct error *why; /* while undoing */
    atomic_bool cancelled;
    bool wait_asked;
    struct waiter waiter;
    struct interest wait_for; /* the one object that plan_wait named */
    const char *wait_ref;
    uint64_t seen_seq;
    double step_progress;
    int64_t progress_us; /* when progress was last written */
    int64_t start_us;
    void (*done)(void *ctx, const struct error *error, json_t *result);
    void *done_ctx;
};

/* On whose behalf; "" where there is none. */
struct intent {
    const char *label, *user, *session, *task;
};

/* The task's row and the plan, in the transaction of the intent. */
struct plan *plan_intend(struct daemon *d, struct txn *t, const struct plan_type *type,
                         const struct intent *in);
/* The engine knows the plan from here on, so that a cancel between intent and start finds it. */
void engine_expect(struct engine *e, struct plan *p);
/* It will not start. */
void engine_unexpect(struct engine *e, struct plan *p);
struct daemon *engine_daemon(const struct engine *e);
const struct plan_type *engine_find_type(const struct engine *e, const char *name); /* or NULL */
struct plan *plan_new(struct daemon *d, const struct plan_type *type);
void plan_free(struct plan *p);
/* Writes state and step into the task's row. */
void plan_store(struct plan *p, struct txn *t, struct task_rec *row);
/* Takes the plan's marks out of current_operations. */
_must_check_ struct error *plan_unmark_all(struct plan *p, struct txn *t);
/* Puts marks back that a restart lost. */
_must_check_ struct error *plan_remark_all(struct plan *p, struct txn *t);
double plan_fraction(const struct plan *p);
