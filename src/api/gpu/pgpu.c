/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PGPU: which types of virtual GPU a card offers, and the group it belongs to. */
#include "gen/msg/PGPU.h"
#include "api/common/lists.h"
#include "api/gpu/gpu.h"
#include "api/pci/pci.h"
#include "base/str.h"
#include "gen/class/VGPU_txn.h"
#include "gen/class/VGPU_type_txn.h"
#include "rpc/call.h"

/* Every resident of a type that is to go. */
static struct error *check_residents(struct call *c, const struct pgpu_rec *pgpu,
                                     const struct set_ref *types)
{
    const struct set_ref *residents = &txn_inv_pgpu(c->txn, pgpu)->resident_VGPUs;
    struct set_ref vms = {0};

    for (size_t i = 0; i < residents->n; i++) {
        const struct vgpu_rec *vgpu = txn_find_vgpu(c->txn, residents->v[i]);

        if (vgpu && !refs_have(types, vgpu->type))
            refs_add(c->arena, &vms, vgpu->VM);
    }
    return vms.n ? err_pgpu_in_use_by_vm(gpu_refs_text(c->arena, &vms)) : NULL;
}

static struct error *enable(struct call *c, const char *ref, const struct set_ref *types)
{
    struct pgpu_rec *pgpu;

    TRY(txn_edit_pgpu(c->txn, ref, &pgpu));
    for (size_t i = 0; i < types->n; i++) {
        const struct vgpu_type_rec *type;

        TRY(txn_vgpu_type(c->txn, types->v[i], &type));
        if (!refs_have(&pgpu->supported_VGPU_types, type->self))
            return err_vgpu_type_not_supported(
                type->self, gpu_refs_text(c->arena, &pgpu->supported_VGPU_types));
    }
    TRY(check_residents(c, pgpu, types));
    pgpu->enabled_VGPU_types = *types;
    return is_null_ref(pgpu->GPU_group) ? NULL : gpu_group_update(c->txn, pgpu->GPU_group);
}

struct error *api_pgpu_set_enabled_vgpu_types(struct call *c,
                                              const struct pgpu_set_enabled_vgpu_types_args *a)
{
    return enable(c, a->self, &a->value);
}

struct error *api_pgpu_add_enabled_vgpu_types(struct call *c,
                                              const struct pgpu_add_enabled_vgpu_types_args *a)
{
    const struct pgpu_rec *pgpu;

    TRY(txn_pgpu(c->txn, a->self, &pgpu));
    struct set_ref types = pgpu->enabled_VGPU_types;

    if (!refs_have(&types, a->value))
        refs_add(c->arena, &types, a->value);
    return enable(c, a->self, &types);
}

struct error *api_pgpu_remove_enabled_vgpu_types(
    struct call *c, const struct pgpu_remove_enabled_vgpu_types_args *a)
{
    const struct pgpu_rec *pgpu;
    struct set_ref types = {0};

    TRY(txn_pgpu(c->txn, a->self, &pgpu));
    for (size_t i = 0; i < pgpu->enabled_VGPU_types.n; i++)
        if (!streq(pgpu->enabled_VGPU_types.v[i], a->value))
            refs_add(c->arena, &types, pgpu->enabled_VGPU_types.v[i]);
    return enable(c, a->self, &types);
}

static const char *kinds_text(struct arena *a, const struct set_string *kinds)
{
    _cleanup_str_ struct str text = STR_INIT;

    for (size_t i = 0; i < kinds->n; i++)
        str_printf(&text, "%s%s", i ? "; " : "", kinds->v[i]);
    return arena_strdup(a, str_cstr(&text));
}

struct error *api_pgpu_set_gpu_group(struct call *c, const struct pgpu_set_gpu_group_args *a)
{
    static const struct set_ref none = {0};
    const struct gpu_group_rec *group;
    struct pgpu_rec *pgpu;

    TRY(txn_edit_pgpu(c->txn, a->self, &pgpu));
    TRY(txn_gpu_group(c->txn, a->value, &group));
    const char *kind = pgpu_kind(c->txn, pgpu), *old = pgpu->GPU_group;

    TRY(check_residents(c, pgpu, &none));
    if (group->GPU_types.n && !set_has(&group->GPU_types, kind))
        return err_pgpu_not_compatible_with_gpu_group(kind,
                                                      kinds_text(c->arena, &group->GPU_types));
    pgpu->GPU_group = group->self;
    if (!is_null_ref(old))
        TRY(gpu_group_update(c->txn, old));
    return gpu_group_update(c->txn, group->self);
}

struct error *api_pgpu_get_remaining_capacity(struct call *c,
                                              const struct pgpu_get_remaining_capacity_args *a,
                                              int64_t *ret)
{
    const struct vgpu_type_rec *type;
    const struct pgpu_rec *pgpu;

    TRY(txn_pgpu(c->txn, a->self, &pgpu));
    TRY(txn_vgpu_type(c->txn, a->vgpu_type, &type));
    *ret = pgpu_capacity(c->txn, pgpu, type->self);
    return NULL;
}

/* Old names of the calls on the card's PCI device. */
struct error *api_pgpu_enable_dom0_access(struct call *c,
                                          const struct pgpu_enable_dom0_access_args *a, int *ret)
{
    const struct pgpu_rec *pgpu;

    TRY(txn_pgpu(c->txn, a->self, &pgpu));
    return pci_change_dom0_access(c, pgpu->PCI, PCI_DOM0_ACCESS_ENABLED, ret);
}

struct error *api_pgpu_disable_dom0_access(struct call *c,
                                           const struct pgpu_disable_dom0_access_args *a, int *ret)
{
    const struct pgpu_rec *pgpu;

    TRY(txn_pgpu(c->txn, a->self, &pgpu));
    return pci_change_dom0_access(c, pgpu->PCI, PCI_DOM0_ACCESS_DISABLED, ret);
}
