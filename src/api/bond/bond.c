/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bonds: several PIFs become one. What hung on the members (VLANs, tunnels, guests' interfaces)
 * moves to the bond, and back to its primary member when it goes. The machine's own network does
 * not follow yet, so that a member that the machine itself uses is refused and the bond stays
 * unplugged.
 */
#include "api/bond/bond.h"
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/Bond_txn.h"
#include "gen/class/PIF_metrics_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VLAN_txn.h"
#include "gen/class/network_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/tunnel_txn.h"
#include "gen/msg/Bond.h"
#include "rpc/call.h"
#include "rules/devices.h"

#define NO_VLAN (-1)

static bool has_ip(const struct pif_rec *pif)
{
    return pif->ip_configuration_mode != IP_CONFIGURATION_MODE_NONE ||
           pif->ipv6_configuration_mode != IPV6_CONFIGURATION_MODE_NONE;
}

static struct error *check_member(struct call *c, const struct pif_rec *pif)
{
    const struct pif_inv *inv = txn_inv_pif(c->txn, pif);
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (!pif->managed)
        return err_pif_unmanaged(pif->self);
    if (!is_null_ref(pif->bond_slave_of) || inv->bond_master_of.n)
        return err_pif_already_bonded(pif->self);
    if (pif->VLAN != NO_VLAN)
        return err_pif_is_vlan(pif->self);
    if (inv->tunnel_access_PIF_of.n)
        return err_is_tunnel_access_pif(pif->self);
    if (inv->sriov_logical_PIF_of.n)
        return err_pif_is_sriov_logical(pif->self);
    if (pif->management && pool->ha_enabled)
        return err_ha_cannot_change_bond_status_of_mgmt_iface();
    return NULL;
}

static bool same_properties(const struct map_string_string *x, const struct map_string_string *y)
{
    for (size_t i = 0; i < x->n; i++) {
        const char *other = map_find(y, x->k[i]);

        if (!other || !streq(other, x->v[i]))
            return false;
    }
    return x->n == y->n;
}

/* The one with the address of the host, else the one with any, else the first. */
static const struct pif_rec *choose_primary(const struct pif_rec *const *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (members[i]->management)
            return members[i];
    for (size_t i = 0; i < n; i++)
        if (has_ip(members[i]))
            return members[i];
    return members[0];
}

static struct error *check_members(struct call *c, const struct set_ref *refs,
                                   const struct pif_rec **members)
{
    size_t with_ip = 0;

    if (!refs->n)
        return err_pif_bond_needs_more_members();
    for (size_t i = 0; i < refs->n; i++) {
        TRY(txn_pif(c->txn, refs->v[i], &members[i]));
        TRY(check_member(c, members[i]));
        if (!streq(members[i]->host, members[0]->host))
            return err_pif_cannot_bond_cross_host();
        if (!same_properties(&members[i]->properties, &members[0]->properties))
            return err_incompatible_pif_properties();
        with_ip += has_ip(members[i]);
    }
    return with_ip > 1 ? err_pif_bond_more_than_one_ip() : NULL;
}

static struct error *check_idle(struct txn *t, const struct pif_rec *pif)
{
    if (pif->management || has_ip(pif))
        return err_pif_configuration_error(
            pif->self, "the machine's own address cannot be moved to a bond yet");
    return pif_check_vifs(t, pif);
}

static const char *free_device(struct txn *t, const char *host)
{
    for (int i = 0;; i++) {
        const char *name = arena_printf(txn_arena(t), "bond%d", i);

        if (!pif_find_device(t, host, name))
            return name;
    }
}

static struct error *move_vlans(struct txn *t, const struct pif_rec *from, const struct pif_rec *to)
{
    const struct set_ref *vlans = &txn_inv_pif(t, from)->VLAN_slave_of;

    for (size_t i = 0; i < vlans->n; i++) {
        struct vlan_rec *vlan;
        struct pif_rec *untagged;

        TRY(txn_edit_vlan(t, vlans->v[i], &vlan));
        TRY(txn_edit_pif(t, vlan->untagged_PIF, &untagged));
        vlan->tagged_PIF = to->self;
        untagged->device = to->device;
    }
    return NULL;
}

static struct error *move_tunnels(struct txn *t, const struct pif_rec *from,
                                  const struct pif_rec *to)
{
    const struct set_ref *tunnels = &txn_inv_pif(t, from)->tunnel_transport_PIF_of;

    for (size_t i = 0; i < tunnels->n; i++) {
        struct tunnel_rec *tunnel;

        TRY(txn_edit_tunnel(t, tunnels->v[i], &tunnel));
        tunnel->transport_PIF = to->self;
    }
    return NULL;
}

static struct error *move_vifs(struct txn *t, const struct pif_rec *from, const struct pif_rec *to)
{
    const struct network_rec *network;

    TRY(txn_network(t, from->network, &network));
    const struct set_ref *vifs = &txn_inv_network(t, network)->VIFs;

    for (size_t i = 0; i < vifs->n; i++) {
        struct vif_rec *vif;

        TRY(txn_edit_vif(t, vifs->v[i], &vif));
        vif->network = to->network;
    }
    return NULL;
}

static struct error *move_all(struct txn *t, const struct pif_rec *from, const struct pif_rec *to)
{
    TRY(move_vlans(t, from, to));
    TRY(move_tunnels(t, from, to));
    return move_vifs(t, from, to);
}

static struct error *enslave(struct txn *t, struct bond_rec *bond, const struct pif_rec *master,
                             const struct pif_rec *member)
{
    const struct pif_metrics_rec *m = txn_find_pif_metrics(t, member->metrics);
    struct pif_rec *edit;

    TRY(move_all(t, member, master));
    TRY(txn_edit_pif(t, member->self, &edit));
    edit->bond_slave_of = bond->self;
    bond->links_up += m && m->carrier;
    return NULL;
}

struct error *api_bond_create(struct call *c, const struct bond_create_args *a, const char **ret)
{
    const struct pif_rec **members = arena_array(c->arena, const struct pif_rec *, a->members.n);

    if (*a->MAC && !mac_is_valid(a->MAC))
        return err_mac_invalid(a->MAC);
    for (size_t i = 0; i < a->properties.n; i++)
        TRY(bond_check_property((enum bond_mode)a->mode, a->properties.k[i], a->properties.v[i]));
    TRY(check_members(c, &a->members, members));
    const struct pif_rec *primary = choose_primary(members, a->members.n);

    TRY(pif_check_base(c->txn, primary, a->network));
    for (size_t i = 0; i < a->members.n; i++)
        TRY(check_idle(c->txn, members[i]));
    struct pif_rec *master =
        pif_add_made(c->txn, primary, free_device(c->txn, primary->host), a->network, NO_VLAN);
    struct bond_rec *bond = txn_new_bond(c->txn);

    if (*a->MAC)
        master->MAC = a->MAC;
    master->properties = primary->properties;
    bond->master = master->self;
    bond->primary_slave = primary->self;
    bond->mode = a->mode;
    bond->properties = bond_properties(c->arena, (enum bond_mode)a->mode, &a->properties);
    bond->auto_update_mac = !*a->MAC;
    for (size_t i = 0; i < a->members.n; i++)
        TRY(enslave(c->txn, bond, master, members[i]));
    *ret = bond->self;
    return NULL;
}

static struct error *release(struct txn *t, const struct bond_rec *bond)
{
    const struct set_ref *slaves = &txn_inv_bond(t, bond)->slaves;

    for (size_t i = 0; i < slaves->n; i++) {
        struct pif_rec *slave;

        TRY(txn_edit_pif(t, slaves->v[i], &slave));
        slave->bond_slave_of = REF_NULL;
    }
    return NULL;
}

struct error *api_bond_destroy(struct call *c, const struct bond_destroy_args *a)
{
    const struct pif_rec *master, *primary;
    const struct bond_rec *bond;

    TRY(txn_bond(c->txn, a->self, &bond));
    TRY(txn_pif(c->txn, bond->master, &master));
    TRY(txn_pif(c->txn, bond->primary_slave, &primary));
    TRY(check_idle(c->txn, master));
    TRY(move_all(c->txn, master, primary));
    TRY(release(c->txn, bond));
    TRY(txn_delete_bond(c->txn, bond->self));
    return pif_remove(c->txn, master);
}

struct error *api_bond_set_mode(struct call *c, const struct bond_set_mode_args *a)
{
    struct bond_rec *bond;

    TRY(txn_edit_bond(c->txn, a->self, &bond));
    bond->mode = a->value;
    bond->properties = bond_properties(c->arena, (enum bond_mode)a->value, &bond->properties);
    return NULL;
}

struct error *api_bond_set_property(struct call *c, const struct bond_set_property_args *a)
{
    struct bond_rec *bond;

    TRY(txn_edit_bond(c->txn, a->self, &bond));
    TRY(bond_check_property((enum bond_mode)bond->mode, a->name, a->value));
    map_set(c->arena, &bond->properties, a->name, a->value);
    return NULL;
}
