/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between a call and its plan. */

#include "rpc/call.h"
#include "task/plan.h"
#include "wire/server.h"

/* Before the intent is committed: state and position into the task's row, and what the request of a
 * call without a task says about it (NULL = it came by none). */
void plan_seal(struct plan *p, struct txn *t, const struct http_request *rq);
void plan_discard(struct plan *p);
/* TASK_CANCELLED if someone asked to cancel the task of this row, else NULL. */
struct error *async_cancelled(const struct version *task);
