/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VDI.copy: all data of a disk into a new one. */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/data_copy.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

static struct error *copy(struct plan *p)
{
    const struct host_vdi_copy_args args = {.sr = plan_str(p, P_SRUUID),
                                            .uuid = plan_str(p, P_VDIUUID),
                                            .to_sr = plan_str(p, "to_uuid"),
                                            .copy = plan_str(p, P_NEW)};
    struct host_vdi_copy_result *made;

    TRY(vdi_data_copy(p, &args, 0, 1, &made));
    plan_set_memo(p, made);
    return NULL;
}

static struct error *uncopy(struct plan *p)
{
    const struct host_vdi_destroy_args args = {.sr = plan_str(p, "to_uuid"),
                                               .uuid = plan_str(p, P_NEW)};
    struct host_vdi_destroy_result result;
    struct daemon *d = plan_daemon(p);

    return from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), &result));
}

static struct error *record_copied(struct plan *p, struct txn *t)
{
    const struct host_vdi_copy_result *made = plan_memo(p);
    const struct vdi_rec *source;
    struct vdi_rec *row;

    TRY(txn_vdi(t, plan_str(p, P_VDI), &source));
    row = vdi_inherit(t, source);
    row->uuid = plan_str(p, P_NEW);
    row->SR = plan_str(p, "to");
    vdi_fill(row, &made->vdi);
    plan_set_result(p, row->self);
    return sr_add_allocation(t, row->SR, row->virtual_size);
}

static const struct plan_step steps[] = {
    {.name = "copy",
     .act = copy,
     .record = record_copied,
     .undo = uncopy,
     .unrecord = step_unrecord_new},
};

const struct plan_type plan_vdi_copy = {
    .name = "VDI.copy", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

/* Copies go side by side, so only the disk is marked, and the new one's place while it is made. */
struct error *api_vdi_copy(struct call *c, const struct vdi_copy_args *a, const char **ret)
{
    struct uuid_text uuid = uuid_random();
    const struct vdi_rec *vdi;
    const struct sr_rec *from, *to;

    if (!is_null_ref(a->into_vdi))
        return err_not_implemented("VDI.copy into an existing VDI");
    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(txn_sr(c->txn, vdi->SR, &from));
    TRY(txn_sr(c->txn, is_null_ref(a->sr) ? vdi->SR : a->sr, &to));
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_COPY));
    TRY(sr_op_check(txn_view(c->txn), to, STORAGE_OPERATIONS_VDI_CREATE));
    TRY(sr_check_attached(c->daemon, c->txn, to));
    struct plan *p = plan_begin(c, &plan_vdi_copy);

    plan_set_str(p, P_VDI, vdi->self);
    plan_set_str(p, P_VDIUUID, vdi->uuid);
    plan_set_str(p, P_SRUUID, from->uuid);
    plan_set_str(p, P_NEW, uuid.s);
    plan_set_str(p, "to", to->self);
    plan_set_str(p, "to_uuid", to->uuid);
    TRY(plan_mark(p, c->txn, CLASS_VDI, vdi->self, VDI_OPERATIONS_COPY));
    return plan_mark(p, c->txn, CLASS_SR, to->self, STORAGE_OPERATIONS_VDI_CREATE);
}
