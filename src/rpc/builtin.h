/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls outside the data model (system.*), and the task row of an Async call. */

#include "rpc/job.h"

/* True: `name` was one of them and the job is ended. */
bool builtin_call(struct job *j, const char *name);

/* Makes the soft task row of an Async job, which came by rq, and notes its reference in the call.
 */
_must_check_ struct error *async_task(struct job *j, const struct http_request *rq);
/* The row of an Async job whose body is done. */
void async_end(struct job *j, const struct error *e);
/* The reference in j->ret as an encoded value. */
void task_pieces(struct job *j, struct iovec **ret, size_t *ret_n);
