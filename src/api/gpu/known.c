/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of graphics cards as they are found, and what a group takes from its cards. */
#include "api/common/lists.h"
#include "api/gpu/gpu.h"
#include "base/str.h"
#include "gen/class/VGPU_txn.h"
#include "gen/class/VGPU_type_txn.h"
#include "gen/enums.h"

#define DISPLAY_CLASS "03"

const char *gpu_refs_text(struct arena *a, const struct set_ref *s)
{
    _cleanup_str_ struct str text = STR_INIT;

    for (size_t i = 0; i < s->n; i++)
        str_printf(&text, "%s%s", i ? "; " : "", s->v[i]);
    return arena_strdup(a, str_cstr(&text));
}

const char *pgpu_kind(struct txn *t, const struct pgpu_rec *pgpu)
{
    const struct pci_rec *pci = txn_find_pci(t, pgpu->PCI);

    return pci ? arena_printf(txn_arena(t), "%s/%s", pci->vendor_id, pci->device_id) : "";
}

/* The whole card for one guest: the one type every card has. */
static const char *passthrough_type(struct txn *t)
{
    const struct vgpu_type_rec *const *all;
    size_t n = txn_all_vgpu_type(t, &all);

    for (size_t i = 0; i < n; i++)
        if (all[i]->implementation == VGPU_TYPE_IMPLEMENTATION_PASSTHROUGH)
            return all[i]->self;
    struct vgpu_type_rec *type = txn_new_vgpu_type(t);

    type->model_name = "passthrough";
    type->identifier = "passthrough";
    type->implementation = VGPU_TYPE_IMPLEMENTATION_PASSTHROUGH;
    return type->self;
}

static const char *group_for(struct txn *t, const struct pci_rec *pci)
{
    const char *kind = arena_printf(txn_arena(t), "%s/%s", pci->vendor_id, pci->device_id);
    const struct gpu_group_rec *const *all;
    size_t n = txn_all_gpu_group(t, &all);

    for (size_t i = 0; i < n; i++)
        if (set_has(&all[i]->GPU_types, kind))
            return all[i]->self;
    struct gpu_group_rec *group = txn_new_gpu_group(t);

    group->name_label =
        arena_printf(txn_arena(t), "Group of %s %s GPUs", pci->vendor_name, pci->device_name);
    set_add(txn_arena(t), &group->GPU_types, kind);
    return group->self;
}

static const struct pgpu_rec *find(struct txn *t, const struct pci_rec *pci)
{
    const struct pgpu_rec *const *all;
    size_t n = txn_all_pgpu(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->PCI, pci->self))
            return all[i];
    return NULL;
}

static void set_types(struct txn *t, struct pgpu_rec *pgpu)
{
    const char **k = arena_new(txn_arena(t), const char *);
    int64_t *v = arena_new(txn_arena(t), int64_t);
    const char *type = passthrough_type(t);

    refs_add(txn_arena(t), &pgpu->supported_VGPU_types, type);
    refs_add(txn_arena(t), &pgpu->enabled_VGPU_types, type);
    *k = type;
    *v = 1;
    pgpu->supported_VGPU_max_capacities = (struct map_ref_int){.n = 1, .k = k, .v = v};
}

struct error *pgpu_refresh(struct txn *t, const struct pci_rec *pci, bool display)
{
    const struct pgpu_rec *old = find(t, pci);
    struct pgpu_rec *pgpu;

    if (strncmp(pci->class_id, DISPLAY_CLASS, 2) != 0)
        return NULL;
    if (old) {
        TRY(txn_edit_pgpu(t, old->self, &pgpu));
        pgpu->is_system_display_device = display;
        return NULL;
    }
    pgpu = txn_new_pgpu(t);
    pgpu->PCI = pci->self;
    pgpu->host = pci->host;
    pgpu->GPU_group = group_for(t, pci);
    pgpu->is_system_display_device = display;
    set_types(t, pgpu);
    return gpu_group_update(t, pgpu->GPU_group);
}

int64_t pgpu_capacity(struct txn *t, const struct pgpu_rec *pgpu, const char *type)
{
    const struct set_ref *residents = &txn_inv_pgpu(t, pgpu)->resident_VGPUs;

    if (!refs_have(&pgpu->enabled_VGPU_types, type))
        return 0;
    for (size_t i = 0; i < residents->n; i++) {
        const struct vgpu_rec *other = txn_find_vgpu(t, residents->v[i]);

        if (other && !streq(other->type, type))
            return 0; /* kinds do not mix on a card */
    }
    const struct map_ref_int *most = &pgpu->supported_VGPU_max_capacities;

    for (size_t i = 0; i < most->n; i++)
        if (streq(most->k[i], type))
            return MAX(0, most->v[i] - (int64_t)residents->n);
    return 0;
}

static void unite(struct arena *a, struct set_ref *into, const struct set_ref *more)
{
    for (size_t i = 0; i < more->n; i++)
        if (!refs_have(into, more->v[i]))
            refs_add(a, into, more->v[i]);
}

/* From all cards: the group's own list is as it was before this transaction. */
struct error *gpu_group_update(struct txn *t, const char *ref)
{
    struct arena *a = txn_arena(t);
    const struct pgpu_rec *const *all;
    struct gpu_group_rec *group;
    size_t n = txn_all_pgpu(t, &all);

    TRY(txn_edit_gpu_group(t, ref, &group));
    group->GPU_types = (struct set_string){0};
    group->supported_VGPU_types = group->enabled_VGPU_types = (struct set_ref){0};
    for (size_t i = 0; i < n; i++) {
        if (!streq(all[i]->GPU_group, ref))
            continue;
        if (!set_has(&group->GPU_types, pgpu_kind(t, all[i])))
            set_add(a, &group->GPU_types, pgpu_kind(t, all[i]));
        unite(a, &group->supported_VGPU_types, &all[i]->supported_VGPU_types);
        unite(a, &group->enabled_VGPU_types, &all[i]->enabled_VGPU_types);
    }
    return NULL;
}
