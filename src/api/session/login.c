/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins and logouts. The local socket needs no password; everyone else is asked by hostd, which
 * alone may read accounts. A refused login is answered late, and waits without holding a thread.
 */
#include "api/auth/directory.h"
#include "auth/guesses.h"
#include "auth/refusals.h"
#include "auth/sessions.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/session_txn.h"
#include "gen/msg/session.h"
#include "rpc/call.h"

#define PASSWORD_MAX_CHARS 1024
/* For a directory that has all the questions it may have: how soon it is asked again, how long. */
#define BUSY_PAUSE_US    100000
#define BUSY_PATIENCE_US (20 * SECOND_US)

/* The memo of a login: when it began in earnest, and why it waits. */
struct wait {
    int64_t asked_us; /* 0 = its turn to try has not come */
    const char *code; /* of the refusal that is told later, NULL = none */
    const char *user, *why;
    int64_t give_up_us; /* of a directory that had too many questions */
    bool given_back;    /* its try */
};

static struct error *park_login(struct call *c, int64_t until_us)
{
    static const bool none[CLASS_MAX];

    return call_park(c, none, until_us);
}

/* An address that sent many wrong passwords waits before its next one is looked at. NULL and not
 * parked: go on. */
static struct error *await_turn(struct call *c)
{
    struct wait *w = c->memo;

    if (!w) {
        c->memo = w = arena_new(c->arena, struct wait);
        int64_t at = c->from_unix ? 0 : guess_take(c->daemon->guesses, c->originator);

        if (at)
            return park_login(c, at);
    }
    if (!w->asked_us)
        w->asked_us = mono_us();
    return NULL;
}

/* A refusal comes that long after the question, whatever was wrong. user: as the client said it,
 * where an empty name stood for root's. */
static struct error *refuse_late(struct call *c, const char *user, struct error *refusal)
{
    const int64_t delay = sessions_login_delay(c->daemon->sessions);
    struct wait *w = arena_memdup(c->arena, c->memo, sizeof(*w));

    if (error_is(refusal, ERR_SESSION_AUTHENTICATION_FAILED)) {
        struct error *named = error_api(refusal->code, 2, user, refusal->params[1]);

        error_free(refusal);
        refusal = named;
    }
    if (delay <= 0)
        return refusal;
    c->memo = w; /* another one, so that what this run took from the arena is kept */
    w->code = arena_strdup(c->arena, refusal->code);
    w->user = arena_strdup(c->arena, refusal->params[0]);
    w->why = arena_strdup(c->arena, refusal->params[1]);
    error_free(refusal);
    return park_login(c, w->asked_us + delay);
}

/* Others wait for the directory too, and each holds a thread: this one does not. */
static struct error *try_later(struct call *c, struct error *too_many)
{
    struct wait *w = c->memo;

    if (!w->give_up_us)
        w->give_up_us = mono_us() + BUSY_PATIENCE_US;
    if (mono_us() >= w->give_up_us)
        return too_many;
    error_free(too_many);
    return park_login(c, mono_us() + BUSY_PAUSE_US);
}

/* It was no guess. Once, also where the body runs again because of a conflict. */
static void give_back(struct call *c)
{
    struct wait *w = c->memo;

    if (!c->from_unix && !w->given_back)
        guess_right(c->daemon->guesses, c->originator);
    w->given_back = true;
}

/* What becomes of a login that failed. */
static struct error *not_admitted(struct call *c, const char *user, const char *originator,
                                  struct error *e)
{
    const struct refused_client who = {
        .user = user, .originator = originator, .address = c->originator, .agent = c->agent};

    if (error_is(e, ERR_TOO_MANY_PENDING_TASKS))
        return try_later(c, e);
    if (directory_is_refusal(e)) {
        refusals_add(c->daemon->refusals, &who);
        return refuse_late(c, user, e);
    }
    give_back(c);
    return e;
}

static bool is_refused(const struct call *c, struct error **ret)
{
    const struct wait *w = c->memo;

    if (!w || !w->code)
        return false;
    *ret = error_api(w->code, 2, w->user, w->why);
    return true;
}

/* Asks for the account, unless the caller came by the local socket. */
static struct error *authenticate(struct call *c, const char *user, const char *password,
                                  struct admitted *ret)
{
    const struct directory d = directory_of(c);

    if (!c->from_unix)
        return directory_admit(&d, *user ? user : "root", password, ret);
    *ret = (struct admitted){
        .user = *user ? user : "root", .superuser = true, .subject = REF_NULL, .id = ""};
    return NULL;
}

static struct error *open_session(struct call *c, const struct admitted *who,
                                  const char *originator, const char **ret)
{
    struct session_rec *row = txn_new_session(c->txn);
    const struct session seed = {
        .ref = row->self,
        .user = who->user,
        .originator = originator,
        .roles = who->roles,
        .superuser = who->superuser,
        .internal = c->from_unix,
    };
    const char *evicted;

    row->this_host = c->daemon->host_ref;
    row->last_active = row->validation_time = now_s();
    row->is_local_superuser = seed.superuser;
    row->subject = who->subject;
    row->auth_user_sid = who->id;
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
    struct admitted who;
    struct error *e;

    if (is_refused(c, &e))
        return e;
    TRY(await_turn(c));
    if (c->parked)
        return NULL;
    e = authenticate(c, a->uname, a->pwd, &who);
    if (e)
        return not_admitted(c, a->uname, a->originator, e);
    give_back(c);
    return open_session(c, &who, a->originator, ret);
}

/* A session outside the store: it works while the store cannot be reached. The host's own accounts
 * only. */
struct error *api_session_slave_local_login_with_password(
    struct call *c, const struct session_slave_local_login_with_password_args *a, const char **ret)
{
    const struct directory d = directory_of(c);
    const struct ref_text ref = ref_random();
    struct session seed = {.ref = ref.s,
                           .user = *a->uname ? a->uname : "root",
                           .originator = "",
                           .superuser = c->from_unix,
                           .internal = c->from_unix,
                           .local = true};
    struct admitted who;
    const char *evicted;
    struct error *e;

    if (is_refused(c, &e))
        return e;
    TRY(await_turn(c));
    if (c->parked)
        return NULL;
    if (!c->from_unix) {
        e = directory_admit_local(&d, seed.user, a->pwd, &who);
        if (e)
            return not_admitted(c, a->uname, "", e);
        give_back(c);
        seed.superuser = who.superuser;
        seed.roles = who.roles;
    }
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
