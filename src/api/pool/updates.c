/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which repositories of updates the pool uses, through which proxy, and how often it looks. */
#include "api/common/lists.h"
#include "gen/class/Repository_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/secret_txn.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

#define PROXY_TEXT_MAX 512

/* What was fetched from it is out of date for the pool. */
static struct error *forget_contents(struct txn *t, const char *ref)
{
    struct repository_rec *r;

    TRY(txn_edit_repository(t, ref, &r));
    r->hash = "";
    r->up_to_date = false;
    return NULL;
}

/* Many may be used, but one that brings everything (a bundle, a pool) only alone. */
static struct error *check_together(struct call *c, const struct set_ref *repositories)
{
    for (size_t i = 0; i < repositories->n; i++) {
        const struct repository_rec *r;

        TRY(txn_repository(c->txn, repositories->v[i], &r));
        if (r->origin != ORIGIN_REMOTE && repositories->n > 1)
            return err_repo_should_be_single_one_enabled();
    }
    return NULL;
}

struct error *api_pool_set_repositories(struct call *c, const struct pool_set_repositories_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_together(c, &a->value));
    const struct set_ref before = pool->repositories;
    struct set_ref now = {0};

    for (size_t i = 0; i < a->value.n; i++) {
        if (!refs_have(&now, a->value.v[i]))
            refs_add(c->arena, &now, a->value.v[i]);
        if (!refs_have(&before, a->value.v[i]))
            TRY(forget_contents(c->txn, a->value.v[i]));
    }
    for (size_t i = 0; i < before.n; i++)
        if (!refs_have(&now, before.v[i]) && txn_find_repository(c->txn, before.v[i]))
            TRY(forget_contents(c->txn, before.v[i]));
    pool->repositories = now;
    return NULL;
}

struct error *api_pool_add_repository(struct call *c, const struct pool_add_repository_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    struct set_ref now = pool->repositories;

    if (refs_have(&now, a->value))
        return NULL;
    refs_add(c->arena, &now, a->value);
    TRY(check_together(c, &now));
    TRY(forget_contents(c->txn, a->value));
    pool->repositories = now;
    return NULL;
}

struct error *api_pool_remove_repository(struct call *c,
                                         const struct pool_remove_repository_args *a)
{
    const struct repository_rec *r;
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(txn_repository(c->txn, a->value, &r));
    if (!refs_have(&pool->repositories, a->value))
        return NULL;
    TRY(forget_contents(c->txn, a->value));
    refs_remove(c->arena, &pool->repositories, a->value);
    return NULL;
}

/* ---- the proxy */

static bool is_proxy_url(const char *url)
{
    const char *rest = str_starts(url, "http://")    ? url + 7
                       : str_starts(url, "https://") ? url + 8
                                                     : "";
    const char *colon = strrchr(rest, ':');

    if (!colon || colon == rest || strlen(url) > PROXY_TEXT_MAX)
        return false;
    size_t digits = strspn(colon + 1, "0123456789");

    return digits > 0 && digits < 6 && !colon[1 + digits] && !strpbrk(rest, "/@ \t\n\"'\\");
}

static struct error *check_proxy(const struct pool_configure_repository_proxy_args *a)
{
    if (!is_proxy_url(a->url))
        return err_invalid_repository_proxy_url(a->url);
    /* Both or none; and nothing that would end a line of a settings file. */
    if (!*a->username != !*a->password || strpbrk(a->username, "\n\r") ||
        strpbrk(a->password, "\n\r") || strlen(a->username) > PROXY_TEXT_MAX ||
        strlen(a->password) > PROXY_TEXT_MAX)
        return err_invalid_repository_proxy_credential();
    return NULL;
}

static struct error *drop_proxy(struct call *c, struct pool_rec *pool)
{
    if (txn_find_secret(c->txn, pool->repository_proxy_password))
        TRY(txn_delete_secret(c->txn, pool->repository_proxy_password));
    pool->repository_proxy_url = "";
    pool->repository_proxy_username = "";
    pool->repository_proxy_password = REF_NULL;
    return NULL;
}

struct error *api_pool_configure_repository_proxy(
    struct call *c, const struct pool_configure_repository_proxy_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    TRY(check_proxy(a));
    TRY(drop_proxy(c, pool));
    pool->repository_proxy_url = a->url;
    pool->repository_proxy_username = a->username;
    if (*a->password) {
        struct secret_rec *secret = txn_new_secret(c->txn);

        secret->value = a->password;
        pool->repository_proxy_password = secret->self;
    }
    return NULL;
}

struct error *api_pool_disable_repository_proxy(struct call *c,
                                                const struct pool_disable_repository_proxy_args *a)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    return drop_proxy(c, pool);
}

struct error *api_pool_configure_update_sync(struct call *c,
                                             const struct pool_configure_update_sync_args *a)
{
    bool weekly = a->update_sync_frequency == UPDATE_SYNC_FREQUENCY_WEEKLY;
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, a->self, &pool));
    if (weekly && (a->update_sync_day < 0 || a->update_sync_day > 6))
        return err_invalid_update_sync_day(
            arena_printf(c->arena, "%lld", (long long)a->update_sync_day));
    pool->update_sync_frequency = a->update_sync_frequency;
    pool->update_sync_day = weekly ? a->update_sync_day : 0; /* every day: none is the day */
    return NULL;
}
