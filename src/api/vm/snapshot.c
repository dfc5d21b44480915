/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.snapshot, VM.clone, VM.copy: one step that makes the disks, one commit that makes the rows. */
#include "api/common/lists.h"
#include "api/vm/disk_copies.h"
#include "api/vm/domain.h"
#include "api/vm/duplicate.h"
#include "api/vm/plans.h"
#include "base/world.h"
#include "gen/class/SR_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define DISK_STEP(what)                                                                            \
    {                                                                                              \
        .name = (what), .act = disk_copies_make, .record = vm_copy_record,                         \
        .undo = disk_copies_unmake, .unrecord = vm_copy_unrecord                                   \
    }

static const struct plan_step snapshot_steps[] = {DISK_STEP("freeze disks")};
static const struct plan_step clone_steps[] = {DISK_STEP("share disks")};
static const struct plan_step copy_steps[] = {DISK_STEP("copy disks")};

const struct plan_type plan_vm_snapshot = {
    .name = "VM.snapshot", .steps = snapshot_steps, .n_steps = ARRAY_SIZE(snapshot_steps)};
const struct plan_type plan_vm_clone = {
    .name = "VM.clone", .steps = clone_steps, .n_steps = ARRAY_SIZE(clone_steps)};
const struct plan_type plan_vm_copy = {
    .name = "VM.copy", .steps = copy_steps, .n_steps = ARRAY_SIZE(copy_steps)};

/* Without disks there is nothing to do on the host: the rows are all. */
static struct error *copy_rows(struct call *c, const struct vm_rec *vm, const struct vm_copy *how,
                               const char **ret)
{
    struct vm_rec *made;

    TRY(vm_duplicate(c->txn, vm->self, how, &made));
    *ret = made->self;
    return NULL;
}

/* Takes the list of disks. */
static struct error *begin(struct call *c, const struct plan_type *type, enum vm_operations op,
                           const struct vm_rec *vm, const struct vm_copy *how, json_t *disks,
                           const char **ret)
{
    struct plan *p;

    if (!json_array_size(disks)) {
        json_decref(disks);
        return copy_rows(c, vm, how, ret);
    }
    struct error *e = vm_plan(c, type, vm->self, op, &p);

    if (e) {
        json_decref(disks);
        return e;
    }
    vm_copy_plan(p, how);
    return disk_copies_begin(p, c->txn, disks);
}

struct error *api_vm_snapshot(struct call *c, const struct vm_snapshot_args *a, const char **ret)
{
    struct vm_copy how = {.name = a->new_name, .snapshot = true, .time = now_s()};
    const struct vm_rec *vm;
    json_t *disks;

    TRY(txn_vm(c->txn, a->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_SNAPSHOT));
    how.state_then = vm->power_state;
    TRY(disk_copies_of_vm(c, vm, DISK_SNAPSHOT, NULL, &a->ignore_vdis, &disks));
    return begin(c, &plan_vm_snapshot, VM_OPERATIONS_SNAPSHOT, vm, &how, disks, ret);
}

struct error *api_vm_clone(struct call *c, const struct vm_clone_args *a, const char **ret)
{
    const struct vm_copy how = {.name = a->new_name};
    const struct vm_rec *vm;
    json_t *disks;

    TRY(txn_vm(c->txn, a->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CLONE));
    TRY(disk_copies_of_vm(c, vm, DISK_CLONE, NULL, NULL, &disks));
    return begin(c, &plan_vm_clone, VM_OPERATIONS_CLONE, vm, &how, disks, ret);
}

struct error *api_vm_copy(struct call *c, const struct vm_copy_args *a, const char **ret)
{
    const struct vm_copy how = {.name = a->new_name};
    const struct vm_rec *vm;
    const struct sr_rec *sr;
    json_t *disks;

    TRY(txn_vm(c->txn, a->vm, &vm));
    if (!is_null_ref(a->sr))
        TRY(txn_sr(c->txn, a->sr, &sr));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_COPY));
    TRY(disk_copies_of_vm(c, vm, DISK_COPY, is_null_ref(a->sr) ? NULL : a->sr, NULL, &disks));
    return begin(c, &plan_vm_copy, VM_OPERATIONS_COPY, vm, &how, disks, ret);
}
