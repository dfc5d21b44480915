/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Updates and patches of earlier products. None can be introduced (packages of a host are those of
 * its distribution), but rows of them can come from a store of before, and go.
 */
#include "gen/class/host_patch_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_patch_txn.h"
#include "gen/class/pool_update_txn.h"
#include "gen/msg/host_patch.h"
#include "gen/msg/pool_patch.h"
#include "gen/msg/pool_update.h"
#include "rpc/call.h"

struct error *api_pool_update_destroy(struct call *c, const struct pool_update_destroy_args *a)
{
    const struct pool_update_rec *u;

    TRY(txn_pool_update(c->txn, a->self, &u));
    if (txn_inv_pool_update(c->txn, u)->hosts.n)
        return err_update_is_applied();
    return txn_delete_pool_update(c->txn, a->self);
}

/* No file of it lies about. */
struct error *api_pool_update_pool_clean(struct call *c,
                                         const struct pool_update_pool_clean_args *a)
{
    const struct pool_update_rec *u;

    return txn_pool_update(c->txn, a->self, &u);
}

struct error *api_pool_update_detach(struct call *c, const struct pool_update_detach_args *a)
{
    const struct pool_update_rec *u;

    return txn_pool_update(c->txn, a->self, &u);
}

struct error *api_pool_update_resync_host(struct call *c,
                                          const struct pool_update_resync_host_args *a)
{
    const struct host_rec *host;

    return txn_host(c->txn, a->host, &host);
}

struct error *api_pool_patch_destroy(struct call *c, const struct pool_patch_destroy_args *a)
{
    const struct pool_patch_rec *p;

    TRY(txn_pool_patch(c->txn, a->self, &p));
    if (txn_inv_pool_patch(c->txn, p)->host_patches.n)
        return err_patch_is_applied();
    return txn_delete_pool_patch(c->txn, a->self);
}

struct error *api_pool_patch_clean(struct call *c, const struct pool_patch_clean_args *a)
{
    const struct pool_patch_rec *p;

    return txn_pool_patch(c->txn, a->self, &p);
}

struct error *api_pool_patch_pool_clean(struct call *c, const struct pool_patch_pool_clean_args *a)
{
    const struct pool_patch_rec *p;

    return txn_pool_patch(c->txn, a->self, &p);
}

struct error *api_pool_patch_clean_on_host(struct call *c,
                                           const struct pool_patch_clean_on_host_args *a)
{
    const struct pool_patch_rec *p;
    const struct host_rec *host;

    TRY(txn_pool_patch(c->txn, a->self, &p));
    return txn_host(c->txn, a->host, &host);
}

struct error *api_host_patch_destroy(struct call *c, const struct host_patch_destroy_args *a)
{
    return txn_delete_host_patch(c->txn, a->self);
}
