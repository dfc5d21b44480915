/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory comes into use and goes out of it, for the host and for the pool of one host. */
#include "api/auth/directory.h"
#include "api/common/lists.h"
#include "auth/sessions.h"
#include "base/str.h"
#include "gen/class/Certificate_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/session_txn.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "wire/pem.h"

#define TYPE_DOMAIN "AD"

/* What is kept of the configuration: never a password. */
static struct map_string_string without_password(struct call *c, const struct map_string_string *m)
{
    struct map_string_string kept = *m;

    map_remove(c->arena, &kept, "pass");
    map_remove(c->arena, &kept, "password");
    map_remove(c->arena, &kept, "bind_password");
    return kept;
}

static struct error *check_type(const char *type)
{
    if (streq(type, DIRECTORY_ACCOUNTS) || streq(type, DIRECTORY_SERVER))
        return NULL;
    if (streq(type, TYPE_DOMAIN))
        return err_auth_enable_failed("this product cannot join a domain; its controllers can be "
                                      "asked with the type " DIRECTORY_SERVER
                                      ", the host's accounts with " DIRECTORY_ACCOUNTS);
    return err_auth_unknown_type(type);
}

/* What the pool trusts, in one text. */
static const char *trusted(struct call *c)
{
    const struct certificate_rec *const *all;
    size_t n = txn_all_certificate(c->txn, &all);
    _cleanup_str_ struct str pem = STR_INIT;

    for (size_t i = 0; i < n; i++)
        if (all[i]->type == CERTIFICATE_TYPE_CA)
            str_printf(&pem, "%s\n", all[i]->pem);
    return arena_strdup(c->arena, str_cstr(&pem));
}

/* hostd keeps how the server is asked, and has tried it before it says so. */
static struct error *tell_host(struct call *c, const struct map_string_string *config)
{
    const struct host_directory_set_args args = {.config = *config, .ca = trusted(c)};
    const char *ca = map_find(config, "ca");
    struct pem_look look;

    if (!config->n)
        return err_auth_enable_failed("uri is missing");
    if (ca && !pem_look(ca, &look))
        return err_auth_enable_failed_invalid_trusted_certs("ca is no certificate (PEM)");
    return hostd_directory_set(c->daemon->hostd, &args, c->arena, NULL);
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
    if (streq(type, DIRECTORY_SERVER))
        TRY(tell_host(c, config));
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

static struct error *forget(struct call *c)
{
    const struct host_directory_set_args args = {.ca = ""};

    return hostd_directory_set(c->daemon->hostd, &args, c->arena, NULL);
}

static struct error *turn_off(struct call *c, const char *ref)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    if (streq(h->external_auth_type, DIRECTORY_SERVER))
        TRY(forget(c));
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

/* The pool's codes are the host's with its reference in front. */
static struct error *as_pool_error(struct call *c, const char *host, struct error *e)
{
    if (error_is(e, ERR_AUTH_ALREADY_ENABLED)) {
        error_free(e);
        return err_pool_auth_already_enabled(host);
    }
    const bool tls = error_is(e, ERR_AUTH_SETUP_TLS_CONNECTION);

    if (!tls && !(e && e->code && str_starts(e->code, ERR_AUTH_ENABLE_FAILED)))
        return e;
    const char *why = arena_strdup(c->arena, e->params[0]);
    const char *code = tls ? ERR_POOL_AUTH_ENABLE_FAILED_SETUP_TLS_CONNECTION
                           : arena_printf(c->arena, "POOL_%s", e->code);

    error_free(e);
    return error_api(code, 2, host, why);
}

struct error *api_pool_enable_external_auth(struct call *c,
                                            const struct pool_enable_external_auth_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->pool, &pool));
    return as_pool_error(c, pool->master,
                         turn_on(c, pool->master, &a->config, a->service_name, a->auth_type));
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

/* Only says what is so: a server is asked as its uri says. */
static struct error *set_ldaps(struct call *c, const char *ref, bool on)
{
    const struct directory d = directory_of(c);
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    TRY(directory_check_on(&d));
    const char *uri = map_find(&host->external_auth_configuration, "uri");
    const bool is_on = uri && str_starts(uri, "ldaps:");

    if (on == is_on)
        return NULL;
    return err_auth_set_ldaps_failed(
        ref, uri ? "how the server is asked is said by its uri: disable and enable the directory"
                 : "accounts of the host are not asked for over LDAP");
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
