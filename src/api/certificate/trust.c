/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates and revocation lists that the pool trusts. They are kept in rows, so every host has
 * them at once.
 */
#include "api/certificate/certificate.h"
#include "api/common/lists.h"
#include "base/io.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

static struct error *check_host(struct call *c, const char *ref)
{
    const struct host_rec *host;

    return txn_host(c->txn, ref, &host);
}

static const struct certificate_rec *find_named(struct call *c, const char *name)
{
    const struct certificate_rec *const *all;
    size_t n = txn_all_certificate(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (all[i]->type == CERTIFICATE_TYPE_CA && *name && streq(all[i]->name, name))
            return all[i];
    return NULL;
}

/* ---- authorities by name */

static struct error *install(struct call *c, const char *name, const char *pem)
{
    struct pem_look look;

    if (!io_is_file_name(name))
        return err_certificate_name_invalid(name);
    if (find_named(c, name))
        return err_certificate_already_exists(name);
    if (!pem_look(pem, &look))
        return err_ca_certificate_invalid();
    const char *now = certificate_time(c->arena, now_s());

    if (look.not_after < now_s())
        return err_ca_certificate_expired(now, certificate_time(c->arena, look.not_after));
    if (look.not_before > now_s())
        return err_ca_certificate_not_valid_yet(now, certificate_time(c->arena, look.not_before));
    struct certificate_rec *row = txn_new_certificate(c->txn);

    row->name = name;
    row->type = CERTIFICATE_TYPE_CA;
    row->pem = pem;
    certificate_fill(row, c->arena, &look);
    return NULL;
}

static struct error *uninstall(struct call *c, const char *name, bool force)
{
    const struct certificate_rec *row = find_named(c, name);

    if (row)
        return txn_delete_certificate(c->txn, row->self);
    return force ? NULL : err_certificate_does_not_exist(name);
}

static void list(struct call *c, struct set_string *ret)
{
    const struct certificate_rec *const *all;
    size_t n = txn_all_certificate(c->txn, &all);

    *ret = (struct set_string){0};
    for (size_t i = 0; i < n; i++)
        if (all[i]->type == CERTIFICATE_TYPE_CA && *all[i]->name)
            set_add(c->arena, ret, all[i]->name);
}

struct error *api_pool_install_ca_certificate(struct call *c,
                                              const struct pool_install_ca_certificate_args *a)
{
    return install(c, a->name, a->cert);
}

struct error *api_pool_certificate_install(struct call *c,
                                           const struct pool_certificate_install_args *a)
{
    return install(c, a->name, a->cert);
}

struct error *api_host_install_ca_certificate(struct call *c,
                                              const struct host_install_ca_certificate_args *a)
{
    TRY(check_host(c, a->host));
    return install(c, a->name, a->cert);
}

struct error *api_pool_uninstall_ca_certificate(struct call *c,
                                                const struct pool_uninstall_ca_certificate_args *a)
{
    return uninstall(c, a->name, a->force);
}

struct error *api_pool_certificate_uninstall(struct call *c,
                                             const struct pool_certificate_uninstall_args *a)
{
    return uninstall(c, a->name, false);
}

struct error *api_host_uninstall_ca_certificate(struct call *c,
                                                const struct host_uninstall_ca_certificate_args *a)
{
    TRY(check_host(c, a->host));
    return uninstall(c, a->name, a->force);
}

struct error *api_pool_certificate_list(struct call *c, const struct pool_certificate_list_args *a,
                                        struct set_string *ret)
{
    list(c, ret);
    return NULL;
}

struct error *api_host_certificate_list(struct call *c, const struct host_certificate_list_args *a,
                                        struct set_string *ret)
{
    list(c, ret);
    return check_host(c, a->host);
}

/* ---- revocation lists */

static struct error *crl_install(struct call *c, const char *name, const char *pem)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, c->daemon->pool_ref, &pool));
    if (!io_is_file_name(name))
        return err_crl_name_invalid(name);
    if (map_find(&pool->crls, name))
        return err_crl_already_exists(name);
    if (!pem_is_crl(pem))
        return err_crl_corrupt(name);
    map_set(c->arena, &pool->crls, name, pem);
    return NULL;
}

