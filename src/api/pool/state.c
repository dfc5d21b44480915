/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small questions about the pool, and calls that have nothing to do in a pool of one host. */
#include "api/common/lists.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

/* Every commit is durable before it is answered: there is nothing to flush. */
struct error *api_pool_sync_database(struct call *c, const struct pool_sync_database_args *a)
{
    return NULL;
}

struct error *api_pool_get_license_state(struct call *c,
                                         const struct pool_get_license_state_args *a,
                                         struct map_string_string *ret)
{
    const struct pool_rec *pool;
    const struct host_rec *host;

    TRY(txn_pool(c->txn, a->self, &pool));
    TRY(txn_host(c->txn, pool->master, &host));
    const char *const pairs[] = {"edition", host->edition, "expiry", "never", NULL};

    *ret = map_of(c->arena, pairs);
    return NULL;
}

/* Every feature is there under any name. */
struct error *api_pool_apply_edition(struct call *c, const struct pool_apply_edition_args *a)
{
    const struct host_rec *const *hosts;
    const struct pool_rec *pool;
    size_t n = txn_all_host(c->txn, &hosts);

    TRY(txn_pool(c->txn, a->self, &pool));
    for (size_t i = 0; i < n; i++) {
        struct host_rec *h;

        TRY(txn_edit_host(c->txn, hosts[i]->self, &h));
        h->edition = a->edition;
    }
    return NULL;
}

struct error *api_pool_is_slave(struct call *c, const struct pool_is_slave_args *a, bool *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    *ret = false; /* every host answers */
    return NULL;
}

struct error *api_pool_check_update_readiness(struct call *c,
                                              const struct pool_check_update_readiness_args *a,
                                              struct set_set_string *ret)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    *ret = (struct set_set_string){0};
    return NULL;
}

/* Without high availability every number of failures but none is too many. */
struct error *api_pool_ha_compute_max_host_failures_to_tolerate(
    struct call *c, const struct pool_ha_compute_max_host_failures_to_tolerate_args *a,
    int64_t *ret)
{
    *ret = 0;
    return NULL;
}

struct error *api_pool_ha_failover_plan_exists(struct call *c,
                                               const struct pool_ha_failover_plan_exists_args *a,
                                               bool *ret)
{
    *ret = a->n <= 0;
    return NULL;
}
