/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about a host that is gone or off. The only host of a pool is neither. */
#include "base/world.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

static struct error *check_dead(struct call *c, const struct host_rec *host)
{
    const struct host_metrics_rec *m = txn_find_host_metrics(c->txn, host->metrics);

    return m && m->live ? err_host_is_live(host->self) : NULL;
}

struct error *api_host_destroy(struct call *c, const struct host_destroy_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->self, &host));
    if (streq(host->self, c->daemon->host_ref))
        return err_host_cannot_destroy_self(host->self);
    TRY(check_dead(c, host));
    return txn_delete_host(c->txn, host->self);
}

struct error *api_host_declare_dead(struct call *c, const struct host_declare_dead_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    return check_dead(c, host);
}

struct error *api_host_power_on(struct call *c, const struct host_power_on_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    if (!*host->power_on_mode)
        return err_host_power_on_mode_disabled();
    TRY(check_dead(c, host));
    return err_not_implemented("host.power_on");
}

/* A sign of life of another host; what it says of itself is not asked for. */
struct error *api_host_tickle_heartbeat(struct call *c, const struct host_tickle_heartbeat_args *a,
                                        struct map_string_string *ret)
{
    const struct host_rec *host;
    struct host_metrics_rec *m;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(txn_edit_host_metrics(c->txn, host->metrics, &m));
    m->live = true;
    m->last_updated = now_s();
    *ret = (struct map_string_string){0};
    return NULL;
}
