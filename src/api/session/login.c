/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins and logouts. The local socket needs no password; everyone else is asked by hostd, which
 * alone may read accounts. A refused login is answered late, and waits without holding a thread.
 */
#include "api/auth/directory.h"
#include "api/common/lists.h"
#include "auth/sessions.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/session_txn.h"
#include "gen/class/subject_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/session.h"
#include "gen/roles.h"
#include "rpc/call.h"

#define NAME_MAX_CHARS     256
#define PASSWORD_MAX_CHARS 1024

static struct error *refused(const char *user, const char *why)
{
    return error_api(ERR_SESSION_AUTHENTICATION_FAILED, 2, user, why);
}

/* The memo of a parked login is the reason of its refusal. */
static struct error *refuse_late(struct call *c, const char *user, const char *why)
{
    static const bool none[CLASS_MAX];
    int64_t delay = sessions_login_delay(c->daemon->sessions);

    if (delay <= 0)
        return refused(user, why);
    c->memo = arena_strdup(c->arena, why);
    return call_park(c, none, mono_us() + delay);
}

/* Who logs in, as far as it is known before the password was looked at. */
static struct session seed_of(const struct call *c, const char *user, const char *originator)
{
    return (struct session){
        .ref = "",
        .user = *user ? user : "root",
        .originator = originator,
        .superuser = c->from_unix,
    };
}

static uint32_t role_mask(const char *name)
{
    for (int i = 0; i < ROLE_MAX; i++)
        if (streq(role_infos[i].name, name))
            return ROLE_BIT(i);
    return 0;
}

/* Asks for the account, unless the caller came by the local socket; its rights go to seed. A
 * refusal is *ret_why. */
static struct error *authenticate(struct call *c, const char *password, struct session *seed,
                                  const char **ret_why)
{
    struct host_host_auth_args args = {.user = seed->user, .password = password};
    struct host_host_auth_result result;

    *ret_why = NULL;
    if (c->from_unix)
        return NULL;
    if (strlen(args.user) > NAME_MAX_CHARS || strlen(password) > PASSWORD_MAX_CHARS) {
        *ret_why = "Authentication failure";
        return NULL;
    }
    struct error *e = hostd_host_auth(c->daemon->hostd, &args, c->arena, &result);

    if (error_is(e, ERR_SESSION_AUTHENTICATION_FAILED)) {
        *ret_why = "Authentication failure";
        error_free(e);
        return NULL;
    }
    if (e)
        return e;
    seed->superuser = result.superuser;
    seed->roles = role_mask(result.role);
    return NULL;
}

/* What is known of somebody from the directory. */
struct person {
    const char *subject; /* reference of a row, "" = not from the directory */
    const char *id;
};

static bool is_one_of(const struct host_host_account_result *who, const char *id)
{
    return streq(who->id, id) || set_has(&who->groups, id);
}

/* An account that is not root's has the roles of its subjects: its own and those of its groups. */
static struct error *authorize(struct call *c, struct session *seed, struct person *ret)
{
    struct host_host_account_result who;
    const struct subject_rec *const *all;
    size_t n = txn_all_subject(c->txn, &all);

    *ret = (struct person){.subject = REF_NULL, .id = ""};
    if (seed->superuser || seed->roles)
        return NULL;
    TRY(directory_check_on(c));
    TRY(directory_find(c, seed->user, &who));
    for (size_t i = 0; i < n; i++) {
        if (!is_one_of(&who, all[i]->subject_identifier))
            continue;
        ret->subject = all[i]->self;
        for (size_t r = 0; r < all[i]->roles.n; r++)
            for (int k = 0; k < ROLE_MAX; k++)
                if (str_ends(all[i]->roles.v[r], role_infos[k].uuid))
                    seed->roles |= ROLE_BIT(k);
    }
    ret->id = who.id;
    return seed->roles ? NULL : err_subject_cannot_be_resolved();
}

static struct error *refuse_stranger(struct call *c, struct error *why, const char *user)
{
    if (!error_is(why, ERR_AUTH_IS_DISABLED) && !error_is(why, ERR_SUBJECT_CANNOT_BE_RESOLVED))
        return why;
    error_free(why);
    return error_api(ERR_SESSION_AUTHORIZATION_FAILED, 2, user,
                     "this account has no role in the pool");
}

static struct error *open_session(struct call *c, struct session seed, const struct person *from,
                                  const char **ret)
{
    struct session_rec *row = txn_new_session(c->txn);
    const char *evicted;

    seed.ref = row->self;
    row->this_host = c->daemon->host_ref;
    row->last_active = row->validation_time = now_s();
    row->is_local_superuser = seed.superuser;
    row->subject = from->subject;
    row->auth_user_sid = from->id;
    row->auth_user_name = arena_strdup(c->arena, seed.user);
    row->originator = arena_strdup(c->arena, seed.originator);
    sessions_add(c->daemon->sessions, &seed, c->arena, &evicted);
    if (evicted && txn_find_session(c->txn, evicted))
        TRY(txn_delete_session(c->txn, evicted));
    *ret = row->self;
    return NULL;
}

struct error *api_session_login_with_password(struct call *c,
                                              const struct session_login_with_password_args *a,
                                              const char **ret)
{
    struct session seed = seed_of(c, a->uname, a->originator);
    const char *why = NULL;
    struct person from;

    if (c->memo)
        return refused(a->uname, c->memo);
    TRY(authenticate(c, a->pwd, &seed, &why));
    if (why)
        return refuse_late(c, a->uname, why);
    struct error *e = authorize(c, &seed, &from);

    return e ? refuse_stranger(c, e, a->uname) : open_session(c, seed, &from, ret);
}

/* A session outside the store: it works while the store cannot be reached. */
struct error *api_session_slave_local_login_with_password(
    struct call *c, const struct session_slave_local_login_with_password_args *a, const char **ret)
{
    struct ref_text ref = ref_random();
    struct session seed = seed_of(c, a->uname, "");
    const char *why = NULL, *evicted;

    if (c->memo)
        return refused(a->uname, c->memo);
    TRY(authenticate(c, a->pwd, &seed, &why));
    if (why)
        return refuse_late(c, a->uname, why);
    seed.ref = ref.s;
    seed.local = true;
    sessions_add(c->daemon->sessions, &seed, c->arena, &evicted);
    *ret = arena_strdup(c->arena, ref.s);
    return NULL;
}

struct error *api_session_logout(struct call *c, const struct session_logout_args *a)
{
    if (txn_find_session(c->txn, c->session))
        TRY(txn_delete_session(c->txn, c->session));
    sessions_remove(c->daemon->sessions, c->session);
    return NULL;
}

struct error *api_session_local_logout(struct call *c, const struct session_local_logout_args *a)
{
    sessions_remove(c->daemon->sessions, c->session);
    return NULL;
}

/* The old password is not asked for: whoever may call this could reset it on the host. */
struct error *api_session_change_password(struct call *c,
                                          const struct session_change_password_args *a)
{
    struct host_host_set_password_args args = {.user = c->user, .password = a->new_pwd};
    struct host_host_set_password_result result;

    if (!*a->new_pwd || strlen(a->new_pwd) > PASSWORD_MAX_CHARS)
        return error_api(ERR_CHANGE_PASSWORD_REJECTED, 1, "The password is empty or too long");
    return hostd_host_set_password(c->daemon->hostd, &args, c->arena, &result);
}
