/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows for disks that exist already; scans usually make them. */
#include "api/common/host_error.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

/* The driver must know how to take a disk up by its location; none of today's needs to. */
struct error *api_vdi_introduce(struct call *c, const struct vdi_introduce_args *a,
                                const char **ret)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->SR, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_VDI_INTRODUCE));
    return err_sr_operation_not_supported(sr->self);
}

/* The row alone, of which nobody checks whether there is a disk. */
struct error *api_vdi_db_introduce(struct call *c, const struct vdi_db_introduce_args *a,
                                   const char **ret)
{
    const struct sr_rec *sr;
    struct vdi_rec *v;

    TRY(txn_sr(c->txn, a->SR, &sr));
    if (!uuid_is_valid(a->uuid) || txn_find_uuid(c->txn, CLASS_VDI, a->uuid))
        return err_invalid_value("uuid", a->uuid);
    v = txn_new_vdi(c->txn);
    v->uuid = a->uuid;
    v->name_label = a->name_label;
    v->name_description = a->name_description;
    v->SR = sr->self;
    v->type = a->type;
    v->sharable = a->sharable;
    v->read_only = a->read_only;
    v->other_config = a->other_config;
    v->location = a->location;
    v->xenstore_data = a->xenstore_data;
    v->sm_config = a->sm_config;
    v->managed = a->managed;
    v->virtual_size = a->virtual_size;
    v->physical_utilisation = a->physical_utilisation;
    v->metadata_of_pool = a->metadata_of_pool;
    v->is_a_snapshot = a->is_a_snapshot;
    v->snapshot_time = a->snapshot_time;
    v->snapshot_of = a->snapshot_of;
    v->cbt_enabled = a->cbt_enabled;
    v->on_boot = ON_BOOT_PERSIST;
    *ret = v->self;
    return NULL;
}

struct error *api_vdi_db_forget(struct call *c, const struct vdi_db_forget_args *a)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    return vdi_remove_row(c->txn, vdi);
}
