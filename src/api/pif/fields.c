/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"

struct error *api_pif_set_disallow_unplug(struct call *c,
                                          const struct pif_set_disallow_unplug_args *a)
{
    const struct pool_rec *pool;
    struct pif_rec *pif;

    TRY(txn_edit_pif(c->txn, a->self, &pif));
    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (a->value != pif->disallow_unplug && pool->ha_enabled)
        return err_ha_is_enabled();
    pif->disallow_unplug = a->value;
    return NULL;
}

/* The one property there is: offloading of received packets. */
struct error *api_pif_set_property(struct call *c, const struct pif_set_property_args *a)
{
    struct pif_rec *pif;

    TRY(txn_edit_pif(c->txn, a->self, &pif));
    if (!streq(a->name, "gro") || (!streq(a->value, "on") && !streq(a->value, "off")))
        return err_invalid_value("properties", arena_printf(c->arena, "%s=%s", a->name, a->value));
    if (!pif->physical && !txn_inv_pif(c->txn, pif)->bond_master_of.n)
        return err_cannot_change_pif_properties(pif->self);
    map_set(c->arena, &pif->properties, a->name, a->value);
    return NULL;
}
