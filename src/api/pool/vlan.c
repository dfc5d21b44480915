/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VLAN on every host of the pool at once. */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/PIF_txn.h"
#include "gen/class/VLAN_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

static struct error *add_vlan(struct call *c, const char *base, int64_t tag, const char *network,
                              struct set_ref *ret)
{
    const struct vlan_rec *vlan;
    const char *made;

    TRY(vlan_make(c->txn, base, tag, network, &made));
    TRY(txn_vlan(c->txn, made, &vlan));
    refs_add(c->arena, ret, vlan->untagged_PIF);
    return NULL;
}

struct error *api_pool_create_vlan(struct call *c, const struct pool_create_vlan_args *a,
                                   struct set_ref *ret)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(c->txn, &hosts);

    *ret = (struct set_ref){0};
    for (size_t i = 0; i < n; i++) {
        const struct pif_rec *base = pif_find_device(c->txn, hosts[i]->self, a->device);

        if (!base)
            return err_pif_device_not_found();
        TRY(add_vlan(c, base->self, a->VLAN, a->network, ret));
    }
    return NULL;
}

/* Over the interface of each host that is on the network of the one given. */
struct error *api_pool_create_vlan_from_pif(struct call *c,
                                            const struct pool_create_vlan_from_pif_args *a,
                                            struct set_ref *ret)
{
    const struct pif_rec *const *all, *given;
    size_t n = txn_all_pif(c->txn, &all);

    *ret = (struct set_ref){0};
    TRY(txn_pif(c->txn, a->pif, &given));
    for (size_t i = 0; i < n; i++) {
        bool like = streq(all[i]->self, given->self) ||
                    (!streq(all[i]->host, given->host) && streq(all[i]->network, given->network));

        if (like)
            TRY(add_vlan(c, all[i]->self, a->VLAN, a->network, ret));
    }
    return NULL;
}
