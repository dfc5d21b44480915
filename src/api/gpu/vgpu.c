/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VGPU: that a VM wants a card of a group, or a part of one. */
#include "gen/msg/VGPU.h"
#include "api/common/lists.h"
#include "api/gpu/gpu.h"
#include "gen/class/VGPU_txn.h"
#include "gen/class/VGPU_type_txn.h"
#include "gen/class/VM_txn.h"
#include "rpc/call.h"
#include "rules/ops.h"

#include <stdlib.h>

/* Places for several cards in one VM. Source: XenAPI semantics, VGPU.create. */
#define FIRST_PLACE 11
#define LAST_PLACE  20

static int number(const char *text)
{
    char *end;
    long v = strtol(text, &end, 10);

    return *text < '0' || *text > '9' || *end || v > LAST_PLACE ? -1 : (int)v;
}

static bool is_taken(struct txn *t, const struct vm_rec *vm, const char *device)
{
    const struct set_ref *vgpus = &txn_inv_vm(t, vm)->VGPUs;

    for (size_t i = 0; i < vgpus->n; i++) {
        const struct vgpu_rec *other = txn_find_vgpu(t, vgpus->v[i]);

        if (other && streq(other->device, device))
            return true;
    }
    return false;
}

/* "0" is the first free place. */
static struct error *choose_device(struct call *c, const struct vm_rec *vm, const char *wanted,
                                   const char **ret)
{
    int n = number(wanted);

    *ret = wanted;
    if (n != 0 && (n < FIRST_PLACE || n > LAST_PLACE))
        return err_invalid_device(wanted);
    if (!is_taken(c->txn, vm, wanted))
        return NULL;
    if (n)
        return err_device_already_exists(wanted);
    for (int i = FIRST_PLACE; i <= LAST_PLACE; i++) {
        *ret = arena_printf(c->arena, "%d", i);
        if (!is_taken(c->txn, vm, *ret))
            return NULL;
    }
    return err_vm_pci_bus_full(vm->self);
}

static struct error *choose_type(struct call *c, const struct gpu_group_rec *group,
                                 const char *wanted, const char **ret)
{
    const struct vgpu_type_rec *const *all;
    const struct vgpu_type_rec *type;
    size_t n = txn_all_vgpu_type(c->txn, &all);

    *ret = wanted;
    for (size_t i = 0; is_null_ref(*ret) && i < n; i++)
        if (all[i]->implementation == VGPU_TYPE_IMPLEMENTATION_PASSTHROUGH)
            *ret = all[i]->self;
    TRY(txn_vgpu_type(c->txn, *ret, &type));
    if (refs_have(&group->enabled_VGPU_types, type->self))
        return NULL;
    return err_vgpu_type_not_enabled(type->self,
                                     gpu_refs_text(c->arena, &group->enabled_VGPU_types));
}

/* Whole cards and parts of cards do not mix in one VM. */
static struct error *check_mix(struct txn *t, const struct vm_rec *vm, const char *type)
{
    const struct set_ref *vgpus = &txn_inv_vm(t, vm)->VGPUs;

    for (size_t i = 0; i < vgpus->n; i++) {
        const struct vgpu_rec *other = txn_find_vgpu(t, vgpus->v[i]);

        if (other && !streq(other->type, type))
            return err_vgpu_type_not_compatible(type);
    }
    return NULL;
}

struct error *api_vgpu_create(struct call *c, const struct vgpu_create_args *a, const char **ret)
{
    const struct gpu_group_rec *group;
    const struct vm_rec *vm;
    const char *device, *type;

    TRY(txn_vm(c->txn, a->VM, &vm));
    TRY(txn_gpu_group(c->txn, a->GPU_group, &group));
    TRY(choose_device(c, vm, a->device, &device));
    if (vm->power_state != VM_POWER_STATE_HALTED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_HALTED);
    TRY(choose_type(c, group, a->type, &type));
    TRY(check_mix(c->txn, vm, type));
    struct vgpu_rec *vgpu = txn_new_vgpu(c->txn);

    vgpu->VM = vm->self;
    vgpu->GPU_group = group->self;
    vgpu->device = device;
    vgpu->other_config = a->other_config;
    vgpu->type = type;
    *ret = vgpu->self;
    return NULL;
}

struct error *api_vgpu_destroy(struct call *c, const struct vgpu_destroy_args *a)
{
    const struct vgpu_rec *vgpu;

    TRY(txn_vgpu(c->txn, a->self, &vgpu));
    if (vgpu->currently_attached)
        return err_operation_not_allowed("VGPU is attached to a running VM");
    return txn_delete_vgpu(c->txn, vgpu->self);
}

struct error *api_vgpu_atomic_set_resident_on(struct call *c,
                                              const struct vgpu_atomic_set_resident_on_args *a)
{
    const struct pgpu_rec *pgpu;
    struct vgpu_rec *vgpu;

    TRY(txn_edit_vgpu(c->txn, a->self, &vgpu));
    TRY(txn_pgpu(c->txn, a->value, &pgpu));
    if (!streq(vgpu->resident_on, pgpu->self) && !pgpu_capacity(c->txn, pgpu, vgpu->type))
        return err_pgpu_insufficient_capacity_for_vgpu(pgpu->self, vgpu->type);
    vgpu->resident_on = pgpu->self;
    vgpu->scheduled_to_be_resident_on = REF_NULL;
    return NULL;
}
