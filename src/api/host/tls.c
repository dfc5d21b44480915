/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a host does about TLS when the pool's way fails, and whether it answers without TLS. */
#include "api/message/post.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

static struct error *edit_in_verifying_pool(struct call *c, struct host_rec **ret)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (!pool->tls_verification_enabled)
        return err_tls_verification_not_enabled_in_pool();
    return txn_edit_host(c->txn, c->daemon->host_ref, ret);
}

struct error *api_host_emergency_disable_tls_verification(
    struct call *c, const struct host_emergency_disable_tls_verification_args *a)
{
    struct host_rec *h;

    TRY(edit_in_verifying_pool(c, &h));
    if (!h->tls_verification_enabled)
        return NULL;
    h->tls_verification_enabled = false;
    const struct message_text text = {.name = "TLS_VERIFICATION_EMERGENCY_DISABLED",
                                      .priority = 3,
                                      .cls = CLS_HOST,
                                      .uuid = h->uuid,
                                      .body = ""};

    return message_post(c->txn, &text, NULL);
}

struct error *api_host_emergency_reenable_tls_verification(
    struct call *c, const struct host_emergency_reenable_tls_verification_args *a)
{
    struct host_rec *h;

    TRY(edit_in_verifying_pool(c, &h));
    h->tls_verification_enabled = true;
    return NULL;
}

/* Whoever asks without TLS reads the row (rpc/dispatch.c, api/http/transfer.c). */
struct error *api_host_set_https_only(struct call *c, const struct host_set_https_only_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    h->https_only = a->value;
    return NULL;
}

struct error *api_pool_set_https_only(struct call *c, const struct pool_set_https_only_args *a)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(c->txn, &hosts);
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    for (size_t i = 0; i < n; i++) {
        struct host_rec *h;

        TRY(txn_edit_host(c->txn, hosts[i]->self, &h));
        h->https_only = a->value;
    }
    return NULL;
}
