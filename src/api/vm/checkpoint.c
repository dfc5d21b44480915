/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM.checkpoint: a snapshot with memory. A running guest is saved to a disk, which the snapshot
 * keeps, and goes on from there; of a suspended VM the saved memory is cloned.
 */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vm/disk_copies.h"
#include "api/vm/domain.h"
#include "api/vm/duplicate.h"
#include "api/vm/plans.h"
#include "api/vm/saved.h"
#include "api/vm/suspend_disk.h"
#include "base/world.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"
#include "value/json.h"

/* Key of the saved memory in the list of disks of a suspended VM. */
#define MEMORY "memory"

/* The new snapshot, which may be resumed (after VM.revert) as the same machine. */
static struct error *record_copy_with_memory(struct plan *p, struct txn *t)
{
    const struct vm_rec *from;
    struct vm_rec *vm;

    TRY(vm_copy_record(p, t));
    const struct map_string_string disks = disk_copies_map(p, txn_arena(t));
    const char *clone = map_find(&disks, MEMORY);

    TRY(txn_vm(t, plan_str(p, "vm"), &from));
    TRY(txn_edit_vm(t, plan_str(p, "new vm"), &vm));
    vm->power_state = VM_POWER_STATE_SUSPENDED;
    vm->suspend_VDI = clone ? clone : from->suspend_VDI;
    vm->launch_record = from->launch_record;
    return NULL;
}

static struct error *save(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_suspend_args args = {
        .uuid = plan_str(p, "uuid"),
        .sr = plan_str(p, "suspend sr uuid"),
        .vdi = plan_str(p, "suspend vdi uuid"),
    };
    struct error *e = hostd_vm_suspend(d->hostd, &args, plan_arena(p), NULL);

    if (!e)
        return NULL;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    return error_detail(err_vm_checkpoint_suspend_failed(plan_str(p, "vm")), "%s", text);
}

static struct error *now_suspended(struct plan *p, struct txn *t)
{
    return vm_reset_rows(plan_daemon(p), t, plan_str(p, "vm"), VM_POWER_STATE_SUSPENDED);
}

static struct error *restore(struct plan *p)
{
    struct error *e = domain_start(p);

    if (!e)
        return NULL;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    return error_detail(err_vm_checkpoint_resume_failed(plan_str(p, "vm")), "%s", text);
}

/* The memory belongs to the snapshot alone now. */
static struct error *goes_on(struct plan *p, struct txn *t)
{
    struct vm_rec *vm;

    TRY(vm_now_running(p, t));
    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    vm->suspend_VDI = REF_NULL;
    return NULL;
}

static const struct plan_step running_steps[] = {
    {.name = "make suspend disk",
     .weight = 1,
     .act = suspend_disk_make,
     .record = suspend_disk_made,
     .undo = saved_unmake,
     .unrecord = saved_unmade},
    {.name = "save memory",
     .weight = 4,
     .act = save,
     .record = now_suspended,
     .undo = saved_return,
     .unrecord = saved_returned},
    {.name = "freeze disks",
     .weight = 1,
     .act = disk_copies_make,
     .record = record_copy_with_memory,
     .undo = disk_copies_unmake,
     .unrecord = vm_copy_unrecord},
    {.name = "restore domain",
     .weight = 4,
     .act = restore,
     .record = domain_started,
     .undo = domain_destroy},
    {.name = "run", .weight = 1, .act = saved_run, .record = goes_on, .keeps = true},
};

static const struct plan_step suspended_steps[] = {
    {.name = "freeze disks",
     .act = disk_copies_make,
     .record = record_copy_with_memory,
     .undo = disk_copies_unmake,
     .unrecord = vm_copy_unrecord},
};

const struct plan_type plan_vm_checkpoint = {
    .name = "VM.checkpoint", .steps = running_steps, .n_steps = ARRAY_SIZE(running_steps)};
const struct plan_type plan_vm_checkpoint_suspended = {.name = "VM.checkpoint suspended",
                                                       .steps = suspended_steps,
                                                       .n_steps = ARRAY_SIZE(suspended_steps)};

static struct error *list_disks(struct call *c, const struct vm_rec *vm, json_t **ret)
{
    const struct vdi_rec *memory;

    TRY(disk_copies_of_vm(c, vm, DISK_SNAPSHOT, NULL, NULL, ret));
    if (vm->power_state != VM_POWER_STATE_SUSPENDED)
        return NULL;
    if (!(memory = txn_find_vdi(c->txn, vm->suspend_VDI)))
        return err_vm_has_no_suspend_vdi(vm->self);
    return disk_copies_add(c, *ret, MEMORY, memory, DISK_CLONE, NULL, NULL);
}

static struct error *begin(struct call *c, const struct vm_rec *vm, const char *name, json_t *disks)
{
    bool suspended = vm->power_state == VM_POWER_STATE_SUSPENDED;
    const struct vm_copy how = {.name = name,
                                .snapshot = true,
                                .checkpoint = true,
                                .time = now_s(),
                                .state_then = vm->power_state};
    struct plan *p;

    TRY(vm_plan(c, suspended ? &plan_vm_checkpoint_suspended : &plan_vm_checkpoint, vm->self,
                VM_OPERATIONS_CHECKPOINT, &p));
    vm_copy_plan(p, &how);
    plan_set_bool(p, "resume", true);
    plan_set_bool(p, "paused", vm->power_state == VM_POWER_STATE_PAUSED);
    if (!suspended)
        TRY(suspend_disk_choose(p, c->txn, vm));
    return disk_copies_begin(p, c->txn, json_incref(disks));
}

struct error *api_vm_checkpoint(struct call *c, const struct vm_checkpoint_args *a,
                                const char **ret)
{
    _cleanup_json_ json_t *disks = NULL;
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHECKPOINT));
    TRY(list_disks(c, vm, &disks));
    return begin(c, vm, a->new_name, disks);
}