static struct error *crl_uninstall(struct call *c, const char *name)
{
    struct pool_rec *pool;

    TRY(txn_edit_pool(c->txn, c->daemon->pool_ref, &pool));
    if (!map_find(&pool->crls, name))
        return err_crl_does_not_exist(name);
    map_remove(c->arena, &pool->crls, name);
    return NULL;
}

static struct error *crl_list(struct call *c, struct set_string *ret)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    *ret = (struct set_string){.n = pool->crls.n, .v = pool->crls.k};
    return NULL;
}

struct error *api_pool_crl_install(struct call *c, const struct pool_crl_install_args *a)
{
    return crl_install(c, a->name, a->cert);
}

struct error *api_host_crl_install(struct call *c, const struct host_crl_install_args *a)
{
    TRY(check_host(c, a->host));
    return crl_install(c, a->name, a->crl);
}

struct error *api_pool_crl_uninstall(struct call *c, const struct pool_crl_uninstall_args *a)
{
    return crl_uninstall(c, a->name);
}

struct error *api_host_crl_uninstall(struct call *c, const struct host_crl_uninstall_args *a)
{
    TRY(check_host(c, a->host));
    return crl_uninstall(c, a->name);
}

struct error *api_pool_crl_list(struct call *c, const struct pool_crl_list_args *a,
                                struct set_string *ret)
{
    return crl_list(c, ret);
}

struct error *api_host_crl_list(struct call *c, const struct host_crl_list_args *a,
                                struct set_string *ret)
{
    TRY(check_host(c, a->host));
    return crl_list(c, ret);
}

/* ---- certificates by what they are for */

struct error *api_pool_install_trusted_certificate(
    struct call *c, const struct pool_install_trusted_certificate_args *a)
{
    const struct certificate_rec *const *all;
    size_t n = txn_all_certificate(c->txn, &all);
    const struct pool_rec *pool;
    struct pem_look look;

    TRY(txn_pool(c->txn, a->self, &pool));
    if (!pem_look(a->cert, &look))
        return err_trusted_certificate_invalid();
    if (!a->ca && !a->purpose.n)
        return err_certificate_lacks_purpose();
    const char *now = certificate_time(c->arena, now_s());

    if (look.not_after < now_s())
        return err_trusted_certificate_expired(now, certificate_time(c->arena, look.not_after));
    if (look.not_before > now_s())
        return err_trusted_certificate_not_valid_yet(now,
                                                     certificate_time(c->arena, look.not_before));
    int type = a->ca ? CERTIFICATE_TYPE_CA : CERTIFICATE_TYPE_PINNED;

    for (size_t i = 0; i < n; i++)
        if (all[i]->type == type && streq(all[i]->fingerprint_sha256, look.sha256))
            return err_trusted_certificate_already_exists(all[i]->fingerprint_sha256);
    struct certificate_rec *row = txn_new_certificate(c->txn);

    row->type = type;
    row->purpose = a->purpose;
    row->pem = a->cert;
    certificate_fill(row, c->arena, &look);
    return NULL;
}

struct error *api_pool_uninstall_trusted_certificate(
    struct call *c, const struct pool_uninstall_trusted_certificate_args *a)
{
    const struct certificate_rec *row;
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    TRY(txn_certificate(c->txn, a->certificate, &row));
    if (row->type != CERTIFICATE_TYPE_CA && row->type != CERTIFICATE_TYPE_PINNED)
        return err_not_trusted_certificate(row->self);
    return txn_delete_certificate(c->txn, row->self);
}

/* ---- all hosts have the rows */

struct error *api_pool_certificate_sync(struct call *c, const struct pool_certificate_sync_args *a)
{
    return NULL;
}

struct error *api_host_certificate_sync(struct call *c, const struct host_certificate_sync_args *a)
{
    return check_host(c, a->host);
}
