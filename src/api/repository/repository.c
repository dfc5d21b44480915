/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repositories of updates as administrators enter them. Nothing is fetched from them. */
#include "gen/msg/Repository.h"
#include "gen/class/Repository_txn.h"
#include "gen/class/pool_txn.h"
#include "rpc/call.h"

#define URL_MAX 2048

static struct error *check_url(const char *url)
{
    bool web = str_starts(url, "http://") || str_starts(url, "https://");

    if (!web || strlen(url) > URL_MAX || strpbrk(url, " \t\r\n'\"\\"))
        return err_invalid_base_url(url);
    return NULL;
}

/* The name of a file beside the host's other keys, or none. */
static struct error *check_key(const char *name)
{
    if (!*name)
        return NULL;
    if (strchr(name, '/') || strpbrk(name, " \t\r\n'\"\\") || name[0] == '.')
        return err_invalid_gpgkey_path(name);
    return NULL;
}

/* Name and place are each unique. */
static struct error *check_new(struct call *c, const char *name, const char *url)
{
    const struct repository_rec *const *all;
    size_t n = txn_all_repository(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->name_label, name) || (*url && streq(all[i]->binary_url, url)))
            return err_repository_already_exists(all[i]->self);
    return NULL;
}

struct error *api_repository_introduce(struct call *c, const struct repository_introduce_args *a,
                                       const char **ret)
{
    TRY(check_url(a->binary_url));
    if (*a->source_url)
        TRY(check_url(a->source_url));
    TRY(check_key(a->gpgkey_path));
    TRY(check_new(c, a->name_label, a->binary_url));
    struct repository_rec *r = txn_new_repository(c->txn);

    r->name_label = a->name_label;
    r->name_description = a->name_description;
    r->binary_url = a->binary_url;
    r->source_url = a->source_url;
    r->update = a->update;
    r->gpgkey_path = a->gpgkey_path;
    r->origin = ORIGIN_REMOTE;
    *ret = r->self;
    return NULL;
}

/* One at most: what is uploaded replaces what was there. */
struct error *api_repository_introduce_bundle(struct call *c,
                                              const struct repository_introduce_bundle_args *a,
                                              const char **ret)
{
    const struct repository_rec *const *all;
    size_t n = txn_all_repository(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (all[i]->origin == ORIGIN_BUNDLE)
            return err_bundle_repository_already_exists(all[i]->self);
    TRY(check_new(c, a->name_label, ""));
    struct repository_rec *r = txn_new_repository(c->txn);

    r->name_label = a->name_label;
    r->name_description = a->name_description;
    r->update = true;
    r->origin = ORIGIN_BUNDLE;
    *ret = r->self;
    return NULL;
}

struct error *api_repository_introduce_remote_pool(
    struct call *c, const struct repository_introduce_remote_pool_args *a, const char **ret)
{
    TRY(check_url(a->binary_url));
    if (!str_starts(a->binary_url, "https://"))
        return err_invalid_base_url(a->binary_url);
    if (!strstr(a->certificate, "-----BEGIN CERTIFICATE-----"))
        return err_invalid_value("certificate", "not a certificate in PEM form");
    TRY(check_new(c, a->name_label, a->binary_url));
    struct repository_rec *r = txn_new_repository(c->txn);

    r->name_label = a->name_label;
    r->name_description = a->name_description;
    r->binary_url = a->binary_url;
    r->certificate = a->certificate;
    r->update = true;
    r->origin = ORIGIN_REMOTE_POOL;
    *ret = r->self;
    return NULL;
}

struct error *api_repository_forget(struct call *c, const struct repository_forget_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    for (size_t i = 0; i < pool->repositories.n; i++)
        if (streq(pool->repositories.v[i], a->self))
            return err_repository_is_in_use();
    return txn_delete_repository(c->txn, a->self);
}

struct error *api_repository_set_gpgkey_path(struct call *c,
                                             const struct repository_set_gpgkey_path_args *a)
{
    struct repository_rec *r;

    TRY(txn_edit_repository(c->txn, a->self, &r));
    TRY(check_key(a->value));
    r->gpgkey_path = a->value;
    return NULL;
}
