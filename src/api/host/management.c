/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which interface a host is managed by. The daemon listens on all addresses, so only the rows
 * change: the address that others are told.
 */
#include "gen/class/PIF_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

static struct error *check_pif(const struct pif_rec *pif)
{
    bool v6 = pif->primary_address_type == PRIMARY_ADDRESS_TYPE_IPV6;

    if (v6 && pif->ipv6_configuration_mode == IPV6_CONFIGURATION_MODE_NONE)
        return err_pif_has_no_v6_network_configuration(pif->self);
    if (!v6 && pif->ip_configuration_mode == IP_CONFIGURATION_MODE_NONE)
        return err_pif_has_no_network_configuration(pif->self);
    if (v6 ? !pif->IPv6.n : !*pif->IP)
        return err_interface_has_no_ip(pif->device);
    return NULL;
}

static struct error *manage_by(struct call *c, const struct pif_rec *pif)
{
    const struct pool_rec *pool;
    const struct host_rec *host;
    struct host_rec *h;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (pool->ha_enabled)
        return err_ha_is_enabled();
    TRY(check_pif(pif));
    TRY(txn_host(c->txn, pif->host, &host));
    const struct set_ref *pifs = &txn_inv_host(c->txn, host)->PIFs;

    for (size_t i = 0; i < pifs->n; i++) {
        struct pif_rec *p;

        TRY(txn_edit_pif(c->txn, pifs->v[i], &p));
        p->management = streq(p->self, pif->self);
    }
    TRY(txn_edit_host(c->txn, host->self, &h));
    h->address = pif->primary_address_type == PRIMARY_ADDRESS_TYPE_IPV6 ? pif->IPv6.v[0] : pif->IP;
    return NULL;
}

struct error *api_host_management_reconfigure(struct call *c,
                                              const struct host_management_reconfigure_args *a)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->pif, &pif));
    return manage_by(c, pif);
}

/* By the name of an interface of this host, for somebody who sits in front of it. */
struct error *api_host_local_management_reconfigure(
    struct call *c, const struct host_local_management_reconfigure_args *a)
{
    const struct pif_rec *const *all;
    size_t n = txn_all_pif(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->host, c->daemon->host_ref) && streq(all[i]->device, a->interface))
            return manage_by(c, all[i]);
    return err_invalid_value("interface", a->interface);
}

struct error *api_pool_management_reconfigure(struct call *c,
                                              const struct pool_management_reconfigure_args *a)
{
    const struct network_rec *network;
    const struct host_rec *const *hosts;
    const struct pif_rec *const *all;
    size_t n_hosts = txn_all_host(c->txn, &hosts), n = txn_all_pif(c->txn, &all);

    TRY(txn_network(c->txn, a->network, &network));
    for (size_t h = 0; h < n_hosts; h++) {
        const struct pif_rec *found = NULL;

        for (size_t i = 0; i < n && !found; i++)
            if (streq(all[i]->host, hosts[h]->self) && streq(all[i]->network, network->self))
                found = all[i];
        if (!found)
            return err_pif_not_present(hosts[h]->self, network->self);
        TRY(manage_by(c, found));
    }
    return NULL;
}
