/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/auth/directory.h"

#include "api/common/lists.h"
#include "auth/sessions.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/session_txn.h"
#include "gen/msg/auth.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

#define TYPE_ACCOUNTS "PAM"
#define TYPE_DOMAIN   "AD"

struct error *directory_check_on(struct call *c)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, c->daemon->host_ref, &host));
    return *host->external_auth_type ? NULL : err_auth_is_disabled();
}

struct error *directory_find(struct call *c, const char *who, struct host_host_account_result *ret)
{
    const struct host_host_account_args args = {.who = who};

    return hostd_host_account(c->daemon->hostd, &args, c->arena, ret);
}

/* ---- on and off */

/* What is kept of the configuration: never a password. */
static struct map_string_string without_password(struct call *c, const struct map_string_string *m)
{
    struct map_string_string kept = *m;

    map_remove(c->arena, &kept, "pass");
    map_remove(c->arena, &kept, "password");
    return kept;
}

static struct error *check_type(const char *type)
{
    if (streq(type, TYPE_ACCOUNTS))
        return NULL;
    if (streq(type, TYPE_DOMAIN))
        return err_auth_enable_failed("this product cannot join a domain; the host's accounts "
                                      "can be used with the type " TYPE_ACCOUNTS);
    return err_auth_unknown_type(type);
}

static struct error *turn_on(struct call *c, const char *ref,
                             const struct map_string_string *config, const char *service,
                             const char *type)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    if (*h->external_auth_type)
        return err_auth_already_enabled(h->external_auth_type, h->external_auth_service_name);
    TRY(check_type(type));
    h->external_auth_type = type;
    h->external_auth_service_name = service;
    h->external_auth_configuration = without_password(c, config);
    return NULL;
}

/* Who came from the directory goes with it; but the caller hears the answer. */
static struct error *end_sessions(struct call *c)
{
    const struct session_rec *const *all;
    size_t n = txn_all_session(c->txn, &all);

    for (size_t i = 0; i < n; i++) {
        if (!*all[i]->auth_user_sid || streq(all[i]->self, c->session))
            continue;
        TRY(txn_delete_session(c->txn, all[i]->self));
        sessions_remove(c->daemon->sessions, all[i]->self);
    }
    return NULL;
}

static struct error *turn_off(struct call *c, const char *ref)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    h->external_auth_type = h->external_auth_service_name = "";
    h->external_auth_configuration = (struct map_string_string){0};
    return end_sessions(c);
}

struct error *api_host_enable_external_auth(struct call *c,
                                            const struct host_enable_external_auth_args *a)
{
    return turn_on(c, a->host, &a->config, a->service_name, a->auth_type);
}

struct error *api_host_disable_external_auth(struct call *c,
                                             const struct host_disable_external_auth_args *a)
{
    return turn_off(c, a->host);
}

struct error *api_pool_enable_external_auth(struct call *c,
                                            const struct pool_enable_external_auth_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->pool, &pool));
    struct error *e = turn_on(c, pool->master, &a->config, a->service_name, a->auth_type);

    if (error_is(e, ERR_AUTH_ALREADY_ENABLED)) {
        error_free(e);
        return err_pool_auth_already_enabled(pool->master);
    }
    if (!error_is(e, ERR_AUTH_ENABLE_FAILED))
        return e;
    const char *why = arena_strdup(c->arena, e->params[0]);

    error_free(e);
    return err_pool_auth_enable_failed(pool->master, why);
}

struct error *api_pool_disable_external_auth(struct call *c,
                                             const struct pool_disable_external_auth_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->pool, &pool));
    return turn_off(c, pool->master);
}

/* One host cannot differ from itself. */
struct error *api_pool_detect_nonhomogeneous_external_auth(
    struct call *c, const struct pool_detect_nonhomogeneous_external_auth_args *a)
{
    const struct pool_rec *pool;

    return txn_pool(c->txn, a->pool, &pool);
}

static struct error *set_ldaps(struct call *c, const char *ref, bool on)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    TRY(directory_check_on(c));
    return on ? err_auth_set_ldaps_failed(ref, "accounts of the host are not asked for over LDAP")
              : NULL;
}

struct error *api_host_external_auth_set_ldaps(struct call *c,
                                               const struct host_external_auth_set_ldaps_args *a)
{
    return set_ldaps(c, a->host, a->ldaps);
}

struct error *api_pool_external_auth_set_ldaps(struct call *c,
                                               const struct pool_external_auth_set_ldaps_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->pool, &pool));
    return set_ldaps(c, pool->master, a->ldaps);
}

/* ---- questions */

struct error *api_auth_get_subject_identifier(struct call *c,
                                              const struct auth_get_subject_identifier_args *a,
                                              const char **ret)
{
    struct host_host_account_result who;

    TRY(directory_check_on(c));
    TRY(directory_find(c, a->subject_name, &who));
    *ret = who.id;
    return NULL;
}

struct error *api_auth_get_subject_information_from_identifier(
    struct call *c, const struct auth_get_subject_information_from_identifier_args *a,
    struct map_string_string *ret)
{
    struct host_host_account_result who;

    TRY(directory_check_on(c));
    TRY(directory_find(c, a->subject_identifier, &who));
    const char *const pairs[] = {
        "subject-name",
        who.name,
        "subject-upn",
        who.name,
        "subject-sid",
        who.id,
        "subject-gecos",
        who.full_name,
        "subject-displayname",
        *who.full_name ? who.full_name : who.name,
        "subject-is-group",
        who.is_group ? "true" : "false",
        NULL,
    };

    *ret = map_of(c->arena, pairs);
    return NULL;
}

struct error *api_auth_get_group_membership(struct call *c,
                                            const struct auth_get_group_membership_args *a,
                                            struct set_string *ret)
{
    struct host_host_account_result who;

    TRY(directory_check_on(c));
    TRY(directory_find(c, a->subject_identifier, &who));
    *ret = who.groups;
    return NULL;
}
