/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/certificate/certificate.h"
#include "api/pci/pci.h"
#include "api/setup/rows.h"
#include "api/setup/setup.h"
#include "api/usb/usb.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"

static struct error *all_rows(struct setup *s)
{
    const struct pool_rec *const *pools;

    s->first = txn_all_pool(s->t, &pools) == 0;
    if (!s->first) {
        s->pool = pools[0]->self;
        s->host = pools[0]->master;
    }
    TRY(setup_roles(s));
    TRY(setup_host(s));
    TRY(certificate_of_host(s->daemon, s->t, s->a, s->host));
    TRY(setup_dom0(s));
    TRY(setup_network(s));
    TRY(pci_refresh(s->t, s->host, s->devices));
    TRY(pusb_refresh(s->t, s->host, s->devices));
    TRY(setup_pool(s));
    TRY(setup_storage(s));
    return s->first ? setup_templates(s) : NULL;
}

void setup_read_only(struct daemon *d)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    const struct pool_rec *const *pools;
    const struct host_rec *const *hosts;
    bool has_pool = txn_all_pool(t, &pools) > 0;
    bool has_host = txn_all_host(t, &hosts) > 0;

    d->pool_ref = xstrdup(has_pool ? pools[0]->self : REF_NULL);
    d->host_ref = xstrdup(has_host ? hosts[0]->self : REF_NULL);
}

void setup_end(struct daemon *d)
{
    free((void *)(uintptr_t)d->host_ref);
    free((void *)(uintptr_t)d->pool_ref);
    free((void *)(uintptr_t)d->boot_id);
    d->host_ref = d->pool_ref = d->boot_id = NULL;
}

struct error *setup_rows(struct daemon *d)
{
    static const struct commit_info info = {.who = "", .task = "", .call = "start"};
    _cleanup_arena_ struct arena a;
    const struct host_host_facts_args facts_args = {0};
    const struct host_host_figures_args figures_args = {0};
    struct host_host_facts_result facts;
    const struct host_host_devices_args devices_args = {0};
    struct host_host_figures_result figures;
    struct host_host_devices_result devices;

    arena_init(&a);
    TRY(hostd_host_facts(d->hostd, &facts_args, &a, &facts));
    TRY(hostd_host_devices(d->hostd, &devices_args, &a, &devices));
    TRY(hostd_host_figures(d->hostd, &figures_args, &a, &figures));
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    struct setup s = {.daemon = d,
                      .t = t,
                      .a = &a,
                      .facts = &facts,
                      .devices = &devices,
                      .memory_free = figures.memory_free};

    TRY(all_rows(&s));
    TRY(txn_commit(t, &info));
    d->host_ref = xstrdup(s.host);
    d->pool_ref = xstrdup(s.pool);
    d->boot_id = xstrdup(facts.boot_id);
    return NULL;
}
