/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of VDI that are calls of their own and only write the row. */
#include "api/vdi/vdi.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

#define SET_FIELD(name, member)                                                                    \
    struct error *api_vdi_set_##name(struct call *c, const struct vdi_set_##name##_args *a)        \
    {                                                                                              \
        struct vdi_rec *vdi;                                                                       \
                                                                                                   \
        TRY(txn_edit_vdi(c->txn, a->self, &vdi));                                                  \
        vdi->member = a->value;                                                                    \
        return NULL;                                                                               \
    }

SET_FIELD(sharable, sharable)
SET_FIELD(read_only, read_only)
SET_FIELD(managed, managed)
SET_FIELD(missing, missing)
SET_FIELD(virtual_size, virtual_size)
SET_FIELD(physical_utilisation, physical_utilisation)
SET_FIELD(is_a_snapshot, is_a_snapshot)
SET_FIELD(snapshot_of, snapshot_of)
SET_FIELD(snapshot_time, snapshot_time)
SET_FIELD(metadata_of_pool, metadata_of_pool)
SET_FIELD(cbt_enabled, cbt_enabled)

static struct error *check_unused(struct call *c, const struct vdi_rec *vdi)
{
    return vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_UPDATE);
}

struct error *api_vdi_set_on_boot(struct call *c, const struct vdi_set_on_boot_args *a)
{
    const struct vdi_rec *vdi;
    struct vdi_rec *edit;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    if (vdi->on_boot == a->value)
        return NULL;
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_SET_ON_BOOT));
    TRY(txn_edit_vdi(c->txn, a->self, &edit));
    edit->on_boot = a->value;
    return NULL;
}

struct error *api_vdi_set_allow_caching(struct call *c, const struct vdi_set_allow_caching_args *a)
{
    const struct vdi_rec *vdi;
    struct vdi_rec *edit;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    TRY(check_unused(c, vdi));
    TRY(txn_edit_vdi(c->txn, a->self, &edit));
    edit->allow_caching = a->value;
    return NULL;
}
