/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VBD.plug, unplug and their variants: disks of a running VM come and go. */
#include "api/common/host_devices.h"
#include "api/common/host_error.h"
#include "api/vbd/plans.h"
#include "api/vbd/vbd.h"
#include "gen/msg/VBD.h"
#include "rpc/call.h"
#include "rules/devices.h"
#include "rules/lookup.h"
#include "rules/ops.h"

/* Seconds a guest is given to let go of a disk; by force, it is only asked. */
#define UNPLUG_TIMEOUT_S 60
#define FORCE_TIMEOUT_S  5

static struct error *attach(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_attach_disk_args args = {.uuid = plan_str(p, P_VMUUID),
                                            .run = plan_str(p, P_RUN)};
    const struct vbd_rec *vbd;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vbd(t, plan_str(p, P_VBD), &vbd));
    host_disk_of(t, vbd, &args.disk);
    return from_host(d->store, hostd_vm_attach_disk(d->hostd, &args, &a, NULL));
}

static struct error *detach_within(struct plan *p, int64_t seconds)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_detach_disk_args args = {
        .uuid = plan_str(p, P_VMUUID),
        .run = plan_str(p, P_RUN),
        .device = plan_int(p, "device"),
        .timeout = seconds,
    };
    struct error *e = hostd_vm_detach_disk(d->hostd, &args, plan_arena(p), NULL);

    return device_error(from_host(d->store, e), plan_str(p, P_VBD));
}

static struct error *detach(struct plan *p)
{
    return detach_within(p, plan_bool(p, "force") ? FORCE_TIMEOUT_S : UNPLUG_TIMEOUT_S);
}

static struct error *set_attached(struct plan *p, struct txn *t, bool attached)
{
    struct vbd_rec *vbd;

    TRY(txn_edit_vbd(t, plan_str(p, P_VBD), &vbd));
    vbd->currently_attached = attached;
    vbd->reserved = false;
    return NULL;
}

static struct error *now_attached(struct plan *p, struct txn *t)
{
    const struct vm_rec *vm;
    struct vbd_rec *vbd;

    TRY(run_check(p, t));
    TRY(txn_vm(t, plan_str(p, P_VM), &vm));
    TRY(txn_edit_vbd(t, plan_str(p, P_VBD), &vbd));
    vbd->device = vbd_device_name(txn_arena(t), vbd_device_number(vbd->userdevice, vbd->type),
                                  vbd->type, vm_domain_type(txn_view(t), vm) == DOMAIN_TYPE_HVM);
    return set_attached(p, t, true);
}

static struct error *now_detached(struct plan *p, struct txn *t)
{
    TRY(run_check(p, t));
    return set_attached(p, t, false);
}

static struct error *undo_attach(struct plan *p)
{
    return run_undone(detach(p));
}

static struct error *undo_detach(struct plan *p)
{
    return run_undone(attach(p));
}

static const struct plan_step plug_steps[] = {
    {.name = "attach disk", .act = attach, .record = now_attached, .undo = undo_attach},
};

const struct plan_type plan_vbd_plug = {
    .name = "VBD.plug", .steps = plug_steps, .n_steps = ARRAY_SIZE(plug_steps)};

static const struct plan_step unplug_steps[] = {
    {.name = "detach disk", .act = detach, .record = now_detached, .undo = undo_detach},
};

const struct plan_type plan_vbd_unplug = {
    .name = "VBD.unplug", .steps = unplug_steps, .n_steps = ARRAY_SIZE(unplug_steps)};

static struct error *begin(struct call *c, const char *vbd, const struct plan_type *type,
                           enum vbd_operations op)
{
    struct vbd_ends e;
    struct plan *p;

    TRY(vbd_ends(c->txn, vbd, &e));
    TRY(vbd_op_check(txn_view(c->txn), e.vbd, op));
    if (e.vm->is_control_domain)
        return err_operation_not_allowed("Disks cannot be plugged into the control domain");
    if (op == VBD_OPERATIONS_PLUG)
        TRY(vbd_check_storage(c, e.vdi));
    TRY(vbd_plan(c, type, &e, op, &p));
    plan_set_int(p, "device", vbd_device_number(e.vbd->userdevice, e.vbd->type));
    plan_set_bool(p, "force", op == VBD_OPERATIONS_UNPLUG_FORCE);
    return NULL;
}

struct error *api_vbd_plug(struct call *c, const struct vbd_plug_args *a)
{
    return begin(c, a->self, &plan_vbd_plug, VBD_OPERATIONS_PLUG);
}

struct error *api_vbd_unplug(struct call *c, const struct vbd_unplug_args *a)
{
    return begin(c, a->self, &plan_vbd_unplug, VBD_OPERATIONS_UNPLUG);
}

struct error *api_vbd_unplug_force(struct call *c, const struct vbd_unplug_force_args *a)
{
    return begin(c, a->self, &plan_vbd_unplug, VBD_OPERATIONS_UNPLUG_FORCE);
}

struct error *api_vbd_unplug_force_no_safety_check(
    struct call *c, const struct vbd_unplug_force_no_safety_check_args *a)
{
    return begin(c, a->self, &plan_vbd_unplug, VBD_OPERATIONS_UNPLUG_FORCE);
}
