/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of the host as they are now; a record of them over time is not kept. */
#include "base/str.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/data_source.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

#include <math.h>

struct figures {
    double loadavg, memory_free_kib, memory_total_kib;
};

static const struct {
    const char *name, *doc, *units;
    size_t at;
} known[] = {
    {"loadavg", "Load average of the last minute", "(fraction)", offsetof(struct figures, loadavg)},
    {"memory_free_kib", "Memory that new guests may have", "KiB",
     offsetof(struct figures, memory_free_kib)},
    {"memory_total_kib", "Memory of the host", "KiB", offsetof(struct figures, memory_total_kib)},
};

static struct error *read_figures(struct call *c, const char *ref, struct figures *ret)
{
    const struct host_host_figures_args args = {0};
    struct host_host_figures_result now;
    const struct host_rec *host;
    const struct host_metrics_rec *m;

    TRY(txn_host(c->txn, ref, &host));
    TRY(txn_host_metrics(c->txn, host->metrics, &m));
    TRY(hostd_host_figures(c->daemon->hostd, &args, c->arena, &now));
    *ret = (struct figures){.loadavg = now.load,
                            .memory_free_kib = (double)now.memory_free / 1024,
                            .memory_total_kib = (double)m->memory_total / 1024};
    return NULL;
}

static double value_of(const struct figures *f, size_t i)
{
    return *(const double *)((const char *)f + known[i].at);
}

struct error *api_host_get_data_sources(struct call *c, const struct host_get_data_sources_args *a,
                                        struct set_data_source_rec *ret)
{
    struct data_source_rec *v = arena_array(c->arena, struct data_source_rec, ARRAY_SIZE(known));
    struct figures f;

    TRY(read_figures(c, a->host, &f));
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        v[i] = (struct data_source_rec){.name_label = known[i].name,
                                        .name_description = known[i].doc,
                                        .enabled = true,
                                        .standard = true,
                                        .units = known[i].units,
                                        .max = HUGE_VAL,
                                        .value = value_of(&f, i)};
    *ret = (struct set_data_source_rec){.n = ARRAY_SIZE(known), .v = v};
    return NULL;
}

struct error *api_host_query_data_source(struct call *c,
                                         const struct host_query_data_source_args *a, double *ret)
{
    struct figures f;

    TRY(read_figures(c, a->host, &f));
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (streq(known[i].name, a->data_source)) {
            *ret = value_of(&f, i);
            return NULL;
        }
    return err_invalid_value("data_source", a->data_source);
}

struct error *api_host_get_sm_diagnostics(struct call *c,
                                          const struct host_get_sm_diagnostics_args *a,
                                          const char **ret)
{
    _cleanup_str_ struct str text = STR_INIT;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const struct set_ref *pbds = &txn_inv_host(c->txn, host)->PBDs;

    for (size_t i = 0; i < pbds->n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(c->txn, pbds->v[i]);
        const struct sr_rec *sr = pbd ? txn_find_sr(c->txn, pbd->SR) : NULL;

        if (sr)
            str_printf(&text, "SR %s (%s): %s, %zu disks\n", sr->uuid, sr->type,
                       pbd->currently_attached ? "attached" : "not attached",
                       txn_inv_sr(c->txn, sr)->VDIs.n);
    }
    *ret = arena_strdup(c->arena, str_cstr(&text));
    return NULL;
}
