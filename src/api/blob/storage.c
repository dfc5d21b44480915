/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether hosts keep binary objects at all. Turning it off removes those that are there. */
#include "api/blob/blob.h"
#include "api/common/lists.h"
#include "gen/class/host_txn.h"
#include "gen/msg/blob.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

#define OFF "no_local_storage" /* key of host.other_config */

struct error *blob_check_storage(struct call *c)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, c->daemon->host_ref, &host));
    return map_is_true(&host->other_config, OFF) ? error_api(ERR_NO_LOCAL_STORAGE, 0) : NULL;
}

static struct error *turn(struct call *c, const char *ref, bool on)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    if (on)
        map_remove(c->arena, &h->other_config, OFF);
    else
        map_set(c->arena, &h->other_config, OFF, "true");
    return NULL;
}

static struct error *remove_all(struct call *c)
{
    const struct blob_rec *const *all;
    size_t n = txn_all_blob(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        TRY(api_blob_destroy(c, &(struct blob_destroy_args){.self = all[i]->self}));
    return NULL;
}

struct error *api_host_enable_binary_storage(struct call *c,
                                             const struct host_enable_binary_storage_args *a)
{
    return turn(c, a->host, true);
}

struct error *api_host_disable_binary_storage(struct call *c,
                                              const struct host_disable_binary_storage_args *a)
{
    TRY(turn(c, a->host, false));
    return remove_all(c);
}

static struct error *turn_all(struct call *c, bool on)
{
    const struct host_rec *const *all;
    size_t n = txn_all_host(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        TRY(turn(c, all[i]->self, on));
    return on ? NULL : remove_all(c);
}

struct error *api_pool_enable_binary_storage(struct call *c,
                                             const struct pool_enable_binary_storage_args *a)
{
    return turn_all(c, true);
}

struct error *api_pool_disable_binary_storage(struct call *c,
                                              const struct pool_disable_binary_storage_args *a)
{
    return turn_all(c, false);
}
