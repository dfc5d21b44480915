/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.attach and attach_for_vm: the bridges come up on a host, as they do by themselves when a
 * card is plugged into them.
 */
#include "api/network/plans.h"
#include "api/pif/pif.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/network.h"
#include "rpc/call.h"
#include "task/plan.h"

/* State: "bridges", a list of {bridge, device, mtu, pif}. */
static struct error *up(struct plan *p)
{
    size_t i;
    json_t *b;

    json_array_foreach (plan_json(p, "bridges"), i, b) {
        const struct host_net_attach_args args = {
            .bridge = json_string_value(json_object_get(b, "bridge")),
            .device = json_string_value(json_object_get(b, "device")),
            .mtu = json_integer_value(json_object_get(b, "mtu")),
        };
        struct host_net_attach_result result;

        TRY(hostd_net_attach(plan_daemon(p)->hostd, &args, plan_arena(p), &result));
    }
    return NULL;
}

static struct error *record_up(struct plan *p, struct txn *t)
{
    size_t i;
    json_t *b;

    json_array_foreach (plan_json(p, "bridges"), i, b) {
        const char *ref = json_string_value(json_object_get(b, "pif"));
        struct pif_rec *pif;

        if (!txn_find_pif(t, ref))
            continue;
        TRY(txn_edit_pif(t, ref, &pif));
        pif->currently_attached = true;
    }
    return NULL;
}

static const struct plan_step steps[] = {{.name = "up", .act = up, .record = record_up}};

const struct plan_type plan_network_attach = {
    .name = "network.attach", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

static struct error *check_pif(const struct pif_rec *pif)
{
    if (pif->currently_attached || pif->physical)
        return NULL;
    return err_pif_configuration_error(pif->self,
                                       "VLANs, bonds and tunnels are not made on the machine yet");
}

static struct error *add(struct txn *t, json_t *list, const struct network_rec *n, const char *host)
{
    const struct pif_rec *pif = pif_on_network(t, n->self, host);

    if (pif)
        TRY(check_pif(pif));
    json_array_append_new(list, json_pack("{ss ss sI ss}", "bridge", n->bridge, "device",
                                          pif ? pif->device : "", "mtu", (json_int_t)n->MTU, "pif",
                                          pif ? pif->self : ""));
    return NULL;
}

struct error *api_network_attach(struct call *c, const struct network_attach_args *a)
{
    const struct network_rec *network;
    const struct host_rec *host;

    TRY(txn_network(c->txn, a->network, &network));
    TRY(txn_host(c->txn, a->host, &host));
    json_t *list = json_array();
    struct error *e = add(c->txn, list, network, host->self);

    if (e) {
        json_decref(list);
        return e;
    }
    struct plan *p = plan_begin(c, &plan_network_attach);

    plan_set_json(p, "bridges", list);
    return plan_mark(p, c->txn, CLASS_NETWORK, network->self, NETWORK_OPERATIONS_ATTACHING);
}

static struct error *add_all(struct txn *t, json_t *list, const struct vm_rec *vm, const char *host)
{
    const struct set_ref *vifs = &txn_inv_vm(t, vm)->VIFs;

    for (size_t i = 0; i < vifs->n; i++) {
        const struct vif_rec *vif = txn_find_vif(t, vifs->v[i]);
        const struct network_rec *network = vif ? txn_find_network(t, vif->network) : NULL;

        if (network)
            TRY(add(t, list, network, host));
    }
    return NULL;
}

struct error *api_network_attach_for_vm(struct call *c, const struct network_attach_for_vm_args *a)
{
    const struct host_rec *host;
    const struct vm_rec *vm;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(txn_vm(c->txn, a->vm, &vm));
    json_t *list = json_array();
    struct error *e = add_all(c->txn, list, vm, host->self);

    if (e) {
        json_decref(list);
        return e;
    }
    plan_set_json(plan_begin(c, &plan_network_attach), "bridges", list);
    return NULL;
}

/* Bridges stay while the host is up: another card may need them the next moment. */
struct error *api_network_detach_for_vm(struct call *c, const struct network_detach_for_vm_args *a)
{
    const struct host_rec *host;
    const struct vm_rec *vm;

    TRY(txn_host(c->txn, a->host, &host));
    return txn_vm(c->txn, a->vm, &vm);
}
