/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "gen/msg/VDI.h"

/* The number by which clients know a size that cannot be. */
#define ERR_SR_BACKEND_SIZE "SR_BACKEND_FAILURE_79"

static struct error *grow(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_resize_args args = {.sr = plan_str(p, P_SRUUID),
                                              .uuid = plan_str(p, P_VDIUUID),
                                              .virtual_size = plan_int(p, "size")};
    struct host_vdi_resize_result *r = arena_new(plan_arena(p), struct host_vdi_resize_result);

    TRY(from_host(d->store, hostd_vdi_resize(d->hostd, &args, plan_arena(p), r)));
    plan_set_memo(p, r);
    return NULL;
}

static struct error *record_size(struct plan *p, struct txn *t)
{
    const struct host_vdi_resize_result *r = plan_memo(p);
    struct vdi_rec *row;

    TRY(txn_edit_vdi(t, plan_str(p, P_VDI), &row));
    int64_t grown = r->vdi.virtual_size - row->virtual_size;

    vdi_fill(row, &r->vdi);
    return sr_add_allocation(t, row->SR, grown);
}

static const struct plan_step steps[] = {
    {.name = "grow", .act = grow, .record = record_size},
};

const struct plan_type plan_vdi_resize = {
    .name = "VDI.resize", .steps = steps, .n_steps = ARRAY_SIZE(steps), .no_cancel = true};

static struct error *resize(struct call *c, const char *ref, int64_t size, enum vdi_operations op,
                            enum storage_operations sr_op)
{
    const struct vdi_rec *vdi;
    struct plan *p;

    TRY(txn_vdi(c->txn, ref, &vdi));
    if (size < vdi->virtual_size)
        return error_api(ERR_SR_BACKEND_SIZE, 3, "", "VDI Invalid size: a disk cannot shrink", "");
    TRY(vdi_plan_begin(c, &plan_vdi_resize, vdi, op, sr_op, &p));
    plan_set_int(p, "size", size);
    return NULL;
}

struct error *api_vdi_resize(struct call *c, const struct vdi_resize_args *a)
{
    return resize(c, a->vdi, a->size, VDI_OPERATIONS_RESIZE, STORAGE_OPERATIONS_VDI_RESIZE);
}

struct error *api_vdi_resize_online(struct call *c, const struct vdi_resize_online_args *a)
{
    return resize(c, a->vdi, a->size, VDI_OPERATIONS_RESIZE_ONLINE,
                  STORAGE_OPERATIONS_VDI_RESIZE_ONLINE);
}
