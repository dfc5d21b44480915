/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VDI.snapshot, VDI.clone, VDI.revert: disks that share their contents. */
#include "api/common/host_error.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

/* What hostd says of both ends. */
struct shared {
    struct host_vdi_rec source, made;
};

/* Of the new disk, for whoever reads the SR without the store. */
static struct map_string_string names_of_new(struct plan *p)
{
    return vdi_props(plan_arena(p), plan_str(p, "name"), plan_str(p, "description"),
                     (int)plan_int(p, "vdi_type"));
}

static struct error *shoot(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_snapshot_args args = {.sr = plan_str(p, P_SRUUID),
                                                .uuid = plan_str(p, P_VDIUUID),
                                                .snapshot = plan_str(p, P_NEW),
                                                .props = names_of_new(p)};
    struct shared *s = arena_new(plan_arena(p), struct shared);
    struct host_vdi_snapshot_result result;

    TRY(from_host(d->store, hostd_vdi_snapshot(d->hostd, &args, plan_arena(p), &result)));
    *s = (struct shared){result.vdi, result.snapshot};
    plan_set_memo(p, s);
    return NULL;
}

static struct error *clone(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_clone_args args = {.sr = plan_str(p, P_SRUUID),
                                             .uuid = plan_str(p, P_VDIUUID),
                                             .clone = plan_str(p, P_NEW),
                                             .props = names_of_new(p)};
    struct shared *s = arena_new(plan_arena(p), struct shared);
    struct host_vdi_clone_result result;

    TRY(from_host(d->store, hostd_vdi_clone(d->hostd, &args, plan_arena(p), &result)));
    *s = (struct shared){result.vdi, result.clone};
    plan_set_memo(p, s);
    return NULL;
}

static struct error *record_made(struct plan *p, struct txn *t, struct vdi_rec **ret)
{
    const struct shared *s = plan_memo(p);
    struct vdi_rec *source, *row;

    TRY(txn_edit_vdi(t, plan_str(p, P_VDI), &source));
    source->physical_utilisation = s->source.physical_utilisation;
    row = vdi_inherit(t, source);
    row->uuid = plan_str(p, P_NEW);
    vdi_fill(row, &s->made);
    plan_set_result(p, row->self);
    *ret = row;
    return sr_add_allocation(t, row->SR, row->virtual_size);
}

static struct error *record_snapshot(struct plan *p, struct txn *t)
{
    struct vdi_rec *row;

    TRY(record_made(p, t, &row));
    row->is_a_snapshot = true;
    row->snapshot_of = plan_str(p, P_VDI);
    row->snapshot_time = plan_int(p, "time");
    return NULL;
}

static struct error *record_clone(struct plan *p, struct txn *t)
{
    struct vdi_rec *row;

    return record_made(p, t, &row);
}

static const struct plan_step snapshot_steps[] = {
    {.name = "freeze",
     .act = shoot,
     .record = record_snapshot,
     .undo = step_unmake,
     .unrecord = step_unrecord_new},
};

static const struct plan_step clone_steps[] = {
    {.name = "share",
     .act = clone,
     .record = record_clone,
     .undo = step_unmake,
     .unrecord = step_unrecord_new},
};

const struct plan_type plan_vdi_snapshot = {
    .name = "VDI.snapshot", .steps = snapshot_steps, .n_steps = ARRAY_SIZE(snapshot_steps)};
const struct plan_type plan_vdi_clone = {
    .name = "VDI.clone", .steps = clone_steps, .n_steps = ARRAY_SIZE(clone_steps)};

static void set_names(struct plan *p, const struct vdi_rec *vdi)
{
    struct uuid_text uuid = uuid_random();

    plan_set_str(p, P_NEW, uuid.s);
    plan_set_str(p, "name", vdi->name_label);
    plan_set_str(p, "description", vdi->name_description);
    plan_set_int(p, "vdi_type", vdi->type);
    plan_set_int(p, "time", now_s());
}

struct error *api_vdi_snapshot(struct call *c, const struct vdi_snapshot_args *a, const char **ret)
{
    const struct vdi_rec *vdi;
    struct plan *p;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(vdi_plan_begin(c, &plan_vdi_snapshot, vdi, VDI_OPERATIONS_SNAPSHOT,
                       STORAGE_OPERATIONS_VDI_SNAPSHOT, &p));
    set_names(p, vdi);
    return NULL;
}

struct error *api_vdi_clone(struct call *c, const struct vdi_clone_args *a, const char **ret)
{
    const struct vdi_rec *vdi;
    struct plan *p;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(vdi_plan_begin(c, &plan_vdi_clone, vdi, VDI_OPERATIONS_CLONE, STORAGE_OPERATIONS_VDI_CLONE,
                       &p));
    set_names(p, vdi);
    return NULL;
}

static struct error *go_back(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_revert_args args = {.sr = plan_str(p, P_SRUUID),
                                              .uuid = plan_str(p, P_VDIUUID),
                                              .snapshot = plan_str(p, "snapshot")};
    struct host_vdi_revert_result *r = arena_new(plan_arena(p), struct host_vdi_revert_result);

    TRY(from_host(d->store, hostd_vdi_revert(d->hostd, &args, plan_arena(p), r)));
    plan_set_memo(p, r);
    return NULL;
}

static struct error *record_reverted(struct plan *p, struct txn *t)
{
    const struct host_vdi_revert_result *r = plan_memo(p);
    struct vdi_rec *row;

    TRY(txn_edit_vdi(t, plan_str(p, P_VDI), &row));
    int64_t grown = r->vdi.virtual_size - row->virtual_size;

    vdi_fill(row, &r->vdi);
    return sr_add_allocation(t, row->SR, grown);
}

static const struct plan_step revert_steps[] = {
    {.name = "go back", .act = go_back, .record = record_reverted},
};

const struct plan_type plan_vdi_revert = {.name = "VDI.revert",
                                          .steps = revert_steps,
                                          .n_steps = ARRAY_SIZE(revert_steps),
                                          .no_cancel = true};

/* The disk becomes again what its snapshot holds. */
struct error *api_vdi_revert(struct call *c, const struct vdi_revert_args *a)
{
    const struct vdi_rec *snapshot, *vdi;
    struct plan *p;

    TRY(txn_vdi(c->txn, a->snapshot, &snapshot));
    if (!snapshot->is_a_snapshot)
        return err_operation_not_allowed(
            arena_printf(c->arena, "VDI is not a snapshot: %s", snapshot->self));
    TRY(txn_vdi(c->txn, snapshot->snapshot_of, &vdi));
    TRY(vdi_op_check(txn_view(c->txn), snapshot, VDI_OPERATIONS_REVERT_FROM));
    TRY(vdi_plan_begin(c, &plan_vdi_revert, vdi, VDI_OPERATIONS_REVERT_TO,
                       STORAGE_OPERATIONS_VDI_REVERT, &p));
    plan_set_str(p, "snapshot", snapshot->uuid);
    return plan_mark(p, c->txn, CLASS_VDI, snapshot->self, VDI_OPERATIONS_REVERT_FROM);
}
