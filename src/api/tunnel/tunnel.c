/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnels: a PIF whose packets travel inside those of another one. */
#include "gen/msg/tunnel.h"
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/network_sriov_txn.h"
#include "gen/class/tunnel_txn.h"
#include "rpc/call.h"

#define NO_VLAN (-1)

static struct error *check_transport(struct txn *t, const struct pif_rec *pif)
{
    const struct pif_inv *inv = txn_inv_pif(t, pif);

    if (!is_null_ref(pif->bond_slave_of))
        return err_cannot_add_tunnel_to_bond_slave(pif->self);
    if (inv->sriov_logical_PIF_of.n)
        return err_cannot_add_tunnel_to_sriov_logical(pif->self);
    if (inv->tunnel_access_PIF_of.n)
        return err_is_tunnel_access_pif(pif->self);
    return NULL;
}

static const char *free_device(struct txn *t, const char *host)
{
    for (int i = 0;; i++) {
        const char *name = arena_printf(txn_arena(t), "tunnel%d", i);

        if (!pif_find_device(t, host, name))
            return name;
    }
}

struct error *api_tunnel_create(struct call *c, const struct tunnel_create_args *a,
                                const char **ret)
{
    static const char *const inactive[] = {"active", "false", NULL};
    const struct pif_rec *transport;

    TRY(txn_pif(c->txn, a->transport_PIF, &transport));
    TRY(check_transport(c->txn, transport));
    TRY(pif_check_base(c->txn, transport, a->network));
    struct pif_rec *access =
        pif_add_made(c->txn, transport, free_device(c->txn, transport->host), a->network, NO_VLAN);
    struct tunnel_rec *tunnel = txn_new_tunnel(c->txn);

    tunnel->access_PIF = access->self;
    tunnel->transport_PIF = transport->self;
    tunnel->status = map_of(c->arena, inactive);
    tunnel->protocol = a->protocol;
    *ret = tunnel->self;
    return NULL;
}

struct error *api_tunnel_destroy(struct call *c, const struct tunnel_destroy_args *a)
{
    const struct tunnel_rec *tunnel;
    const struct pif_rec *access;

    TRY(txn_tunnel(c->txn, a->self, &tunnel));
    TRY(txn_pif(c->txn, tunnel->access_PIF, &access));
    TRY(pif_check_unused(c->txn, access));
    return pif_remove(c->txn, access);
}
