/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Copying all data of a disk, inside the act of a plan's step: hostd copies; another thread waits
 * for that call, so that the step can report progress and pass on a cancellation. Blocks.
 */

#include "gen/host_proto.h"
#include "task/plan.h"

/*
 * ret: the copy, in plan_arena. The step is reported as done from `from` to `from + share`.
 * TASK_CANCELLED if the task was; errors name references.
 */
_must_check_ struct error *vdi_data_copy(struct plan *p, const struct host_vdi_copy_args *args,
                                         double from, double share,
                                         struct host_vdi_copy_result **ret);
