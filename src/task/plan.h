/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Plans: how a call changes a host. A plan is a list of small named steps, each with its undo;
 * which step is under way is part of the task's row, so a restarted daemon goes on where the
 * killed one stopped.
 *
 * A step has two halves. `act` touches the host and writes nothing; it is idempotent (everything
 * it creates has a name chosen before, in the intent), because it runs again if the daemon dies
 * before the second half. `record` writes the rows that result, in the same commit that moves the
 * plan to its next step; it may run several times on conflicts and has no side effects. Either may
 * be missing. `undo` and `unrecord` take them back, newest step first, when a later step fails or
 * the task is cancelled; undo of a step whose act never ran must be harmless.
 *
 * The body of the call (a MSG_PLAN message) checks, chooses names, marks current_operations and
 * calls plan_begin: that commit is the intent. Everything a plan needs later stands in its state,
 * a small JSON object kept in the task's row.
 *
 * Threads: the steps of one plan run one after the other on worker threads, without any lock.
 * A step that waits for something (a guest's shutdown) calls plan_wait and returns; it holds no
 * thread meanwhile and act is called again when something of interest changed or time is up.
 */

#include "model/txn.h"
#include "task/daemon.h"

#include <jansson.h>

struct plan;
struct call;

struct plan_step {
    const char *name; /* "attach disks": shown in the task, in dry runs and by the tests */
    int weight;       /* share of the progress bar, 0 counts as 1 */
    struct error *(*act)(struct plan *p);
    struct error *(*record)(struct plan *p, struct txn *t);
    struct error *(*undo)(struct plan *p);
    struct error *(*unrecord)(struct plan *p, struct txn *t);
    /*
     * No way back behind it (a guest that was saved runs again): it takes no cancel, its rows are
     * written however long the disk refuses, and it is not undone when a later step fails.
     */
    bool keeps;
};

struct plan_type {
    const char *name; /* stable: stored in rows. By custom the message: "VM.start" */
    const struct plan_step *steps;
    int n_steps;
    bool no_cancel;
    /* Rows to write after everything was undone; may be NULL. */
    struct error *(*failed)(struct plan *p, struct txn *t, const struct error *why);
};

/*
 * In a body: makes this call a plan. Adds the task's row (or hardens the one of an Async call) to
 * the call's transaction. The result is only valid inside the body, for plan_set_* and plan_mark.
 */
struct plan *plan_begin(struct call *c, const struct plan_type *type);
/* The same without a call, for what the daemon starts itself (a guest that powered off). The plan
 * starts when engine_commit has committed t. */
struct plan *plan_begin_internal(struct daemon *d, struct txn *t, const struct plan_type *type,
                                 const char *label);
/*
 * Puts task -> operation into current_operations of an object, in the plan's first transaction or
 * in the record that makes the object; taken out again when the plan ends, in every case. op: value
 * of the class's operations enum.
 */
_must_check_ struct error *plan_mark(struct plan *p, struct txn *t, enum class_id class_id,
                                     const char *ref, int op);

/* State. Strings live until the key is set again; absent = "" / 0 / false / NULL. */
const char *plan_str(const struct plan *p, const char *key);
int64_t plan_int(const struct plan *p, const char *key);
bool plan_bool(const struct plan *p, const char *key);
json_t *plan_json(const struct plan *p, const char *key); /* borrowed */
void plan_set_str(struct plan *p, const char *key, const char *value);
void plan_set_int(struct plan *p, const char *key, int64_t value);
void plan_set_bool(struct plan *p, const char *key, bool value);
void plan_set_json(struct plan *p, const char *key, json_t *value); /* takes the reference */
/* Inside an act: what was set becomes durable with this commit, not only with the step's own. */
_must_check_ struct error *plan_save(struct plan *p, struct txn *t);

/* From an act to its own record: kept in memory only, from plan_arena; NULL at first. */
void plan_set_memo(struct plan *p, void *memo);
void *plan_memo(const struct plan *p);

/* The value the call answers: a reference or another string. */
void plan_set_result(struct plan *p, const char *value);

struct daemon *plan_daemon(const struct plan *p);
struct arena *plan_arena(struct plan *p);    /* lives as long as the plan in memory */
const char *plan_task(const struct plan *p); /* reference of the task's row */
/* Inside a long act: 0..1 of this step; cheap, written to the row at most every 200 ms. */
void plan_progress(struct plan *p, double done);
/* Inside a long act: has someone cancelled the task? Then return plan_cancelled(p). */
bool plan_is_cancelled(const struct plan *p);
/* Inside an act that works on and on by itself: does the daemon stop? Then return any error; the
 * next daemon begins the act anew. */
bool plan_is_left(const struct plan *p);
struct error *plan_cancelled(const struct plan *p); /* TASK_CANCELLED [task] */

/*
 * From act: `return plan_wait(p, CLASS_VM, ref, deadline)`: run this step's act again after the
 * object changed (any object of the class if ref is NULL) or the deadline (mono_us) passed. State
 * set before is kept in memory, and in the row if a record half ran since.
 */
struct error *plan_wait(struct plan *p, enum class_id class_id, const char *ref,
                        int64_t deadline_us);
