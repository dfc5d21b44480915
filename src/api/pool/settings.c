/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of the pool that are calls of their own: directory cache, usage reports, TLS. */
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/secret_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"
#include "value/number.h"

#define DAY_S 86400
/* Source: XenAPI servers plan at most three months ahead. */
#define TELEMETRY_AHEAD_S (90ll * DAY_S)

static struct error *check_positive(struct call *c, const char *field, int64_t value)
{
    if (value > 0)
        return NULL;
    return err_invalid_value(field, arena_printf(c->arena, "%lld", (long long)value));
}

struct error *api_pool_set_ext_auth_cache_enabled(
    struct call *c, const struct pool_set_ext_auth_cache_enabled_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    pool->ext_auth_cache_enabled = a->value;
    return NULL;
}

struct error *api_pool_set_ext_auth_cache_size(struct call *c,
                                               const struct pool_set_ext_auth_cache_size_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_positive(c, "size", a->value));
    pool->ext_auth_cache_size = a->value;
    return NULL;
}

struct error *api_pool_set_ext_auth_cache_expiry(
    struct call *c, const struct pool_set_ext_auth_cache_expiry_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_positive(c, "expiry", a->value));
    pool->ext_auth_cache_expiry = a->value;
    return NULL;
}

struct error *api_pool_set_telemetry_next_collection(
    struct call *c, const struct pool_set_telemetry_next_collection_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    if (a->value > now_s() + TELEMETRY_AHEAD_S)
        return err_telemetry_next_collection_too_late(
            arena_printf(c->arena, "%lld", (long long)a->value));
    pool->telemetry_next_collection = a->value;
    return NULL;
}

/* The name under which usage would be reported: nobody can tell it from the pool's own. */
struct error *api_pool_reset_telemetry_uuid(struct call *c,
                                            const struct pool_reset_telemetry_uuid_args *a)
{
    struct secret_rec *secret;
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    if (txn_find_secret(c->txn, pool->telemetry_uuid))
        TRY(txn_delete_secret(c->txn, pool->telemetry_uuid));
    secret = txn_new_secret(c->txn);
    secret->value = arena_strdup(c->arena, uuid_random().s);
    pool->telemetry_uuid = secret->self;
    return NULL;
}

/* For good: no call takes it back. */
struct error *api_pool_enable_tls_verification(struct call *c,
                                               const struct pool_enable_tls_verification_args *a)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(c->txn, &hosts);
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, c->daemon->pool_ref, &pool));
    pool->tls_verification_enabled = true;
    for (size_t i = 0; i < n; i++) {
        struct host_rec *h;

        TRY(txn_edit_host(c->txn, hosts[i]->self, &h));
        h->tls_verification_enabled = true;
    }
    return NULL;
}

struct error *api_pool_disable_ssl_legacy(struct call *c,
                                          const struct pool_disable_ssl_legacy_args *a)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(c->txn, &hosts);
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    for (size_t i = 0; i < n; i++) {
        struct host_rec *h;

        TRY(txn_edit_host(c->txn, hosts[i]->self, &h));
        h->ssl_legacy = false;
    }
    return NULL;
}

struct error *api_pool_disable_client_certificate_auth(
    struct call *c, const struct pool_disable_client_certificate_auth_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    pool->client_certificate_auth_enabled = false;
    pool->client_certificate_auth_name = "";
    return NULL;
}

/* What guests would find in their firmware; without certificates nothing can be checked. */
struct error *api_pool_get_guest_secureboot_readiness(
    struct call *c, const struct pool_get_guest_secureboot_readiness_args *a, int *ret)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    *ret = *pool->uefi_certificates ? POOL_GUEST_SECUREBOOT_READINESS_READY
                                    : POOL_GUEST_SECUREBOOT_READINESS_NOT_READY;
    return NULL;
}
