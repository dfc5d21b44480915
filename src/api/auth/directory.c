/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/auth/directory.h"

#include "api/common/lists.h"
#include "gen/class/host_txn.h"
#include "gen/class/subject_txn.h"
#include "gen/roles.h"

#define NAME_MAX_CHARS     256
#define PASSWORD_MAX_CHARS 1024

static struct error *type_of(const struct directory *d, const char **ret)
{
    const struct host_rec *host;

    TRY(txn_host(d->txn, d->daemon->host_ref, &host));
    *ret = host->external_auth_type;
    return NULL;
}

struct error *directory_check_on(const struct directory *d)
{
    const char *type;

    TRY(type_of(d, &type));
    return *type ? NULL : err_auth_is_disabled();
}

struct error *directory_find(const struct directory *d, const char *who,
                             struct host_account_rec *ret)
{
    const struct host_directory_find_args at_server = {.who = who};
    const struct host_host_account_args at_host = {.who = who};
    struct host_directory_find_result found;
    struct host_host_account_result account;
    const char *type;

    TRY(type_of(d, &type));
    if (streq(type, DIRECTORY_SERVER)) {
        TRY(hostd_directory_find(d->daemon->hostd, &at_server, d->arena, &found));
        *ret = found.account;
        return NULL;
    }
    TRY(hostd_host_account(d->daemon->hostd, &at_host, d->arena, &account));
    *ret = account.account;
    return NULL;
}

/* ---- what they may do ---- */

static uint32_t roles_of(const struct subject_rec *s)
{
    uint32_t mask = 0;

    for (size_t r = 0; r < s->roles.n; r++)
        for (int k = 0; k < ROLE_MAX; k++)
            if (str_ends(s->roles.v[r], role_infos[k].uuid))
                mask |= ROLE_BIT(k);
    return mask;
}

uint32_t directory_roles(const struct directory *d, const struct host_account_rec *who,
                         const char **ret_subject)
{
    const struct subject_rec *const *all;
    size_t n = txn_all_subject(d->txn, &all);
    uint32_t mask = 0;

    *ret_subject = REF_NULL;
    for (size_t i = 0; i < n; i++) {
        const char *id = all[i]->subject_identifier;

        if (!streq(who->id, id) && !set_has(&who->groups, id))
            continue;
        *ret_subject = all[i]->self;
        mask |= roles_of(all[i]);
    }
    return mask;
}

/* ---- logins ---- */

static uint32_t role_mask(const char *name)
{
    for (int i = 0; i < ROLE_MAX; i++)
        if (streq(role_infos[i].name, name))
            return ROLE_BIT(i);
    return 0;
}

static struct error *refused(const char *user)
{
    return error_api(ERR_SESSION_AUTHENTICATION_FAILED, 2, user, "Authentication failure");
}

/* Longer ones are nobody's: they are not handed on. */
static bool is_sane(const char *user, const char *password)
{
    return strlen(user) <= NAME_MAX_CHARS && strlen(password) <= PASSWORD_MAX_CHARS;
}

struct error *directory_admit_local(const struct directory *d, const char *user,
                                    const char *password, struct admitted *ret)
{
    const struct host_host_auth_args args = {.user = user, .password = password};
    struct host_host_auth_result result;

    if (!is_sane(user, password))
        return refused(user);
    TRY(hostd_host_auth(d->daemon->hostd, &args, d->arena, &result));
    *ret = (struct admitted){
        .user = user,
        .superuser = result.superuser,
        .roles = role_mask(result.role),
        .subject = REF_NULL,
        .id = "",
    };
    return NULL;
}

/* What the server is and what it said is not for strangers; hostd's log has it. */
static struct error *hide(struct error *e)
{
    if (!error_is(e, ERR_AUTH_SERVICE_ERROR))
        return e;
    error_free(e);
    return err_auth_service_error("the directory cannot be asked; the host's log says why");
}

static struct error *ask_server(const struct directory *d, const char *user, const char *password,
                                struct host_account_rec *ret)
{
    const struct host_directory_login_args args = {.user = user, .password = password};
    struct host_directory_login_result result;

    /* To a server an empty password is a login of nobody, which succeeds. */
    if (!is_sane(user, password) || !*password)
        return refused(user);
    TRY(hide(hostd_directory_login(d->daemon->hostd, &args, d->arena, &result)));
    /* Tasks and the log know people by name: nobody of a directory is the host's root. */
    if (!strcasecmp(result.account.name, "root"))
        return refused(user);
    *ret = result.account;
    return NULL;
}

/* An account that is not root's has the roles of its subjects: its own and those of its groups. */
static struct error *authorize(const struct directory *d, const struct host_account_rec *who,
                               struct admitted *ret)
{
    *ret = (struct admitted){.user = who->name, .id = who->id};
    ret->roles = directory_roles(d, who, &ret->subject);
    if (ret->roles)
        return NULL;
    return streq(ret->subject, REF_NULL)
               ? err_subject_cannot_be_resolved()
               : err_rbac_permission_denied(who->name, "this account has no role in the pool");
}

static struct error *authorize_account(const struct directory *d, struct admitted *a)
{
    struct host_account_rec who;

    if (a->superuser || a->roles)
        return NULL;
    TRY(directory_check_on(d));
    TRY(directory_find(d, a->user, &who));
    return authorize(d, &who, a);
}

static struct error *refuse_stranger(struct error *why, const char *user)
{
    if (!error_is(why, ERR_AUTH_IS_DISABLED) && !error_is(why, ERR_SUBJECT_CANNOT_BE_RESOLVED))
        return why;
    error_free(why);
    return error_api(ERR_SESSION_AUTHORIZATION_FAILED, 2, user,
                     "this account is no subject of the pool");
}

bool directory_is_refusal(const struct error *e)
{
    return error_is(e, ERR_SESSION_AUTHENTICATION_FAILED) ||
           error_is(e, ERR_SESSION_AUTHORIZATION_FAILED) || error_is(e, ERR_RBAC_PERMISSION_DENIED);
}

struct error *directory_admit(const struct directory *d, const char *user, const char *password,
                              struct admitted *ret)
{
    struct host_account_rec who;
    const char *type = "";

    if (!streq(user, "root"))
        TRY(type_of(d, &type));
    if (streq(type, DIRECTORY_SERVER)) {
        TRY(ask_server(d, user, password, &who));
        return refuse_stranger(authorize(d, &who, ret), user);
    }
    TRY(directory_admit_local(d, user, password, ret));
    return refuse_stranger(authorize_account(d, ret), user);
}
