/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The engine carries out plans (task/plan.h): it runs their steps on workers, commits what they
 * record, undoes what failed, and after a restart goes on with every plan that was under way.
 */

#include "task/plan.h"

/* types: every plan type the daemon knows, NULL-terminated; a stored plan of another type fails its
 * task. */
struct engine *engine_new(struct daemon *d, const struct plan_type *const *types);
/* From now on no step begins, and one that fails is not undone: plans stay in their rows for the
 * next daemon. To be called before hostd is let go. NULL is accepted. */
void engine_stop(struct engine *e);
/* Waits for running steps, leaves the plans that wait. */
void engine_free(struct engine *e);

/* After the store is open and hostd answers: takes up the plans found in task rows. Tasks without a
 * plan have lost whoever worked for them and fail. */
_must_check_ struct error *engine_recover(struct engine *e);
/* The same after a program that handed over: tasks without a plan have not. Plans whose callers are
 * expected (task/callers.h) tell them. */
_must_check_ struct error *engine_take_over(struct engine *e);

/* After the intent was committed. done(ctx, error, result) is called once from any thread; error
 * and result are borrowed; result is a JSON value or NULL (void). done may be NULL. A plan that was
 * left for the next daemon has ended neither way: the error is one that engine_is_left() knows. */
void engine_start(struct engine *e, struct plan *p,
                  void (*done)(void *ctx, const struct error *error, json_t *result), void *ctx);
bool engine_is_left(const struct error *error);
/* The transaction of the intent was not committed. */
void plan_discard(struct plan *p);
/* For plan_begin_internal: commits t and starts p; discards p on failure. */
_must_check_ struct error *engine_commit(struct engine *e, struct txn *t, struct plan *p,
                                         const char *call);
/* The same for whoever waits: done as by engine_start, if it was committed. */
_must_check_ struct error *engine_commit_for(
    struct engine *e, struct txn *t, struct plan *p, const char *call,
    void (*done)(void *ctx, const struct error *error, json_t *result), void *ctx);

/* Task.cancel. False: no plan of that task is running. */
bool engine_cancel(struct engine *e, const char *task_ref);

struct engine_stats {
    size_t running, waiting;
    size_t failed; /* since the start */
};

struct engine_stats engine_stats(struct engine *e);

/* All boundaries of a plan, but "progress", which depends on how long an act takes. They are points
 * of base/test_point.h ("VM.start/attach disks/act"), come by before they happen; there
 * "VM.start/run/fail", behind the act, makes a step fail. */
void plan_type_points(const struct plan_type *type, void *ctx,
                      void (*each)(void *ctx, const char *step, const char *point));
