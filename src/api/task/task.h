/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the bodies of class task. */

#include "gen/class/task_txn.h"
#include "rpc/call.h"

/* The task, to change, if the caller may: his own, or with the permission for everybody's. */
_must_check_ struct error *task_edit_owned(struct call *c, const char *ref, struct task_rec **ret);

static inline bool task_is_over(const struct task_rec *t)
{
    return t->status != TASK_STATUS_TYPE_PENDING && t->status != TASK_STATUS_TYPE_CANCELLING;
}
