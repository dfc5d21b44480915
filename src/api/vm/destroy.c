/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.destroy: the rows of a VM and what the host keeps of it. Its disks stay. */
#include "api/vm/domain.h"
#include "api/vm/plans.h"
#include "api/vtpm/vtpm.h"
#include "base/log.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

/* The tree of snapshots stays in one piece. */
static struct error *hand_over_children(struct txn *t, const struct vm_rec *vm)
{
    const struct set_ref *children = &txn_inv_vm(t, vm)->children;

    for (size_t i = 0; i < children->n; i++) {
        struct vm_rec *child;

        if (!txn_find_vm(t, children->v[i]))
            continue;
        TRY(txn_edit_vm(t, children->v[i], &child));
        child->parent = vm->parent;
    }
    return NULL;
}

/* VBDs, VIFs, consoles and other devices go with the row they belong to. */
static struct error *remove_rows(struct plan *p, struct txn *t)
{
    const struct vm_rec *vm = txn_find_vm(t, plan_str(p, "vm"));

    if (!vm)
        return NULL;
    TRY(hand_over_children(t, vm));
    if (txn_find_vm_metrics(t, vm->metrics))
        TRY(txn_delete_vm_metrics(t, vm->metrics));
    if (txn_find_vm_guest_metrics(t, vm->guest_metrics))
        TRY(txn_delete_vm_guest_metrics(t, vm->guest_metrics));
    TRY(vtpm_remove_all(t, vm));
    return txn_delete_vm(t, vm->self);
}

/* The VM is gone; files that the host could not remove now do no harm. */
static struct error *forget(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_forget_args args = {.uuid = plan_str(p, "uuid")};

    log_and_free(LOG_WARNING, hostd_vm_forget(d->hostd, &args, plan_arena(p), NULL),
                 "the host could not forget VM %s", args.uuid);
    return NULL;
}

static const struct plan_step steps[] = {
    {.name = "remove rows", .record = remove_rows},
    {.name = "forget", .act = forget},
};

const struct plan_type plan_vm_destroy = {
    .name = "VM.destroy", .steps = steps, .n_steps = ARRAY_SIZE(steps), .no_cancel = true};

struct error *api_vm_destroy(struct call *c, const struct vm_destroy_args *a)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, a->self, &vm));
    if (vm->is_default_template)
        return err_vm_cannot_delete_default_template(vm->self);
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_DESTROY));
    return vm_plan(c, &plan_vm_destroy, vm->self, VM_OPERATIONS_DESTROY, &p);
}
