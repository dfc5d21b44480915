/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the host that new guests may have. */
#include "api/vm/boot_checks.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

/* Promised to guests that are just being started here and have not taken it yet. */
static int64_t scheduled(struct txn *t, const char *host)
{
    const struct vm_rec *const *all;
    size_t n = txn_all_vm(t, &all);
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->scheduled_to_be_resident_on, host))
            sum += all[i]->memory_dynamic_min + all[i]->memory_overhead;
    return sum;
}

struct error *api_host_compute_free_memory(struct call *c,
                                           const struct host_compute_free_memory_args *a,
                                           int64_t *ret)
{
    const struct host_host_figures_args args = {0};
    struct host_host_figures_result figures;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(hostd_host_figures(c->daemon->hostd, &args, c->arena, &figures));
    int64_t left = figures.memory_free - scheduled(c->txn, host->self);

    *ret = left > 0 ? left : 0;
    return NULL;
}

struct error *api_host_compute_memory_overhead(struct call *c,
                                               const struct host_compute_memory_overhead_args *a,
                                               int64_t *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    *ret = host->memory_overhead;
    return NULL;
}

/* Promises the room, until the VM has come or gone. */
struct error *api_host_allocate_resources_for_vm(
    struct call *c, const struct host_allocate_resources_for_vm_args *a)
{
    const struct host_rec *host;
    struct vm_rec *vm;

    TRY(txn_host(c->txn, a->self, &host));
    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    if (!streq(vm->resident_on, host->self))
        TRY(vm_boot_checks(c->daemon, c->txn, vm));
    vm->scheduled_to_be_resident_on = host->self;
    return NULL;
}
