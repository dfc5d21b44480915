/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who answers for the pool. With one host that is settled. */
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

struct error *api_pool_designate_new_master(struct call *c,
                                            const struct pool_designate_new_master_args *a)
{
    const struct host_rec *host;

    return txn_host(c->txn, a->host, &host); /* it is already */
}

struct error *api_pool_emergency_transition_to_master(
    struct call *c, const struct pool_emergency_transition_to_master_args *a)
{
    return NULL;
}

struct error *api_pool_recover_slaves(struct call *c, const struct pool_recover_slaves_args *a,
                                      struct set_ref *ret)
{
    *ret = (struct set_ref){0};
    return NULL;
}

struct error *api_pool_hello(struct call *c, const struct pool_hello_args *a, int *ret)
{
    *ret = txn_find_host_uuid(c->txn, a->host_uuid) ? HELLO_RETURN_OK : HELLO_RETURN_UNKNOWN_HOST;
    return NULL;
}

struct error *api_pool_eject(struct call *c, const struct pool_eject_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    return err_operation_not_allowed("the host that answers for the pool cannot leave it");
}

/* Hosts of a pool would know each other by it; one host alone has none. */
struct error *api_pool_rotate_secret(struct call *c, const struct pool_rotate_secret_args *a)
{
    return NULL;
}

struct error *api_pool_disable_redo_log(struct call *c, const struct pool_disable_redo_log_args *a)
{
    return NULL; /* it is never on */
}
