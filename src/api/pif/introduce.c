/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIF.db_introduce and pool_introduce: a row exactly as told, for hosts that join and for repair.
 */
#include "api/pif/pif.h"
#include "gen/class/PIF_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"

struct error *api_pif_db_introduce(struct call *c, const struct pif_db_introduce_args *a,
                                   const char **ret)
{
    const struct network_rec *network;
    const struct host_rec *host;

    TRY(txn_network(c->txn, a->network, &network));
    TRY(txn_host(c->txn, a->host, &host));
    struct pif_metrics_rec *m = txn_new_pif_metrics(c->txn);
    struct pif_rec *pif = txn_new_pif(c->txn);

    pif->device = a->device;
    pif->network = network->self;
    pif->host = host->self;
    pif->MAC = a->MAC;
    pif->MTU = a->MTU;
    pif->VLAN = a->VLAN;
    pif->metrics = m->self;
    pif->physical = a->physical;
    pif->currently_attached = false;
    pif->ip_configuration_mode = a->ip_configuration_mode;
    pif->IP = a->IP;
    pif->netmask = a->netmask;
    pif->gateway = a->gateway;
    pif->DNS = a->DNS;
    pif->bond_slave_of = a->bond_slave_of;
    pif->VLAN_master_of = a->VLAN_master_of;
    pif->management = a->management;
    pif->other_config = a->other_config;
    pif->disallow_unplug = a->disallow_unplug;
    pif->ipv6_configuration_mode = a->ipv6_configuration_mode;
    pif->IPv6 = a->IPv6;
    pif->ipv6_gateway = a->ipv6_gateway;
    pif->primary_address_type = a->primary_address_type;
    pif->managed = a->managed;
    pif->properties = a->properties;
    pif->igmp_snooping_status = PIF_IGMP_STATUS_UNKNOWN;
    *ret = pif->self;
    return NULL;
}
