/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about high availability, which is not on: what would happen if hosts failed. */
#include "api/common/lists.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

/* A host that would be left to start VMs on, or NULL. */
static const char *survivor(struct call *c, const struct set_ref *failed)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(c->txn, &hosts);

    for (size_t i = 0; i < n; i++)
        if (hosts[i]->enabled && !refs_have(failed, hosts[i]->self))
            return hosts[i]->self;
    return NULL;
}

struct error *api_pool_ha_compute_vm_failover_plan(
    struct call *c, const struct pool_ha_compute_vm_failover_plan_args *a,
    struct map_ref_map_string_string *ret)
{
    const char *host = survivor(c, &a->failed_hosts);
    const char *const there[] = {"host", host, NULL};
    const char *const nowhere[] = {"error_code", ERR_HOST_NOT_ENOUGH_FREE_MEMORY, NULL};
    const char **k = arena_array(c->arena, const char *, a->failed_vms.n);
    struct map_string_string *v = arena_array(c->arena, struct map_string_string, a->failed_vms.n);

    for (size_t i = 0; i < a->failed_vms.n; i++) {
        const struct vm_rec *vm;

        TRY(txn_vm(c->txn, a->failed_vms.v[i], &vm));
        k[i] = vm->self;
        v[i] = map_of(c->arena, host ? there : nowhere);
    }
    *ret = (struct map_ref_map_string_string){.n = a->failed_vms.n, .k = k, .v = v};
    return NULL;
}

/* As without the hypothesis: the only host is where they all run. */
struct error *api_pool_ha_compute_hypothetical_max_host_failures_to_tolerate(
    struct call *c, const struct pool_ha_compute_hypothetical_max_host_failures_to_tolerate_args *a,
    int64_t *ret)
{
    for (size_t i = 0; i < a->configuration.n; i++) {
        const struct vm_rec *vm;

        TRY(txn_vm(c->txn, a->configuration.k[i], &vm));
    }
    *ret = 0;
    return NULL;
}

struct error *api_pool_set_ha_host_failures_to_tolerate(
    struct call *c, const struct pool_set_ha_host_failures_to_tolerate_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    if (a->value < 0)
        return err_invalid_value("ha_host_failures_to_tolerate",
                                 arena_printf(c->arena, "%lld", (long long)a->value));
    pool->ha_host_failures_to_tolerate = a->value;
    return NULL;
}

struct error *api_pool_ha_schedule_plan_recomputation(
    struct call *c, const struct pool_ha_schedule_plan_recomputation_args *a)
{
    return NULL; /* there is no plan */
}
