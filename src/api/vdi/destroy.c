/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"
#include "api/http/transfers.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

static struct error *erase_disk(void *ctx)
{
    struct plan *p = ctx;
    const struct host_vdi_destroy_args args = {.sr = plan_str(p, P_SRUUID),
                                               .uuid = plan_str(p, P_VDIUUID)};
    struct host_vdi_destroy_result result;
    struct daemon *d = plan_daemon(p);

    return from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), &result));
}

static struct error *erase(struct plan *p)
{
    return transfers_retry(plan_daemon(p)->under_way, plan_str(p, P_VDI), erase_disk, p);
}

/* VBDs of the disk go with it: none is attached, or the call would not have begun. */
static struct error *record_gone(struct plan *p, struct txn *t)
{
    const struct vdi_rec *row = txn_find_vdi(t, plan_str(p, P_VDI));

    if (!row)
        return NULL;
    TRY(sr_add_allocation(t, row->SR, -row->virtual_size));
    return vdi_remove_row(t, row);
}

static const struct plan_step steps[] = {
    {.name = "erase", .act = erase, .record = record_gone},
};

const struct plan_type plan_vdi_destroy = {
    .name = "VDI.destroy", .steps = steps, .n_steps = ARRAY_SIZE(steps), .no_cancel = true};

struct error *api_vdi_destroy(struct call *c, const struct vdi_destroy_args *a)
{
    const struct vdi_rec *vdi;
    struct plan *p;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    return vdi_plan_begin(c, &plan_vdi_destroy, vdi, VDI_OPERATIONS_DESTROY,
                          STORAGE_OPERATIONS_VDI_DESTROY, &p);
}

/* Forgets the row; the next scan finds the disk again. */
struct error *api_vdi_forget(struct call *c, const struct vdi_forget_args *a)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_FORGET));
    return vdi_remove_row(c->txn, vdi);
}
