/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/vdi.h"
#include "rules/ops.h"

struct error *vdi_plan_begin(struct call *c, const struct plan_type *type,
                             const struct vdi_rec *vdi, enum vdi_operations op,
                             enum storage_operations sr_op, struct plan **ret)
{
    const struct sr_rec *sr;

    TRY(vdi_op_check(txn_view(c->txn), vdi, op));
    TRY(txn_sr(c->txn, vdi->SR, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, sr_op));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, P_VDI, vdi->self);
    plan_set_str(p, P_VDIUUID, vdi->uuid);
    plan_set_str(p, P_SR, sr->self);
    plan_set_str(p, P_SRUUID, sr->uuid);
    TRY(plan_mark(p, c->txn, CLASS_VDI, vdi->self, (int)op));
    TRY(plan_mark(p, c->txn, CLASS_SR, sr->self, (int)sr_op));
    *ret = p;
    return NULL;
}

struct map_string_string vdi_props(struct arena *a, const char *name, const char *description,
                                   int type)
{
    const char *const pairs[] = {
        "name_label", name, "name_description", description, "type", vdi_type_info.names[type],
        NULL,
    };

    return map_of(a, pairs);
}

struct vdi_rec *vdi_inherit(struct txn *t, const struct vdi_rec *from)
{
    struct vdi_rec *row = txn_new_vdi(t);

    row->name_label = from->name_label;
    row->name_description = from->name_description;
    row->SR = from->SR;
    row->type = from->type;
    row->sharable = from->sharable;
    row->other_config = from->other_config;
    row->xenstore_data = from->xenstore_data;
    row->on_boot = from->on_boot;
    row->allow_caching = from->allow_caching;
    row->tags = from->tags;
    row->metadata_of_pool = from->metadata_of_pool;
    return row;
}

struct error *sr_add_allocation(struct txn *t, const char *sr_ref, int64_t bytes)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(t, sr_ref, &sr));
    sr->virtual_allocation = MAX(0, sr->virtual_allocation + bytes);
    return NULL;
}

struct error *step_unmake(struct plan *p)
{
    const struct host_vdi_destroy_args args = {.sr = plan_str(p, P_SRUUID),
                                               .uuid = plan_str(p, P_NEW)};
    struct host_vdi_destroy_result result;
    struct daemon *d = plan_daemon(p);

    return from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), &result));
}

struct error *step_unrecord_new(struct plan *p, struct txn *t)
{
    const struct vdi_rec *row = txn_find_uuid(t, CLASS_VDI, plan_str(p, P_NEW));

    if (!row)
        return NULL;
    TRY(sr_add_allocation(t, row->SR, -row->virtual_size));
    return vdi_remove_row(t, row);
}
