/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIFs that are made of others: what VLANs, bonds and tunnels have in common. */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/PIF_metrics_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/network_txn.h"
#include "gen/enums.h"
#include "gen/errors.h"

const struct pif_rec *pif_on_network(struct txn *t, const char *network, const char *host)
{
    const struct network_rec *n = txn_find_network(t, network);
    const struct set_ref *pifs = n ? &txn_inv_network(t, n)->PIFs : NULL;

    for (size_t i = 0; pifs && i < pifs->n; i++) {
        const struct pif_rec *pif = txn_find_pif(t, pifs->v[i]);

        if (pif && streq(pif->host, host))
            return pif;
    }
    return NULL;
}

struct pif_rec *pif_add_made(struct txn *t, const struct pif_rec *of, const char *device,
                             const char *network, int64_t vlan)
{
    struct pif_metrics_rec *m = txn_new_pif_metrics(t);
    struct pif_rec *pif = txn_new_pif(t);

    pif->device = device;
    pif->network = network;
    pif->host = of->host;
    pif->VLAN = vlan;
    pif->MAC = of->MAC;
    pif->MTU = of->MTU;
    pif->metrics = m->self;
    pif->physical = false;
    pif->managed = true;
    pif->currently_attached = false;
    pif->ip_configuration_mode = IP_CONFIGURATION_MODE_NONE;
    pif->igmp_snooping_status = PIF_IGMP_STATUS_UNKNOWN;
    return pif;
}

struct error *pif_remove(struct txn *t, const struct pif_rec *pif)
{
    const char *metrics = pif->metrics;

    TRY(txn_delete_pif(t, pif->self));
    return txn_find_pif_metrics(t, metrics) ? txn_delete_pif_metrics(t, metrics) : NULL;
}

struct error *pif_check_base(struct txn *t, const struct pif_rec *pif, const char *network)
{
    const struct pif_rec *other = pif_on_network(t, network, pif->host);
    const struct network_rec *n;

    TRY(txn_network(t, network, &n));
    if (!n->managed)
        return err_network_unmanaged(n->self);
    if (!pif->managed)
        return err_pif_unmanaged(pif->self);
    return other ? err_network_already_connected(pif->host, other->self) : NULL;
}

struct error *pif_check_vifs(struct txn *t, const struct pif_rec *pif)
{
    const struct network_rec *network;

    TRY(txn_network(t, pif->network, &network));
    const struct set_ref *vifs = &txn_inv_network(t, network)->VIFs;

    for (size_t i = 0; i < vifs->n; i++) {
        const struct vif_rec *vif = txn_find_vif(t, vifs->v[i]);

        if (vif && vif->currently_attached)
            return err_vif_in_use(network->self, vif->self);
    }
    return NULL;
}

struct error *pif_check_unused(struct txn *t, const struct pif_rec *pif)
{
    if (pif->management)
        return err_pif_is_management_interface(pif->self);
    if (txn_inv_pif(t, pif)->tunnel_transport_PIF_of.n)
        return err_pif_tunnel_still_exists(pif->self);
    return pif->currently_attached ? pif_check_vifs(t, pif) : NULL;
}
