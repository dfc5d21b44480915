/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/begin.h"

#include "rpc/task_notes.h"
#include "task/plan_priv.h"
#include "task/task_row.h"

struct plan *plan_begin(struct call *c, const struct plan_type *type)
{
    const struct intent in = {
        .label = c->msg->name, .user = c->user, .session = c->session, .task = c->task};

    c->plan = plan_intend(c->daemon, c->txn, type, &in);
    return c->plan;
}

void plan_seal(struct plan *p, struct txn *t, const struct http_request *rq)
{
    if (rq && p->transient)
        task_notes_add(t, p->row, rq);
    plan_store(p, t, p->row);
}

struct error *async_cancelled(const struct version *task)
{
    const struct task_rec *row = task->rec;

    return task_row_is_cancelled(row) ? err_task_cancelled(row->self) : NULL;
}
