/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disaster recovery: repositories of another pool taken up for the copies of its database. */
#include "gen/msg/DR_task.h"
#include "gen/class/DR_task_txn.h"
#include "gen/class/SM_txn.h"
#include "rpc/call.h"
#include "rules/lookup.h"

/* Every driver of today lacks what it takes. */
struct error *api_dr_task_create(struct call *c, const struct dr_task_create_args *a,
                                 const char **ret)
{
    const struct sm_rec *driver = find_driver(txn_view(c->txn), a->type);

    if (!driver)
        return err_sr_unknown_driver(a->type);
    return err_operation_not_allowed(
        arena_printf(c->arena, "Disaster recovery not supported on SRs of type %s", driver->type));
}

struct error *api_dr_task_destroy(struct call *c, const struct dr_task_destroy_args *a)
{
    const struct dr_task_rec *task;

    TRY(txn_dr_task(c->txn, a->self, &task));
    if (txn_inv_dr_task(c->txn, task)->introduced_SRs.n)
        return err_cannot_destroy_disaster_recovery_task("Its repositories are still here");
    return txn_delete_dr_task(c->txn, task->self);
}
