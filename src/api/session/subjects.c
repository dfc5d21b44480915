/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions of people from a directory, known by their subject identifier. */
#include "api/common/lists.h"
#include "auth/sessions.h"
#include "gen/class/session_txn.h"
#include "gen/msg/session.h"
#include "rpc/call.h"

struct error *api_session_get_all_subject_identifiers(
    struct call *c, const struct session_get_all_subject_identifiers_args *a,
    struct set_string *ret)
{
    const struct session_rec *const *all;
    size_t n = txn_all_session(c->txn, &all);
    struct set_string found = {0};

    for (size_t i = 0; i < n; i++)
        if (*all[i]->auth_user_sid)
            set_add(c->arena, &found, all[i]->auth_user_sid);
    *ret = found;
    return NULL;
}

struct error *api_session_logout_subject_identifier(
    struct call *c, const struct session_logout_subject_identifier_args *a)
{
    const struct session_rec *const *all;
    size_t n = txn_all_session(c->txn, &all);

    for (size_t i = 0; i < n; i++) {
        /* The caller's own session stays: it has to hear the answer. */
        if (!*all[i]->auth_user_sid || !streq(all[i]->auth_user_sid, a->subject_identifier) ||
            streq(all[i]->self, c->session))
            continue;
        TRY(txn_delete_session(c->txn, all[i]->self));
        sessions_remove(c->daemon->sessions, all[i]->self);
    }
    return NULL;
}
