/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this task? */
#include "rules/ops.h"

#include "gen/class/task.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/op_set.h"

/* Destroying a pending task is accepted and happens when it has ended; cancelling twice is
 * harmless, so only the list shows that once is enough. */
bool task_op_allowed(const struct view *v, const struct task_rec *task,
                     enum task_allowed_operations op, bool strict, struct error **ret_why)
{
    bool pending = task->status == TASK_STATUS_TYPE_PENDING;
    bool asked = ops_current(&task->current_operations) & OP(op);

    if (strict && (!pending || asked))
        REFUSE(ret_why, err_operation_not_allowed(pending ? "The task was already asked to"
                                                          : "The task has ended"));
    return true;
}

void derive_task_allowed_operations(const struct view *v, struct arena *a,
                                    const struct task_rec *rec, struct set_enum *ret)
{
    op_mask allowed = 0;

    if (task_op_allowed(v, rec, TASK_ALLOWED_OPERATIONS_CANCEL, true, NULL))
        allowed |= OP(TASK_ALLOWED_OPERATIONS_CANCEL);
    ops_to_set(a, allowed, ret);
}
