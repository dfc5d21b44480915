/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.suspend: the memory goes to a disk of its own, then the domain ends. */
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "api/vm/saved.h"
#include "api/vm/suspend_disk.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *save(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_suspend_args args = {
        .uuid = plan_str(p, "uuid"),
        .sr = plan_str(p, "suspend sr uuid"),
        .vdi = plan_str(p, "suspend vdi uuid"),
    };

    return from_host(d->store, hostd_vm_suspend(d->hostd, &args, plan_arena(p), NULL));
}

static struct error *now_suspended(struct plan *p, struct txn *t)
{
    TRY(vm_plan_news(p, t, ALERT_VM_SUSPENDED));
    return vm_reset_rows(plan_daemon(p), t, plan_str(p, "vm"), VM_POWER_STATE_SUSPENDED);
}

static const struct plan_step steps[] = {
    {.name = "make suspend disk",
     .weight = 1,
     .act = suspend_disk_make,
     .record = suspend_disk_made,
     .undo = saved_unmake,
     .unrecord = saved_unmade},
    {.name = "save memory",
     .weight = 9,
     .act = save,
     .record = now_suspended,
     .undo = saved_return,
     .unrecord = saved_returned},
};

const struct plan_type plan_vm_suspend = {
    .name = "VM.suspend", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

struct error *api_vm_suspend(struct call *c, const struct vm_suspend_args *a)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, a->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_SUSPEND));
    TRY(vm_plan(c, &plan_vm_suspend, a->vm, VM_OPERATIONS_SUSPEND, &p));
    plan_set_bool(p, "resume", true); /* the way back */
    return suspend_disk_choose(p, c->txn, vm);
}
