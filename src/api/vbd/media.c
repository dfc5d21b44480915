/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VBD.insert and VBD.eject: what lies in an optical drive. Of a halted VM only the row changes. */
#include "api/common/host_devices.h"
#include "api/common/host_error.h"
#include "api/vbd/plans.h"
#include "api/vbd/vbd.h"
#include "gen/msg/VBD.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"

/* The disc that goes in or comes out. */
#define P_DISC "disc"

/* Makes the drive hold the disc, or nothing. */
static struct error *change(struct plan *p, const char *disc)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_change_media_args args = {.uuid = plan_str(p, P_VMUUID),
                                             .run = plan_str(p, P_RUN)};
    const struct vbd_rec *vbd;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vbd(t, plan_str(p, P_VBD), &vbd));
    struct vbd_rec then = *vbd;

    then.VDI = disc;
    then.empty = !ref_is_set(disc);
    host_disk_of(t, &then, &args.disk);
    return from_host(d->store, hostd_vm_change_media(d->hostd, &args, &a, NULL));
}

static struct error *put_in(struct plan *p)
{
    return change(p, plan_str(p, P_DISC));
}

static struct error *take_out(struct plan *p)
{
    return change(p, REF_NULL);
}

static struct error *set_disc(struct txn *t, const char *ref, const char *disc)
{
    struct vbd_rec *vbd;

    TRY(txn_edit_vbd(t, ref, &vbd));
    vbd->VDI = disc;
    vbd->empty = !ref_is_set(disc);
    return NULL;
}

static struct error *now_in(struct plan *p, struct txn *t)
{
    TRY(run_check(p, t));
    return set_disc(t, plan_str(p, P_VBD), arena_strdup(txn_arena(t), plan_str(p, P_DISC)));
}

static struct error *now_out(struct plan *p, struct txn *t)
{
    TRY(run_check(p, t));
    return set_disc(t, plan_str(p, P_VBD), REF_NULL);
}

static struct error *undo_insert(struct plan *p)
{
    return run_undone(take_out(p));
}

static struct error *undo_eject(struct plan *p)
{
    return run_undone(put_in(p));
}

static const struct plan_step insert_steps[] = {
    {.name = "insert disc", .act = put_in, .record = now_in, .undo = undo_insert},
};

const struct plan_type plan_vbd_insert = {
    .name = "VBD.insert", .steps = insert_steps, .n_steps = ARRAY_SIZE(insert_steps)};

static const struct plan_step eject_steps[] = {
    {.name = "eject disc", .act = take_out, .record = now_out, .undo = undo_eject},
};

const struct plan_type plan_vbd_eject = {
    .name = "VBD.eject", .steps = eject_steps, .n_steps = ARRAY_SIZE(eject_steps)};

struct error *api_vbd_insert(struct call *c, const struct vbd_insert_args *a)
{
    const struct vdi_rec *disc;
    struct vbd_ends e;
    struct plan *p;

    TRY(vbd_ends(c->txn, a->vbd, &e));
    TRY(vbd_op_check(txn_view(c->txn), e.vbd, VBD_OPERATIONS_INSERT));
    TRY(txn_vdi(c->txn, a->vdi, &disc));
    TRY(vbd_check_disk(c->txn, disc, e.vbd->type, e.vbd->mode));
    if (!vm_is_live(e.vm))
        return set_disc(c->txn, e.vbd->self, disc->self);
    TRY(vbd_check_storage(c, disc));
    TRY(vbd_plan(c, &plan_vbd_insert, &e, VBD_OPERATIONS_INSERT, &p));
    plan_set_str(p, P_DISC, disc->self);
    return NULL;
}

struct error *api_vbd_eject(struct call *c, const struct vbd_eject_args *a)
{
    struct vbd_ends e;
    struct plan *p;

    TRY(vbd_ends(c->txn, a->vbd, &e));
    TRY(vbd_op_check(txn_view(c->txn), e.vbd, VBD_OPERATIONS_EJECT));
    if (!vm_is_live(e.vm))
        return set_disc(c->txn, e.vbd->self, REF_NULL);
    TRY(vbd_plan(c, &plan_vbd_eject, &e, VBD_OPERATIONS_EJECT, &p));
    plan_set_str(p, P_DISC, e.vbd->VDI);
    return NULL;
}
