/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data sources of a running VM. */
#include "api/common/figures.h"
#include "api/common/host_error.h"
#include "gen/class/VM_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define NS_PER_S 1e9

static const struct host_domain_figures_rec *find(const struct host_vm_figures_result *r,
                                                  const char *uuid)
{
    for (size_t i = 0; i < r->domains.n; i++)
        if (streq(r->domains.v[i].uuid, uuid))
            return &r->domains.v[i];
    return NULL;
}

static void add_devices(struct arena *a, const struct host_domain_figures_rec *f,
                        struct set_data_source_rec *ret)
{
    for (size_t i = 0; i < f->disks.n; i++) {
        const struct host_disk_figures_rec *d = &f->disks.v[i];
        int n = (int)d->device;

        figures_add(a, ret, arena_printf(a, "vbd_%d_read_total", n), "Read since it was attached",
                    "B", 0, (double)d->read_bytes);
        figures_add(a, ret, arena_printf(a, "vbd_%d_write_total", n),
                    "Written since it was attached", "B", 0, (double)d->write_bytes);
    }
    for (size_t i = 0; i < f->nics.n; i++) {
        const struct host_nic_figures_rec *nic = &f->nics.v[i];
        int n = (int)nic->device;

        figures_add(a, ret, arena_printf(a, "vif_%d_rx_total", n), "Received since it was attached",
                    "B", 0, (double)nic->rx_bytes);
        figures_add(a, ret, arena_printf(a, "vif_%d_tx_total", n), "Sent since it was attached",
                    "B", 0, (double)nic->tx_bytes);
    }
}

static struct error *read_all(struct call *c, const char *ref, struct set_data_source_rec *ret)
{
    const struct host_vm_figures_args args = {0};
    struct host_vm_figures_result r;
    const struct vm_rec *vm;

    *ret = (struct set_data_source_rec){0};
    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_DATA_SOURCE_OP));
    TRY(from_host(c->daemon->store, hostd_vm_figures(c->daemon->hostd, &args, c->arena, &r)));
    const struct host_domain_figures_rec *f = find(&r, vm->uuid);

    if (!f)
        return NULL;
    figures_add(c->arena, ret, "memory", "Memory the guest has", "B", (double)vm->memory_static_max,
                (double)f->memory_actual);
    figures_add(c->arena, ret, "memory_target", "Memory the guest is to have", "B",
                (double)vm->memory_static_max, (double)vm->memory_target);
    if (f->memory_free >= 0)
        figures_add(c->arena, ret, "memory_internal_free", "Memory the guest says is free", "B",
                    (double)vm->memory_static_max, (double)f->memory_free);
    figures_add(c->arena, ret, "cpu_seconds_total", "Time on processors in this run", "s", 0,
                (double)f->cpu_ns / NS_PER_S);
    add_devices(c->arena, f, ret);
    return NULL;
}

struct error *api_vm_get_data_sources(struct call *c, const struct vm_get_data_sources_args *a,
                                      struct set_data_source_rec *ret)
{
    return read_all(c, a->self, ret);
}

struct error *api_vm_query_data_source(struct call *c, const struct vm_query_data_source_args *a,
                                       double *ret)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->self, &all));
    return figures_find(&all, a->data_source, ret);
}

struct error *api_vm_record_data_source(struct call *c, const struct vm_record_data_source_args *a)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->self, &all));
    return figures_find(&all, a->data_source, NULL);
}

struct error *api_vm_forget_data_source_archives(
    struct call *c, const struct vm_forget_data_source_archives_args *a)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->self, &all));
    return figures_find(&all, a->data_source, NULL);
}
