/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of host that are calls of their own and only write the row. */
#include "api/common/lists.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

struct error *api_host_set_power_on_mode(struct call *c,
                                         const struct host_set_power_on_mode_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    h->power_on_mode = a->power_on_mode;
    h->power_on_config = a->power_on_config;
    return NULL;
}

struct error *api_host_set_iscsi_iqn(struct call *c, const struct host_set_iscsi_iqn_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    h->iscsi_iqn = a->value;
    return NULL;
}

struct error *api_host_set_multipathing(struct call *c, const struct host_set_multipathing_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    h->multipathing = a->value;
    return NULL;
}

/* Any name is accepted: every feature is there under all of them. */
struct error *api_host_apply_edition(struct call *c, const struct host_apply_edition_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    h->edition = a->edition;
    return NULL;
}

struct error *api_host_set_numa_affinity_policy(struct call *c,
                                                const struct host_set_numa_affinity_policy_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    h->numa_affinity_policy = a->value;
    return NULL;
}
