/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GPU_group: cards of one kind, from which VMs are given one. */
#include "api/gpu/gpu.h"
#include "gen/class/VGPU_type_txn.h"
#include "gen/msg/GPU_group.h"
#include "rpc/call.h"

struct error *api_gpu_group_create(struct call *c, const struct gpu_group_create_args *a,
                                   const char **ret)
{
    struct gpu_group_rec *group = txn_new_gpu_group(c->txn);

    group->name_label = a->name_label;
    group->name_description = a->name_description;
    group->other_config = a->other_config;
    *ret = group->self;
    return NULL;
}

struct error *api_gpu_group_destroy(struct call *c, const struct gpu_group_destroy_args *a)
{
    const struct gpu_group_rec *group;

    TRY(txn_gpu_group(c->txn, a->self, &group));
    const struct gpu_group_inv *inv = txn_inv_gpu_group(c->txn, group);

    if (inv->PGPUs.n)
        return error_api_v(ERR_GPU_GROUP_CONTAINS_PGPU, inv->PGPUs.v, (int)inv->PGPUs.n);
    if (inv->VGPUs.n)
        return error_api_v(ERR_GPU_GROUP_CONTAINS_VGPU, inv->VGPUs.v, (int)inv->VGPUs.n);
    return txn_delete_gpu_group(c->txn, group->self);
}

/* Both lists are kept right; asking for it does no harm. */
struct error *api_gpu_group_update_enabled_vgpu_types(
    struct call *c, const struct gpu_group_update_enabled_vgpu_types_args *a)
{
    return gpu_group_update(c->txn, a->self);
}

struct error *api_gpu_group_update_supported_vgpu_types(
    struct call *c, const struct gpu_group_update_supported_vgpu_types_args *a)
{
    return gpu_group_update(c->txn, a->self);
}

struct error *api_gpu_group_get_remaining_capacity(
    struct call *c, const struct gpu_group_get_remaining_capacity_args *a, int64_t *ret)
{
    const struct vgpu_type_rec *type;
    const struct gpu_group_rec *group;

    TRY(txn_gpu_group(c->txn, a->self, &group));
    TRY(txn_vgpu_type(c->txn, a->vgpu_type, &type));
    const struct set_ref *cards = &txn_inv_gpu_group(c->txn, group)->PGPUs;

    *ret = 0;
    for (size_t i = 0; i < cards->n; i++) {
        const struct pgpu_rec *pgpu = txn_find_pgpu(c->txn, cards->v[i]);

        *ret += pgpu ? pgpu_capacity(c->txn, pgpu, type->self) : 0;
    }
    return NULL;
}
