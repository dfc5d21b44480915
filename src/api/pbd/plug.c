/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PBD.plug and PBD.unplug: attaching a repository to a host and detaching it. */
#include "api/common/lists.h"
#include "api/pbd/plans.h"
#include "api/sr/sr.h"
#include "gen/class/VBD_txn.h"
#include "gen/msg/PBD.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *set_attached(struct plan *p, struct txn *t, bool attached)
{
    struct pbd_rec *pbd;

    TRY(txn_edit_pbd(t, plan_str(p, P_PBD), &pbd));
    pbd->currently_attached = attached;
    return NULL;
}

static struct error *record_attached(struct plan *p, struct txn *t)
{
    return set_attached(p, t, true);
}

static struct error *record_detached(struct plan *p, struct txn *t)
{
    return set_attached(p, t, false);
}

static const struct plan_step plug_steps[] = {
    {.name = "attach",
     .act = step_attach,
     .record = record_attached,
     .undo = step_detach,
     .unrecord = record_detached},
    {.name = "look", .act = step_look, .record = step_write_found},
};

const struct plan_type plan_pbd_plug = {
    .name = "PBD.plug", .steps = plug_steps, .n_steps = ARRAY_SIZE(plug_steps)};

static const struct plan_step unplug_steps[] = {
    {.name = "detach",
     .act = step_detach,
     .record = record_detached,
     .undo = step_attach,
     .unrecord = record_attached},
};

const struct plan_type plan_pbd_unplug = {.name = "PBD.unplug",
                                          .steps = unplug_steps,
                                          .n_steps = ARRAY_SIZE(unplug_steps),
                                          .no_cancel = true};

static struct error *begin(struct call *c, const struct plan_type *type, const struct pbd_rec *pbd,
                           const struct sr_rec *sr, enum storage_operations op)
{
    TRY(sr_op_check(txn_view(c->txn), sr, op));
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, P_PBD, pbd->self);
    plan_set_str(p, P_SR, sr->self);
    plan_set_str(p, P_SRUUID, sr->uuid);
    plan_set_str(p, P_TYPE, sr->type);
    plan_set_config(p, &pbd->device_config);
    return plan_mark(p, c->txn, CLASS_SR, sr->self, (int)op);
}

/* A repository that is not shared belongs to the first host that attached it. */
static struct error *check_shared(struct txn *t, const struct sr_rec *sr, const struct pbd_rec *pbd)
{
    const struct set_ref *pbds = &txn_inv_sr(t, sr)->PBDs;

    for (size_t i = 0; !sr->shared && i < pbds->n; i++) {
        const struct pbd_rec *other = txn_find_pbd(t, pbds->v[i]);

        if (other && other->currently_attached && !streq(other->self, pbd->self))
            return err_sr_not_sharable(sr->self, other->host);
    }
    return NULL;
}

struct error *api_pbd_plug(struct call *c, const struct pbd_plug_args *a)
{
    const struct pbd_rec *pbd;
    const struct sr_rec *sr;

    TRY(txn_pbd(c->txn, a->self, &pbd));
    if (pbd->currently_attached)
        return NULL;
    TRY(txn_sr(c->txn, pbd->SR, &sr));
    TRY(check_shared(c->txn, sr, pbd));
    return begin(c, &plan_pbd_plug, pbd, sr, STORAGE_OPERATIONS_PLUG);
}

static bool is_attached(struct txn *t, const struct vdi_rec *vdi)
{
    const struct vdi_inv *inv = txn_inv_vdi(t, vdi);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, inv->VBDs.v[i]);

        if (vbd && (vbd->currently_attached || vbd->reserved))
            return true;
    }
    return false;
}

/* VDI_IN_USE with every disk that a VM has open. */
static struct error *check_unused(struct call *c, const struct sr_rec *sr)
{
    const struct set_ref *vdis = &txn_inv_sr(c->txn, sr)->VDIs;
    struct set_ref busy = {0};

    for (size_t i = 0; i < vdis->n; i++) {
        const struct vdi_rec *vdi = txn_find_vdi(c->txn, vdis->v[i]);

        if (vdi && is_attached(c->txn, vdi))
            refs_add(c->arena, &busy, vdi->self);
    }
    return busy.n ? error_api_v(ERR_VDI_IN_USE, busy.v, (int)busy.n) : NULL;
}

struct error *api_pbd_unplug(struct call *c, const struct pbd_unplug_args *a)
{
    const struct pbd_rec *pbd;
    const struct sr_rec *sr;

    TRY(txn_pbd(c->txn, a->self, &pbd));
    if (!pbd->currently_attached)
        return NULL;
    TRY(txn_sr(c->txn, pbd->SR, &sr));
    TRY(check_unused(c, sr));
    return begin(c, &plan_pbd_unplug, pbd, sr, STORAGE_OPERATIONS_UNPLUG);
}
