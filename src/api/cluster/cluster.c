/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Corosync clusters. The feature is off (restrict_corosync in pool.restrictions), so that none is
 * ever made; what is left are the rules of taking rows apart that came from elsewhere.
 */
#include "gen/msg/Cluster.h"
#include "gen/class/Cluster_host_txn.h"
#include "gen/class/Cluster_txn.h"
#include "gen/class/PIF_txn.h"
#include "gen/msg/Cluster_host.h"
#include "rpc/call.h"

static struct error *check_single(struct call *c, const char *ref, const struct cluster_rec **ret)
{
    TRY(txn_cluster(c->txn, ref, ret));
    size_t n = txn_inv_cluster(c->txn, *ret)->cluster_hosts.n;

    return n <= 1 ? NULL : err_cluster_does_not_have_one_node(arena_printf(c->arena, "%zu", n));
}

/* Its member goes with it. */
struct error *api_cluster_destroy(struct call *c, const struct cluster_destroy_args *a)
{
    const struct cluster_rec *cluster;

    TRY(check_single(c, a->self, &cluster));
    return txn_delete_cluster(c->txn, cluster->self);
}

struct error *api_cluster_pool_destroy(struct call *c, const struct cluster_pool_destroy_args *a)
{
    const struct cluster_rec *cluster;

    TRY(txn_cluster(c->txn, a->self, &cluster));
    return txn_delete_cluster(c->txn, cluster->self);
}

struct error *api_cluster_pool_force_destroy(struct call *c,
                                             const struct cluster_pool_force_destroy_args *a)
{
    const struct cluster_rec *cluster;

    TRY(txn_cluster(c->txn, a->self, &cluster));
    return txn_delete_cluster(c->txn, cluster->self);
}

struct error *api_cluster_get_network(struct call *c, const struct cluster_get_network_args *a,
                                      const char **ret)
{
    const struct cluster_rec *cluster;

    TRY(txn_cluster(c->txn, a->self, &cluster));
    const struct set_ref *hosts = &txn_inv_cluster(c->txn, cluster)->cluster_hosts;
    const struct cluster_host_rec *host =
        hosts->n ? txn_find_cluster_host(c->txn, hosts->v[0]) : NULL;
    const struct pif_rec *pif = host ? txn_find_pif(c->txn, host->PIF) : NULL;

    *ret = pif ? pif->network : REF_NULL;
    return NULL;
}

struct error *api_cluster_pool_resync(struct call *c, const struct cluster_pool_resync_args *a)
{
    const struct cluster_rec *cluster;

    return txn_cluster(c->txn, a->self, &cluster);
}

struct error *api_cluster_cstack_sync(struct call *c, const struct cluster_cstack_sync_args *a)
{
    const struct cluster_rec *cluster;

    return txn_cluster(c->txn, a->self, &cluster);
}

static struct error *leave(struct call *c, const char *ref, bool force)
{
    const struct cluster_host_rec *host;
    const struct cluster_rec *cluster;

    TRY(txn_cluster_host(c->txn, ref, &host));
    TRY(txn_cluster(c->txn, host->cluster, &cluster));
    if (!force && txn_inv_cluster(c->txn, cluster)->cluster_hosts.n == 1)
        return err_cluster_host_is_last(host->self);
    return txn_delete_cluster_host(c->txn, host->self);
}

struct error *api_cluster_host_destroy(struct call *c, const struct cluster_host_destroy_args *a)
{
    return leave(c, a->self, false);
}

struct error *api_cluster_host_force_destroy(struct call *c,
                                             const struct cluster_host_force_destroy_args *a)
{
    return leave(c, a->self, true);
}

struct error *api_cluster_host_forget(struct call *c, const struct cluster_host_forget_args *a)
{
    return leave(c, a->self, true);
}

struct error *api_cluster_host_enable(struct call *c, const struct cluster_host_enable_args *a)
{
    const struct cluster_host_rec *host;

    TRY(txn_cluster_host(c->txn, a->self, &host));
    return err_licence_restriction("Corosync");
}

struct error *api_cluster_host_disable(struct call *c, const struct cluster_host_disable_args *a)
{
    struct cluster_host_rec *host;

    TRY(txn_edit_cluster_host(c->txn, a->self, &host));
    host->enabled = false;
    return NULL;
}
