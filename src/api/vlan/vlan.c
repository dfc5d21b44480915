/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VLANs: a second PIF over the same device, for packets with a tag. */
#include "gen/msg/VLAN.h"
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/VLAN_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"

#define TAG_MAX  4094
#define NO_VLAN  (-1)
#define VLAN_MAC "fe:ff:ff:ff:ff:ff" /* none of its own */

static struct error *check_tag(struct txn *t, const struct pif_rec *base, int64_t tag)
{
    const struct set_ref *vlans = &txn_inv_pif(t, base)->VLAN_slave_of;

    for (size_t i = 0; i < vlans->n; i++) {
        const struct vlan_rec *v = txn_find_vlan(t, vlans->v[i]);

        if (v && v->tag == tag)
            return err_pif_vlan_exists(base->device);
    }
    return NULL;
}

static struct error *check_base(struct txn *t, const struct pif_rec *base, int64_t tag)
{
    const struct pif_inv *inv = txn_inv_pif(t, base);

    if (tag < 0 || tag > TAG_MAX)
        return err_vlan_tag_invalid(arena_printf(txn_arena(t), "%lld", (long long)tag));
    if (!is_null_ref(base->bond_slave_of))
        return err_cannot_add_vlan_to_bond_slave(base->self);
    if (base->VLAN != NO_VLAN)
        return err_pif_is_vlan(base->self);
    if (inv->tunnel_access_PIF_of.n)
        return err_is_tunnel_access_pif(base->self);
    return check_tag(t, base, tag);
}

struct error *vlan_make(struct txn *t, const char *base_ref, int64_t tag, const char *network,
                        const char **ret_vlan)
{
    const struct pif_rec *base;

    TRY(txn_pif(t, base_ref, &base));
    TRY(check_base(t, base, tag));
    TRY(pif_check_base(t, base, network));
    struct pif_rec *untagged = pif_add_made(t, base, base->device, network, tag);
    struct vlan_rec *vlan = txn_new_vlan(t);

    untagged->MAC = VLAN_MAC;
    untagged->VLAN_master_of = vlan->self;
    vlan->tagged_PIF = base->self;
    vlan->untagged_PIF = untagged->self;
    vlan->tag = tag;
    *ret_vlan = vlan->self;
    return NULL;
}

/* The VLAN's row goes with its PIF. */
struct error *vlan_unmake(struct txn *t, const char *ref)
{
    const struct pif_rec *pif;

    TRY(txn_pif(t, ref, &pif));
    TRY(pif_check_unused(t, pif));
    return pif_remove(t, pif);
}

struct error *api_vlan_create(struct call *c, const struct vlan_create_args *a, const char **ret)
{
    return vlan_make(c->txn, a->tagged_PIF, a->tag, a->network, ret);
}

struct error *api_vlan_destroy(struct call *c, const struct vlan_destroy_args *a)
{
    const struct vlan_rec *vlan;

    TRY(txn_vlan(c->txn, a->self, &vlan));
    return vlan_unmake(c->txn, vlan->untagged_PIF);
}

/* A host that joins tells its VLANs: both PIFs are there already. */
struct error *api_vlan_pool_introduce(struct call *c, const struct vlan_pool_introduce_args *a,
                                      const char **ret)
{
    const struct pif_rec *tagged;
    struct pif_rec *untagged;

    TRY(txn_pif(c->txn, a->tagged_PIF, &tagged));
    TRY(txn_edit_pif(c->txn, a->untagged_PIF, &untagged));
    struct vlan_rec *vlan = txn_new_vlan(c->txn);

    vlan->tagged_PIF = tagged->self;
    vlan->untagged_PIF = untagged->self;
    vlan->tag = a->tag;
    vlan->other_config = a->other_config;
    untagged->VLAN_master_of = vlan->self;
    *ret = vlan->self;
    return NULL;
}

struct error *api_pif_create_vlan(struct call *c, const struct pif_create_vlan_args *a,
                                  const char **ret)
{
    const struct pif_rec *base = pif_find_device(c->txn, a->host, a->device);
    const struct host_rec *host;
    const struct vlan_rec *vlan;
    const char *made;

    TRY(txn_host(c->txn, a->host, &host));
    if (!base)
        return err_pif_device_not_found();
    TRY(vlan_make(c->txn, base->self, a->VLAN, a->network, &made));
    TRY(txn_vlan(c->txn, made, &vlan));
    *ret = vlan->untagged_PIF;
    return NULL;
}

/* The old way to remove a VLAN. */
struct error *api_pif_destroy(struct call *c, const struct pif_destroy_args *a)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->self, &pif));
    if (pif->VLAN == NO_VLAN)
        return err_pif_is_physical(pif->self);
    return vlan_unmake(c->txn, pif->self);
}
