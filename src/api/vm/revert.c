/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM.revert: a VM becomes again what it was when a snapshot was taken. Its domain ends, its disks
 * go back in place (those that left it meanwhile come back as clones), its rows are made from what
 * the snapshot kept. A VM that is gone is made anew under its old uuid.
 */
#include "api/common/lists.h"
#include "api/message/post.h"
#include "api/vm/disk_copies.h"
#include "api/vm/domain.h"
#include "api/vm/duplicate.h"
#include "api/vm/params.h"
#include "api/vm/plans.h"
#include "api/vm/suspend_disk.h"
#include "api/vtpm/vtpm.h"
#include "base/uuid.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"
#include "value/json.h"

/* Key of the saved memory in the list of disks. */
#define MEMORY "memory"

/* Plan state: vm, uuid (perhaps of a VM still to be made), snapshot (reference). */

/* What the VM keeps: its identity, its place among other objects, and what is about its run. */
static const char *const kept[] = {
    "uuid",
    "current_operations",
    "power_state",
    "parent",
    "tags",
    "affinity",
    "groups",
    "resident_on",
    "scheduled_to_be_resident_on",
    "domid",
    "run",
    "metrics",
    "guest_metrics",
    "suspend_VDI",
    "is_a_snapshot",
    "is_a_template",
    "is_default_template",
    "snapshot_of",
    "snapshot_time",
    "snapshot_info",
    "snapshot_metadata",
    "transportable_snapshot_id",
    "blobs",
    "appliance",
    "protection_policy",
    "snapshot_schedule",
    "is_vmss_snapshot",
    "is_snapshot_from_vmpp",
    "blocked_operations",
    "ha_always_run",
    "launch_record",
    "guest_token",
    "memory_target",
    "requires_reboot",
    "pending_guidances",
    "pending_guidances_recommended",
    "pending_guidances_full",
    "last_booted_record",
};

static bool is_kept(const char *field)
{
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (streq(kept[i], field))
            return true;
    return false;
}

/* From the record of that time, or from the snapshot's own row where there is none to read. */
static void restore_fields(struct arena *a, struct vm_rec *vm, const struct vm_rec *snapshot)
{
    const struct vm_rec *then = vm_metadata_read(a, snapshot->snapshot_metadata);
    const char *name = vm->name_label;

    for (int i = 0; i < vm_rec_info.n; i++) {
        const struct field *f = &vm_rec_info.fields[i];

        if (!(f->flags & (FIELD_INVERSE | FIELD_DERIVED)) && !is_kept(f->name))
            memcpy(field_at_mut(f, vm), field_at(f, then ? then : snapshot), f->type->size);
    }
    if (!then && *name)
        vm->name_label = name;
    if (*vm->generation_id && !streq(vm->generation_id, "0:0"))
        vm->generation_id = generation_id_new(a);
    vm->memory_overhead = vm_memory_overhead(vm);
}

static struct error *end_domain(struct plan *p)
{
    return plan_bool(p, "is gone") ? NULL : domain_destroy(p);
}

static struct error *remove_memory(struct plan *p)
{
    return plan_bool(p, "is gone") ? NULL : suspend_disk_remove(p);
}

static struct error *domain_ended(struct plan *p, struct txn *t)
{
    if (plan_bool(p, "is gone"))
        return NULL;
    TRY(suspend_disk_removed(p, t));
    return vm_now_halted(p, t);
}

/* What storage says is passed on; anything else is a failed revert. */
static struct error *restore_disks(struct plan *p)
{
    struct error *e = disk_copies_make(p);

    if (!e || (e->code && str_starts(e->code, "SR_BACKEND_FAILURE")))
        return e;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    return error_detail(err_vm_revert_failed(plan_str(p, "vm"), plan_str(p, "snapshot")), "%s",
                        text);
}

static struct error *remove_devices(struct txn *t, const struct vm_rec *vm)
{
    const struct vm_inv *inv = txn_inv_vm(t, vm);

    for (size_t i = 0; i < inv->VBDs.n; i++)
        TRY(txn_delete_vbd(t, inv->VBDs.v[i]));
    for (size_t i = 0; i < inv->VIFs.n; i++)
        TRY(txn_delete_vif(t, inv->VIFs.v[i]));
    return vtpm_remove_all(t, vm);
}

/* All snapshots of the VM that was are the new one's. */
static struct error *make_vm_again(struct plan *p, struct txn *t, const struct vm_rec *snapshot,
                                   struct vm_rec **ret)
{
    struct vm_metrics_rec *m = txn_new_vm_metrics(t);
    struct vm_rec *vm = txn_insert_ref(t, CLASS_VM, plan_str(p, "vm"));
    struct vm_rec *edit;

    vm->uuid = plan_str(p, "uuid");
    vm->metrics = m->self;
    vm->domid = -1;
    TRY(txn_edit_vm(t, snapshot->self, &edit));
    edit->snapshot_of = vm->self;
    *ret = vm;
    return NULL;
}

static struct error *find_vm(struct plan *p, struct txn *t, const struct vm_rec *snapshot,
                             struct vm_rec **ret)
{
    if (plan_bool(p, "is gone"))
        return make_vm_again(p, t, snapshot, ret);
    TRY(txn_edit_vm(t, plan_str(p, "vm"), ret));
    return remove_devices(t, *ret);
}

/* A checkpoint has memory too: the VM is suspended then, and resumes as the same machine. */
static void restore_memory(struct vm_rec *vm, const struct vm_rec *snapshot,
                           const struct map_string_string *disks)
{
    const char *memory = map_find(disks, MEMORY);

    vm->power_state = memory ? VM_POWER_STATE_SUSPENDED : VM_POWER_STATE_HALTED;
    vm->suspend_VDI = memory ? memory : REF_NULL;
    vm->launch_record = memory ? snapshot->launch_record : "";
}

