/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIF.scan, introduce, forget: which interfaces of the host the product uses. */
#include "api/pif/pif.h"
#include "gen/class/host_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"
#include "rules/devices.h"

#include <strings.h>

static struct error *ask_interfaces(struct call *c, const char *host_ref,
                                    struct host_host_facts_result *ret)
{
    const struct host_host_facts_args args = {0};
    const struct host_rec *host;

    TRY(txn_host(c->txn, host_ref, &host));
    return hostd_host_facts(c->daemon->hostd, &args, c->arena, ret);
}

struct error *api_pif_scan(struct call *c, const struct pif_scan_args *a)
{
    struct host_host_facts_result facts;

    TRY(ask_interfaces(c, a->host, &facts));
    for (size_t i = 0; i < facts.interfaces.n; i++) {
        const struct host_interface_rec *f = &facts.interfaces.v[i];
        const struct pif_rec *old = pif_find_device(c->txn, a->host, f->device);
        struct pif_rec *pif;

        if (!old && !f->physical)
            continue;
        if (old)
            TRY(txn_edit_pif(c->txn, old->self, &pif));
        else
            pif = pif_add(c->txn, a->host, f, false);
        TRY(pif_refresh(c->txn, pif, f));
    }
    return NULL;
}

static const struct host_interface_rec *find_interface(const struct host_host_facts_result *facts,
                                                       const struct pif_introduce_args *a)
{
    for (size_t i = 0; i < facts->interfaces.n; i++) {
        const struct host_interface_rec *f = &facts->interfaces.v[i];

        if (streq(f->device, a->device) && (!*a->MAC || strcasecmp(f->mac, a->MAC) == 0))
            return f;
    }
    return NULL;
}

struct error *api_pif_introduce(struct call *c, const struct pif_introduce_args *a,
                                const char **ret)
{
    struct host_host_facts_result facts;

    if (*a->MAC && !mac_is_valid(a->MAC))
        return err_mac_invalid(a->MAC);
    TRY(ask_interfaces(c, a->host, &facts));
    if (pif_find_device(c->txn, a->host, a->device))
        return err_duplicate_pif_device_name(a->device);
    const struct host_interface_rec *f = find_interface(&facts, a);

    if (!f)
        return err_could_not_find_network_interface_with_specified_device_name_and_mac_address(
            a->device, a->MAC);
    struct pif_rec *pif = pif_add(c->txn, a->host, f, false);

    pif->managed = a->managed;
    *ret = pif->self;
    return pif_refresh(c->txn, pif, f);
}

static struct error *check_forget(struct txn *t, const struct pif_rec *pif)
{
    const struct pif_inv *inv = txn_inv_pif(t, pif);

    if (pif->management)
        return err_pif_is_management_interface(pif->self);
    if (inv->bond_master_of.n || !streq(pif->bond_slave_of, REF_NULL))
        return err_pif_already_bonded(pif->self);
    if (inv->VLAN_slave_of.n)
        return err_pif_vlan_still_exists(pif->self);
    if (inv->tunnel_transport_PIF_of.n || inv->tunnel_access_PIF_of.n)
        return err_pif_tunnel_still_exists(pif->self);
    if (inv->sriov_physical_PIF_of.n)
        return err_pif_sriov_still_exists(pif->self);
    return NULL;
}

struct error *api_pif_forget(struct call *c, const struct pif_forget_args *a)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->self, &pif));
    TRY(check_forget(c->txn, pif));
    return pif_remove(c->txn, pif);
}

struct error *api_pif_db_forget(struct call *c, const struct pif_db_forget_args *a)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->self, &pif));
    return pif_remove(c->txn, pif);
}
