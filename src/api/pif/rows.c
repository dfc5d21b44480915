/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/pif/pif.h"

#include "base/arena.h"
#include "base/world.h"
#include "gen/class/PIF_metrics_txn.h"
#include "gen/class/network_txn.h"
#include "gen/enums.h"

#define NO_VLAN (-1)

const struct pif_rec *pif_find_device(struct txn *t, const char *host, const char *device)
{
    const struct pif_rec *const *all;
    size_t n = txn_all_pif(t, &all);

    for (size_t i = 0; i < n; i++)
        if (all[i]->VLAN == NO_VLAN && streq(all[i]->host, host) && streq(all[i]->device, device))
            return all[i];
    return NULL;
}

static const char *network_of_bridge(struct txn *t, const struct host_interface_rec *found)
{
    const struct network_rec *const *all;
    size_t n = txn_all_network(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->bridge, found->bridge))
            return all[i]->self;
    struct network_rec *made = txn_new_network(t);

    made->name_label =
        arena_printf(txn_arena(t), "Pool-wide network associated with %s", found->device);
    made->bridge = found->bridge;
    made->MTU = found->mtu;
    made->managed = true;
    made->default_locking_mode = NETWORK_DEFAULT_LOCKING_MODE_UNLOCKED;
    return made->self;
}

struct pif_rec *pif_add(struct txn *t, const char *host, const struct host_interface_rec *found,
                        bool management)
{
    struct pif_metrics_rec *m = txn_new_pif_metrics(t);
    struct pif_rec *pif = txn_new_pif(t);

    pif->device = found->device;
    pif->network = network_of_bridge(t, found);
    pif->host = host;
    pif->VLAN = NO_VLAN;
    pif->metrics = m->self;
    pif->physical = found->physical;
    pif->managed = true;
    pif->management = management;
    pif->currently_attached = true;
    pif->ip_configuration_mode =
        management ? IP_CONFIGURATION_MODE_DHCP : IP_CONFIGURATION_MODE_NONE;
    pif->igmp_snooping_status = PIF_IGMP_STATUS_UNKNOWN;
    return pif;
}

struct error *pif_refresh(struct txn *t, struct pif_rec *pif,
                          const struct host_interface_rec *found)
{
    struct pif_metrics_rec *m;

    pif->MAC = found->mac;
    pif->MTU = found->mtu;
    pif->IP = found->ip;
    pif->netmask = found->netmask;
    pif->gateway = found->gateway;
    TRY(txn_edit_pif_metrics(t, pif->metrics, &m));
    m->carrier = found->carrier;
    m->speed = found->speed;
    m->duplex = found->duplex;
    m->vendor_id = found->vendor_id;
    m->device_id = found->device_id;
    m->pci_bus_path = found->pci_bus_path;
    m->last_updated = now_s();
    return NULL;
}
