/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that need the guest's help in ways no driver here offers, old ones and ones among hosts:
 * the checks, and the error that tells what is missing.
 */
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define UNATTEND_MAX 32768 /* what fits through the guest's channel */

static struct error *asleep(struct call *c, const char *ref)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    if (vm->power_state != VM_POWER_STATE_RUNNING)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_RUNNING);
    return err_vm_lacks_feature(vm->self);
}

/* Sleep as a notebook does, with the machine still there. */
struct error *api_vm_s3_suspend(struct call *c, const struct vm_s3_suspend_args *a)
{
    return asleep(c, a->vm);
}

struct error *api_vm_s3_resume(struct call *c, const struct vm_s3_resume_args *a)
{
    return asleep(c, a->vm);
}

struct error *api_vm_sysprep(struct call *c, const struct vm_sysprep_args *a)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_SYSPREP));
    if (strlen(a->unattend) > UNATTEND_MAX)
        return err_sysprep(vm->self, "unattend.xml is longer than 32 KiB");
    return err_sysprep(vm->self, "the guest has no agent that can run sysprep");
}

struct error *api_vm_hard_reboot_internal(struct call *c,
                                          const struct vm_hard_reboot_internal_args *a)
{
    return api_vm_hard_reboot(c, &(struct vm_hard_reboot_args){.vm = a->vm});
}

/* From storage that takes snapshots by itself. */
struct error *api_vm_update_snapshot_metadata(struct call *c,
                                              const struct vm_update_snapshot_metadata_args *a)
{
    const struct vm_rec *of;
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    TRY(txn_vm(c->txn, a->snapshot_of, &of));
    vm->is_a_snapshot = true;
    vm->snapshot_of = of->self;
    vm->snapshot_time = a->snapshot_time;
    vm->transportable_snapshot_id = a->transportable_snapshot_id;
    return NULL;
}
