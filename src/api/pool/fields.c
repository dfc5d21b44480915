/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of pool that are calls of their own. */
#include "api/common/lists.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

/* What the guest agents are told; not to be overwritten by accident. */
struct error *api_pool_add_to_guest_agent_config(
    struct call *c, const struct pool_add_to_guest_agent_config_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    if (map_find(&pool->guest_agent_config, a->key))
        return err_map_duplicate_key("pool", "guest_agent_config", a->self, a->key);
    map_set(c->arena, &pool->guest_agent_config, a->key, a->value);
    return NULL;
}

struct error *api_pool_remove_from_guest_agent_config(
    struct call *c, const struct pool_remove_from_guest_agent_config_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    map_remove(c->arena, &pool->guest_agent_config, a->key);
    return NULL;
}

struct error *api_pool_set_igmp_snooping_enabled(
    struct call *c, const struct pool_set_igmp_snooping_enabled_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    /* Bridges of Linux snoop by themselves; only Open vSwitch is asked to. */
    if (a->value)
        return err_openvswitch_not_active();
    pool->igmp_snooping_enabled = false;
    return NULL;
}

struct error *api_pool_set_update_sync_enabled(struct call *c,
                                               const struct pool_set_update_sync_enabled_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    pool->update_sync_enabled = a->value;
    return NULL;
}

static struct error *check_range(struct call *c, const char *field, int64_t value, int64_t min,
                                 int64_t max)
{
    if (value >= min && value <= max)
        return NULL;
    return err_invalid_value(field, arena_printf(c->arena, "%lld", (long long)value));
}

struct error *api_pool_set_local_auth_max_threads(
    struct call *c, const struct pool_set_local_auth_max_threads_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_range(c, "local_auth_max_threads", a->value, 1, 100));
    pool->local_auth_max_threads = a->value;
    return NULL;
}

struct error *api_pool_set_ext_auth_max_threads(struct call *c,
                                                const struct pool_set_ext_auth_max_threads_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_range(c, "ext_auth_max_threads", a->value, 1, 100));
    pool->ext_auth_max_threads = a->value;
    return NULL;
}
