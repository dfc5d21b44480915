/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Plans that consist of other calls (all VMs of an appliance start; a schedule takes snapshots). A
 * subcall is an ordinary call of the API made by the daemon, with a task below that of the plan.
 * The plan looks at its outcome whenever its act runs, and waits in between.
 *
 * What was begun is kept in the plan's state in memory, under a key the caller chooses. After a
 * restart of the daemon it is forgotten: then the key is looked at as if it were new, so callers
 * first ask whether there is still anything to do. A call that meets its own predecessor at work
 * waits for it.
 */

#include "task/plan.h"

enum subcall_state { SUBCALL_NONE, SUBCALL_RUNS, SUBCALL_DONE, SUBCALL_FAILED };

/* NONE: not begun in this program. */
enum subcall_state subcall_state(struct plan *p, const char *key);
/* Begins it: args is what the message's body takes. SUBCALL_NONE: something is in the way, try
 * again later; SUBCALL_FAILED: refused. */
enum subcall_state subcall_begin(struct plan *p, const char *key, const char *message,
                                 const void *args);
/* The reference a finished one answered, "" if none; from plan_arena. */
const char *subcall_result(struct plan *p, const char *key);
/* Is any of those begun in this program still under way? */
bool subcall_any_runs(struct plan *p);
/* For act to return: until a task changed, or it is time to look again. */
_must_check_ struct error *subcall_wait(struct plan *p);
/* An undo half: those under way are cancelled, and go on if they take no cancel. */
struct error *subcall_cancel_all(struct plan *p);
/* For the last record: their tasks go with that of the plan. */
_must_check_ struct error *subcall_forget_all(struct plan *p, struct txn *t);
