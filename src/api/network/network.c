/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks are rows; their bridges come up on a host when something is plugged into them. */
#include "api/network/network.h"

#include "api/common/lists.h"
#include "gen/class/PIF_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/network.h"
#include "rpc/call.h"

/* Longest name of a Linux interface. */
#define BRIDGE_NAME_MAX 15
#define DEFAULT_MTU     1500
#define MTU_MAX         65535

static const struct network_rec *find_bridge(struct txn *t, const char *bridge)
{
    const struct network_rec *const *all;
    size_t n = txn_all_network(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->bridge, bridge))
            return all[i];
    return NULL;
}

/* Names the host makes itself. */
static bool is_reserved(const char *bridge)
{
    static const char *const prefixes[] = {"xen", "xapi", "vif", "tap", "eth"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(bridge, prefixes[i]))
            return true;
    return false;
}

static bool has_odd_character(const char *name)
{
    for (; *name; name++)
        if (*name == '/' || *name <= ' ' || *name > '~')
            return true;
    return false;
}

const char *network_free_bridge(struct txn *t)
{
    for (int i = 0;; i++) {
        const char *name = arena_printf(txn_arena(t), "xapi%d", i);

        if (!find_bridge(t, name))
            return name;
    }
}

static struct error *choose_bridge(struct call *c, const char *wanted, const char **ret)
{
    if (!*wanted) {
        *ret = network_free_bridge(c->txn);
        return NULL;
    }
    if (strlen(wanted) > BRIDGE_NAME_MAX || is_reserved(wanted) || has_odd_character(wanted))
        return err_invalid_value("bridge", wanted);
    if (find_bridge(c->txn, wanted))
        return err_bridge_name_exists(wanted);
    *ret = wanted;
    return NULL;
}

struct error *api_network_create(struct call *c, const struct network_create_args *a,
                                 const char **ret)
{
    const struct network_ctor *in = &a->args;
    struct network_rec *n;
    const char *bridge;

    if (in->MTU > MTU_MAX)
        return err_invalid_value("MTU", arena_printf(c->arena, "%lld", (long long)in->MTU));
    TRY(choose_bridge(c, in->bridge, &bridge));
    n = txn_new_network(c->txn);
    n->name_label = in->name_label;
    n->name_description = in->name_description;
    n->MTU = in->MTU > 0 ? in->MTU : DEFAULT_MTU;
    n->other_config = in->other_config;
    n->bridge = bridge;
    n->managed = in->managed;
    n->tags = in->tags;
    n->default_locking_mode = NETWORK_DEFAULT_LOCKING_MODE_UNLOCKED;
    *ret = n->self;
    return NULL;
}

/* A host that joins tells its networks. */
struct error *api_network_pool_introduce(struct call *c,
                                         const struct network_pool_introduce_args *a,
                                         const char **ret)
{
    if (find_bridge(c->txn, a->bridge))
        return err_bridge_name_exists(a->bridge);
    struct network_rec *n = txn_new_network(c->txn);

    n->name_label = a->name_label;
    n->name_description = a->name_description;
    n->MTU = a->MTU > 0 ? a->MTU : DEFAULT_MTU;
    n->other_config = a->other_config;
    n->bridge = a->bridge;
    n->managed = a->managed;
    n->purpose = a->purpose;
    n->default_locking_mode = NETWORK_DEFAULT_LOCKING_MODE_UNLOCKED;
    *ret = n->self;
    return NULL;
}

static struct error *check_unused(struct call *c, const struct network_rec *n)
{
    const struct network_inv *inv = txn_inv_network(c->txn, n);
    struct set_ref plugged = {0};

    if (map_is_true(&n->other_config, "is_host_internal_management_network"))
        return err_cannot_destroy_system_network(n->self);
    for (size_t i = 0; i < inv->VIFs.n; i++) {
        const struct vif_rec *vif = txn_find_vif(c->txn, inv->VIFs.v[i]);

        if (vif && vif->currently_attached)
            refs_add(c->arena, &plugged, vif->self);
    }
    if (plugged.n)
        return error_api_v(ERR_NETWORK_CONTAINS_VIF, plugged.v, (int)plugged.n);
    if (inv->PIFs.n)
        return error_api_v(ERR_NETWORK_CONTAINS_PIF, inv->PIFs.v, (int)inv->PIFs.n);
    return NULL;
}

/* VIFs that are not plugged go with it. */
struct error *api_network_destroy(struct call *c, const struct network_destroy_args *a)
{
    const struct network_rec *n;

    TRY(txn_network(c->txn, a->self, &n));
    TRY(check_unused(c, n));
    const struct set_ref *vifs = &txn_inv_network(c->txn, n)->VIFs;

    for (size_t i = 0; i < vifs->n; i++)
        TRY(txn_delete_vif(c->txn, vifs->v[i]));
    return txn_delete_network(c->txn, n->self);
}

struct error *api_network_set_default_locking_mode(
    struct call *c, const struct network_set_default_locking_mode_args *a)
{
    const struct network_rec *n;
    struct network_rec *edit;

    TRY(txn_network(c->txn, a->network, &n));
    const struct set_ref *vifs = &txn_inv_network(c->txn, n)->VIFs;

    for (size_t i = 0; i < vifs->n; i++) {
        const struct vif_rec *vif = txn_find_vif(c->txn, vifs->v[i]);

        if (vif && vif->currently_attached && vif->locking_mode == VIF_LOCKING_MODE_NETWORK_DEFAULT)
            return err_vif_in_use(n->self, vif->self);
    }
    TRY(txn_edit_network(c->txn, a->network, &edit));
    edit->default_locking_mode = a->value;
    return NULL;
}
