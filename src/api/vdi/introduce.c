/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows for disks that exist already; scans usually make them. */
#include "api/common/host_error.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

/* What lies at the location, and has no row. */
static struct error *find_new(struct call *c, const struct sr_rec *sr, const char *location,
                              const struct host_vdi_rec **ret)
{
    const struct set_ref *vdis = &txn_inv_sr(c->txn, sr)->VDIs;
    struct sr_found found;

    for (size_t i = 0; i < vdis->n; i++) {
        const struct vdi_rec *vdi = txn_find_vdi(c->txn, vdis->v[i]);

        if (vdi && streq(vdi->location, location))
            return err_location_not_unique(sr->self, location);
    }
    TRY(sr_look(c->daemon, c->arena, sr->uuid, &found));
    for (size_t i = 0; i < found.scan.vdis.n; i++) {
        *ret = &found.scan.vdis.v[i];
        if (streq((*ret)->location, location))
            return NULL;
    }
    return err_vdi_location_missing(sr->self, location);
}

/* What the caller says of a disk, wherever that is. */
static struct vdi_rec *new_row(struct call *c, const struct vdi_db_introduce_args *a,
                               const struct sr_rec *sr)
{
    struct vdi_rec *v = txn_new_vdi(c->txn);

    v->uuid = a->uuid;
    v->name_label = a->name_label;
    v->name_description = a->name_description;
    v->SR = sr->self;
    v->type = a->type;
    v->sharable = a->sharable;
    v->read_only = a->read_only;
    v->other_config = a->other_config;
    v->xenstore_data = a->xenstore_data;
    v->sm_config = a->sm_config;
    v->on_boot = ON_BOOT_PERSIST;
    return v;
}

/* Sizes are those of the disk, names those of the caller; a disk keeps its uuid. */
struct error *api_vdi_introduce(struct call *c, const struct vdi_db_introduce_args *a,
                                const char **ret)
{
    const struct host_vdi_rec *found;
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->SR, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_VDI_INTRODUCE));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    TRY(find_new(c, sr, a->location, &found));
    if (!streq(found->uuid, a->uuid) || txn_find_uuid(c->txn, CLASS_VDI, a->uuid))
        return err_invalid_value("uuid", a->uuid);
    struct vdi_rec *v = new_row(c, a, sr);

    v->read_only |= found->read_only;
    v->is_a_snapshot = found->is_snapshot;
    v->snapshot_time = found->snapshot_time;
    vdi_fill(v, found);
    *ret = v->self;
    return sr_add_allocation(c->txn, sr->self, v->virtual_size);
}

/* The row alone, of which nobody checks whether there is a disk. */
struct error *api_vdi_db_introduce(struct call *c, const struct vdi_db_introduce_args *a,
                                   const char **ret)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->SR, &sr));
    if (!uuid_is_valid(a->uuid) || txn_find_uuid(c->txn, CLASS_VDI, a->uuid))
        return err_invalid_value("uuid", a->uuid);
    struct vdi_rec *v = new_row(c, a, sr);

    v->location = a->location;
    v->managed = a->managed;
    v->virtual_size = a->virtual_size;
    v->physical_utilisation = a->physical_utilisation;
    v->metadata_of_pool = a->metadata_of_pool;
    v->is_a_snapshot = a->is_a_snapshot;
    v->snapshot_time = a->snapshot_time;
    v->snapshot_of = a->snapshot_of;
    v->cbt_enabled = a->cbt_enabled;
    *ret = v->self;
    return NULL;
}

struct error *api_vdi_db_forget(struct call *c, const struct vdi_db_forget_args *a)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    return vdi_remove_row(c->txn, vdi);
}