static struct error *disks_restored(struct plan *p, struct txn *t)
{
    const struct vm_rec *snapshot;
    struct vm_rec *vm;

    TRY(disk_copies_record(p, t));
    const struct map_string_string disks = disk_copies_map(p, txn_arena(t));

    TRY(txn_vm(t, plan_str(p, "snapshot"), &snapshot));
    TRY(find_vm(p, t, snapshot, &vm));
    restore_fields(txn_arena(t), vm, snapshot);
    vm->parent = snapshot->self;
    restore_memory(vm, snapshot, &disks);
    TRY(vm_duplicate_devices(t, snapshot, vm, &disks, true));
    const struct message_text news = {
        .name = "VM_SNAPSHOT_REVERTED",
        .priority = 5,
        .cls = CLS_VM,
        .uuid = vm->uuid,
        .body = snapshot->name_label,
    };

    return message_post(t, &news, NULL);
}

static const struct plan_step steps[] = {
    {.name = "end domain", .weight = 2, .act = end_domain},
    {.name = "remove suspend disk", .weight = 1, .act = remove_memory, .record = domain_ended},
    {.name = "restore disks",
     .weight = 6,
     .act = restore_disks,
     .record = disks_restored,
     .undo = disk_copies_unmake,
     .unrecord = disk_copies_unrecord},
};

const struct plan_type plan_vm_revert = {
    .name = "VM.revert", .steps = steps, .n_steps = ARRAY_SIZE(steps), .no_cancel = true};

/* The disk of the VM that this is a snapshot of, NULL = it has left the VM or is gone. */
static const struct vdi_rec *find_target(struct txn *t, const struct vm_rec *vm,
                                         const struct vdi_rec *snapshot)
{
    const struct vdi_rec *target = txn_find_vdi(t, snapshot->snapshot_of);
    const struct set_ref *vbds = vm && target ? &txn_inv_vm(t, vm)->VBDs : NULL;

    for (size_t i = 0; vbds && i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);

        if (vbd && vbd->type == VBD_TYPE_DISK && streq(vbd->VDI, target->self) &&
            streq(target->SR, snapshot->SR))
            return target;
    }
    return NULL;
}

static struct error *add_disk(struct call *c, const struct vm_rec *vm, const struct vbd_rec *vbd,
                              json_t *list)
{
    const struct vdi_rec *vdi = txn_find_vdi(c->txn, vbd->VDI);
    const struct sr_rec *sr = vdi ? txn_find_sr(c->txn, vdi->SR) : NULL;
    const struct vdi_rec *target = vdi ? find_target(c->txn, vm, vdi) : NULL;

    if (!sr)
        return NULL;
    if (!driver_has_feature(find_driver(txn_view(c->txn), sr->type), "VDI_REVERT"))
        target = NULL;
    return disk_copies_add(c, list, vbd->self, vdi, target ? DISK_REVERT : DISK_CLONE, NULL,
                           target);
}

static struct error *list_disks(struct call *c, const struct vm_rec *vm,
                                const struct vm_rec *snapshot, json_t *list)
{
    const struct set_ref *vbds = &txn_inv_vm(c->txn, snapshot)->VBDs;
    const struct vdi_rec *memory = snapshot->power_state == VM_POWER_STATE_SUSPENDED
                                       ? txn_find_vdi(c->txn, snapshot->suspend_VDI)
                                       : NULL;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(c->txn, vbds->v[i]);

        if (vbd && vbd->type == VBD_TYPE_DISK)
            TRY(add_disk(c, vm, vbd, list));
    }
    return memory ? disk_copies_add(c, list, MEMORY, memory, DISK_CLONE, NULL, NULL) : NULL;
}

/* A VM made again has its old uuid, unless another has it by now. */
static void name_vm(struct plan *p, struct txn *t, const struct vm_rec *vm,
                    const struct vm_rec *snapshot)
{
    const struct vm_rec *then = vm_metadata_read(txn_arena(t), snapshot->snapshot_metadata);
    bool free = then && uuid_is_valid(then->uuid) && !txn_find_vm_uuid(t, then->uuid);

    plan_set_str(p, "snapshot", snapshot->self);
    plan_set_bool(p, "is gone", !vm);
    plan_set_bool(p, DISK_COPIES_FINISH, true);
    plan_set_str(p, "vm", vm ? vm->self : ref_random().s);
    plan_set_str(p, "uuid", vm ? vm->uuid : free ? then->uuid : uuid_random().s);
}

static struct error *begin(struct call *c, const struct vm_rec *vm, const struct vm_rec *snapshot,
                           json_t *list)
{
    struct plan *p = plan_begin(c, &plan_vm_revert);

    name_vm(p, c->txn, vm, snapshot);
    TRY(plan_mark(p, c->txn, CLASS_VM, snapshot->self, VM_OPERATIONS_REVERT));
    if (vm)
        TRY(plan_mark(p, c->txn, CLASS_VM, vm->self, VM_OPERATIONS_REVERTING));
    return disk_copies_begin(p, c->txn, json_incref(list));
}

struct error *api_vm_revert(struct call *c, const struct vm_revert_args *a)
{
    _cleanup_json_ json_t *list = json_array();
    const struct vm_rec *snapshot, *vm;

    TRY(txn_vm(c->txn, a->snapshot, &snapshot));
    TRY(vm_op_check(txn_view(c->txn), snapshot, VM_OPERATIONS_REVERT));
    vm = txn_find_vm(c->txn, snapshot->snapshot_of);
    if (vm)
        TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_REVERTING));
    TRY(list_disks(c, vm, snapshot, list));
    return begin(c, vm, snapshot, list);
}
