/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Now and then people with a session are looked up again: who is gone, or may do other things than
 * at the login, has to log in again. */
#include "api/auth/directory.h"
#include "api/chores.h"
#include "api/common/lists.h"
#include "auth/sessions.h"
#include "base/log.h"
#include "base/world.h"
#include "db/db.h"
#include "gen/class/session_txn.h"

#define ATTEMPTS 16 /* at a commit that others get in the way of */

/* Each person of the directory once, in memory of a. */
static struct set_string people(struct daemon *d, struct arena *a)
{
    _cleanup_txn_ struct txn *t = txn_new(d->store, a);
    const struct session_rec *const *all;
    size_t n = txn_all_session(t, &all);
    struct set_string found = {0};

    for (size_t i = 0; i < n; i++)
        if (*all[i]->auth_user_sid && !set_has(&found, all[i]->auth_user_sid))
            set_add(a, &found, arena_strdup(a, all[i]->auth_user_sid));
    return found;
}

/* *ret_there: the directory still has this person. */
static struct error *look_up(struct daemon *d, struct arena *a, const char *id,
                             struct host_account_rec *ret, bool *ret_there)
{
    _cleanup_txn_ struct txn *t = txn_new(d->store, a);
    const struct directory directory = {.daemon = d, .txn = t, .arena = a};
    struct error *e = directory_find(&directory, id, ret);

    *ret_there = !e;
    if (!error_is(e, ERR_SUBJECT_CANNOT_BE_RESOLVED))
        return e;
    error_free(e);
    return NULL;
}

/* Edits or ends the sessions of one person; ended: those that go, once it is committed. */
static struct error *judge(struct daemon *d, struct txn *t, struct arena *a, const char *id,
                           const struct host_account_rec *who, struct set_string *ended)
{
    const struct directory directory = {.daemon = d, .txn = t, .arena = a};
    const struct session_rec *const *all;
    size_t n = txn_all_session(t, &all);
    const char *subject;
    const uint32_t roles = who ? directory_roles(&directory, who, &subject) : 0;

    for (size_t i = 0; i < n; i++) {
        struct session_rec *row;

        if (!streq(all[i]->auth_user_sid, id))
            continue;
        if (roles && sessions_roles(d->sessions, all[i]->self) == roles) {
            TRY(txn_edit_session(t, all[i]->self, &row));
            row->validation_time = now_s();
            continue;
        }
        set_add(a, ended, arena_strdup(a, all[i]->self));
        TRY(txn_delete_session(t, all[i]->self));
    }
    return NULL;
}

static struct error *commit_judgement(struct daemon *d, struct arena *a, const char *id,
                                      const struct host_account_rec *who, struct set_string *ended)
{
    const struct commit_info info = {.who = "", .task = "", .call = "review people"};
    _cleanup_txn_ struct txn *t = txn_new(d->store, a);

    *ended = (struct set_string){0};
    TRY(judge(d, t, a, id, who, ended));
    return txn_has_writes(t) ? txn_commit(t, &info) : NULL;
}

static struct error *review(struct daemon *d, const char *id)
{
    struct host_account_rec who;
    struct set_string ended;
    bool there;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    TRY(look_up(d, &a, id, &who, &there));
    struct error *e = commit_judgement(d, &a, id, there ? &who : NULL, &ended);

    for (int i = 1; i < ATTEMPTS && error_is(e, DB_CONFLICT); i++) {
        error_free(e);
        e = commit_judgement(d, &a, id, there ? &who : NULL, &ended);
    }
    if (e)
        return e;
    for (size_t i = 0; i < ended.n; i++)
        sessions_remove(d->sessions, ended.v[i]);
    if (ended.n)
        log_info("%zu sessions of %s end: %s", ended.n, id,
                 there ? "the roles are others now" : "the directory has no such person");
    return NULL;
}

struct error *api_review_people(struct daemon *d, struct ticker *ticker)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    struct set_string all = people(d, &a);

    /* A directory that cannot be asked says nothing about anybody: the sessions stay. */
    for (size_t i = 0; i < all.n && !ticker_is_stopping(ticker); i++)
        TRY(review(d, all.v[i]));
    return NULL;
}
