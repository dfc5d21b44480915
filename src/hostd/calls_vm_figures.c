/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters of all domains in one answer. */
#include "base/world.h"
#include "hostd/machine.h"
#include "hv/hv.h"
#include "proto/server.h"

static struct host_disk_figures_rec *disks_of(struct arena *a, const struct hv_stats *st)
{
    struct host_disk_figures_rec *all = arena_array(a, struct host_disk_figures_rec, st->n_disks);

    for (size_t i = 0; i < st->n_disks; i++) {
        const struct hv_disk_stats *d = &st->disks[i];

        all[i] = (struct host_disk_figures_rec){.device = d->device,
                                                .read_bytes = d->read_bytes,
                                                .write_bytes = d->write_bytes,
                                                .read_ops = d->read_ops,
                                                .write_ops = d->write_ops};
    }
    return all;
}

static struct host_nic_figures_rec *nics_of(struct arena *a, const struct hv_stats *st)
{
    struct host_nic_figures_rec *all = arena_array(a, struct host_nic_figures_rec, st->n_nics);

    for (size_t i = 0; i < st->n_nics; i++)
        all[i] = (struct host_nic_figures_rec){.device = st->nics[i].device,
                                               .rx_bytes = st->nics[i].rx_bytes,
                                               .tx_bytes = st->nics[i].tx_bytes};
    return all;
}

static struct host_domain_figures_rec figures_of(struct arena *a, const struct hv_domain *d,
                                                 const struct hv_stats *st)
{
    return (struct host_domain_figures_rec){
        .uuid = d->uuid,
        .domid = d->domid,
        .cpu_ns = st->cpu_ns,
        .vcpu_ns = {.n = st->n_vcpus, .v = st->vcpu_ns},
        .memory_actual = st->memory_actual,
        .memory_free = st->memory_free,
        .disks = {.n = st->n_disks, .v = disks_of(a, st)},
        .nics = {.n = st->n_nics, .v = nics_of(a, st)},
    };
}

struct error *host_vm_figures(struct host_call *c, const struct host_vm_figures_args *a,
                              struct host_vm_figures_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);
    struct hv_domain *all;
    size_t n, done = 0;

    ret->time_us = mono_us();
    TRY(hv_list(m->hv, arena, &all, &n));
    struct host_domain_figures_rec *recs = arena_array(arena, struct host_domain_figures_rec, n);

    for (size_t i = 0; i < n; i++) {
        struct hv_stats st;

        if (all[i].state == HV_STOPPED)
            continue;
        struct error *e = hv_stats(m->hv, all[i].uuid, arena, &st);

        if (e)
            error_free(e); /* it ended just now */
        else
            recs[done++] = figures_of(arena, &all[i], &st);
    }
    ret->domains.n = done;
    ret->domains.v = recs;
    return NULL;
}
