/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIF.plug and unplug: bringing the bridge of an interface up and down. */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "api/pif/plans.h"
#include "gen/class/network_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"
#include "task/plan.h"

static struct error *up(struct plan *p)
{
    const struct host_net_attach_args args = {.bridge = plan_str(p, "bridge"),
                                              .device = plan_str(p, "device"),
                                              .mtu = plan_int(p, "mtu")};
    struct host_net_attach_result result;

    return hostd_net_attach(plan_daemon(p)->hostd, &args, plan_arena(p), &result);
}

static struct error *down(struct plan *p)
{
    const struct host_net_detach_args args = {.bridge = plan_str(p, "bridge")};
    struct host_net_detach_result result;

    return hostd_net_detach(plan_daemon(p)->hostd, &args, plan_arena(p), &result);
}

static struct error *set_attached(struct plan *p, struct txn *t, bool attached)
{
    struct pif_rec *pif;

    TRY(txn_edit_pif(t, plan_str(p, "pif"), &pif));
    pif->currently_attached = attached;
    return NULL;
}

static struct error *record_up(struct plan *p, struct txn *t)
{
    return set_attached(p, t, true);
}

static struct error *record_down(struct plan *p, struct txn *t)
{
    return set_attached(p, t, false);
}

static const struct plan_step plug_steps[] = {
    {.name = "up", .act = up, .record = record_up, .undo = down, .unrecord = record_down},
};
static const struct plan_step unplug_steps[] = {
    {.name = "down", .act = down, .record = record_down, .undo = up, .unrecord = record_up},
};

const struct plan_type plan_pif_plug = {
    .name = "PIF.plug", .steps = plug_steps, .n_steps = ARRAY_SIZE(plug_steps)};
const struct plan_type plan_pif_unplug = {.name = "PIF.unplug",
                                          .steps = unplug_steps,
                                          .n_steps = ARRAY_SIZE(unplug_steps),
                                          .no_cancel = true};

static struct error *begin(struct call *c, const struct plan_type *type, const struct pif_rec *pif)
{
    const struct network_rec *network;

    TRY(txn_network(c->txn, pif->network, &network));
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, "pif", pif->self);
    plan_set_str(p, "bridge", network->bridge);
    plan_set_str(p, "device", pif->device);
    plan_set_int(p, "mtu", pif->MTU);
    return NULL;
}

struct error *api_pif_plug(struct call *c, const struct pif_plug_args *a)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->self, &pif));
    if (!is_null_ref(pif->bond_slave_of))
        return err_cannot_plug_bond_slave(pif->self);
    if (pif->currently_attached)
        return NULL;
    if (!pif->physical)
        return err_pif_configuration_error(
            pif->self, "VLANs, bonds and tunnels are not made on the machine yet");
    return begin(c, &plan_pif_plug, pif);
}

struct error *api_pif_unplug(struct call *c, const struct pif_unplug_args *a)
{
    const struct pif_rec *pif;
    const struct pool_rec *pool;

    TRY(txn_pif(c->txn, a->self, &pif));
    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (pif->management)
        return err_pif_is_management_interface(pif->self);
    if (pif->disallow_unplug)
        return err_pif_does_not_allow_unplug(pif->self);
    if (pool->ha_enabled)
        return err_ha_is_enabled();
    if (!pif->currently_attached)
        return NULL;
    TRY(pif_check_vifs(c->txn, pif));
    return begin(c, &plan_pif_unplug, pif);
}
