/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VIF.plug, unplug, unplug_force and move: cards of a running VM come, go and change networks. */
#include "api/common/host_devices.h"
#include "api/common/host_error.h"
#include "api/vif/plans.h"
#include "api/vif/vif.h"
#include "gen/msg/VIF.h"
#include "rpc/call.h"
#include "rules/devices.h"
#include "rules/ops.h"

#define P_VIF     "vif"
#define P_VM      "vm"
#define P_VMUUID  "uuid"
#define P_RUN     "run"
#define P_NETWORK "network" /* where the card is moved to */

/* Seconds a guest is given to let go of a card; by force, it is only asked. */
#define UNPLUG_TIMEOUT_S 60
#define FORCE_TIMEOUT_S  5

/* network NULL: the one in the row. */
static struct error *attach_to(struct plan *p, const char *network)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_attach_nic_args args = {.uuid = plan_str(p, P_VMUUID),
                                           .run = plan_str(p, P_RUN)};
    const struct vif_rec *vif;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vif(t, plan_str(p, P_VIF), &vif));
    struct vif_rec then = *vif;

    if (network)
        then.network = network;
    host_nic_of(t, &then, &args.nic);
    return from_host(d->store, hostd_vm_attach_nic(d->hostd, &args, &a, NULL));
}

static struct error *attach(struct plan *p)
{
    return attach_to(p, NULL);
}

static struct error *attach_there(struct plan *p)
{
    return attach_to(p, plan_str(p, P_NETWORK));
}

static struct error *detach(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_detach_nic_args args = {.uuid = plan_str(p, P_VMUUID),
                                           .run = plan_str(p, P_RUN),
                                           .device = plan_int(p, "device"),
                                           .timeout = plan_bool(p, "force") ? FORCE_TIMEOUT_S
                                                                            : UNPLUG_TIMEOUT_S};
    struct error *e = hostd_vm_detach_nic(d->hostd, &args, plan_arena(p), NULL);

    return device_error(from_host(d->store, e), plan_str(p, P_VIF));
}

static struct error *set_attached(struct plan *p, struct txn *t, bool attached)
{
    struct vif_rec *vif;

    TRY(txn_edit_vif(t, plan_str(p, P_VIF), &vif));
    vif->currently_attached = attached;
    vif->reserved = false;
    return NULL;
}

static struct error *now_attached(struct plan *p, struct txn *t)
{
    TRY(run_check(p, t));
    return set_attached(p, t, true);
}

static struct error *now_detached(struct plan *p, struct txn *t)
{
    TRY(run_check(p, t));
    return set_attached(p, t, false);
}

static struct error *now_there(struct plan *p, struct txn *t)
{
    struct vif_rec *vif;

    TRY(now_attached(p, t));
    TRY(txn_edit_vif(t, plan_str(p, P_VIF), &vif));
    vif->network = arena_strdup(txn_arena(t), plan_str(p, P_NETWORK));
    return NULL;
}

static struct error *undo_attach(struct plan *p)
{
    return run_undone(detach(p));
}

static struct error *undo_detach(struct plan *p)
{
    return run_undone(attach(p));
}

static struct error *attached_again(struct plan *p, struct txn *t)
{
    return run_undone(now_attached(p, t));
}

static const struct plan_step plug_steps[] = {
    {.name = "attach card", .act = attach, .record = now_attached, .undo = undo_attach},
};

const struct plan_type plan_vif_plug = {
    .name = "VIF.plug", .steps = plug_steps, .n_steps = ARRAY_SIZE(plug_steps)};

static const struct plan_step unplug_steps[] = {
    {.name = "detach card", .act = detach, .record = now_detached, .undo = undo_detach},
};

const struct plan_type plan_vif_unplug = {
    .name = "VIF.unplug", .steps = unplug_steps, .n_steps = ARRAY_SIZE(unplug_steps)};

/* No driver re-bridges a card in place: the guest sees it go and come back with its address. */
static const struct plan_step move_steps[] = {
    {.name = "detach card",
     .act = detach,
     .record = now_detached,
     .undo = undo_detach,
     .unrecord = attached_again},
    {.name = "attach card", .act = attach_there, .record = now_there, .undo = undo_attach},
};

const struct plan_type plan_vif_move = {
    .name = "VIF.move", .steps = move_steps, .n_steps = ARRAY_SIZE(move_steps)};

static struct error *begin(struct call *c, const struct vif_rec *vif, const struct plan_type *type,
                           enum vif_operations op, struct plan **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, vif->VM, &vm));
    TRY(vif_op_check(txn_view(c->txn), vif, op));
    if (vm->is_control_domain)
        return err_operation_not_allowed("Cards cannot be plugged into the control domain");
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, P_VIF, vif->self);
    plan_set_str(p, P_VM, vm->self);
    plan_set_str(p, P_VMUUID, vm->uuid);
    run_note(p, vm);
    plan_set_int(p, "device", vif_device_number(vif->device));
    *ret = p;
    return plan_mark(p, c->txn, CLASS_VIF, vif->self, (int)op);
}

struct error *api_vif_plug(struct call *c, const struct vif_plug_args *a)
{
    const struct vif_rec *vif;
    struct plan *p;

    TRY(txn_vif(c->txn, a->self, &vif));
    return begin(c, vif, &plan_vif_plug, VIF_OPERATIONS_PLUG, &p);
}

struct error *api_vif_unplug(struct call *c, const struct vif_unplug_args *a)
{
    const struct vif_rec *vif;
    struct plan *p;

    TRY(txn_vif(c->txn, a->self, &vif));
    return begin(c, vif, &plan_vif_unplug, VIF_OPERATIONS_UNPLUG, &p);
}

struct error *api_vif_unplug_force(struct call *c, const struct vif_unplug_force_args *a)
{
    const struct vif_rec *vif;
    struct plan *p;

    TRY(txn_vif(c->txn, a->self, &vif));
    TRY(begin(c, vif, &plan_vif_unplug, VIF_OPERATIONS_UNPLUG, &p));
    plan_set_bool(p, "force", true);
    return NULL;
}

struct error *api_vif_move(struct call *c, const struct vif_move_args *a)
{
    const struct vif_rec *vif;
    struct vif_rec *edit;
    struct plan *p;

    TRY(txn_vif(c->txn, a->self, &vif));
    TRY(vif_check_network(c->txn, a->network));
    if (streq(vif->network, a->network))
        return NULL;
    if (vif->currently_attached) {
        TRY(begin(c, vif, &plan_vif_move, VIF_OPERATIONS_UNPLUG, &p));
        plan_set_str(p, P_NETWORK, a->network);
        return NULL;
    }
    TRY(txn_edit_vif(c->txn, vif->self, &edit));
    edit->network = a->network;
    return NULL;
}
