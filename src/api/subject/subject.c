/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* People and groups of a directory who may log in, and what they may do here. */
#include "gen/msg/subject.h"
#include "api/common/lists.h"
#include "auth/sessions.h"
#include "gen/class/role_txn.h"
#include "gen/class/session_txn.h"
#include "gen/class/subject_txn.h"
#include "gen/messages.h"
#include "gen/roles.h"
#include "rpc/call.h"

#define IDENTIFIER_MAX 512

struct error *api_subject_create(struct call *c, const struct subject_create_args *a,
                                 const char **ret)
{
    const char *id = a->args.subject_identifier;
    const struct subject_rec *const *all;
    size_t n = txn_all_subject(c->txn, &all);

    if (!*id || strlen(id) > IDENTIFIER_MAX)
        return err_invalid_value("subject_identifier", id);
    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->subject_identifier, id))
            return err_subject_already_exists();
    struct subject_rec *s = txn_new_subject(c->txn);

    s->subject_identifier = id;
    s->other_config = a->args.other_config;
    s->roles = (struct set_ref){0}; /* nothing until somebody gives it a role */
    *ret = s->self;
    return NULL;
}

/* Who is no subject any more is logged out; but the caller's own session hears the answer. */
static struct error *end_sessions(struct call *c, const char *subject)
{
    const struct session_rec *const *all;
    size_t n = txn_all_session(c->txn, &all);

    for (size_t i = 0; i < n; i++) {
        if (!streq(all[i]->subject, subject) || streq(all[i]->self, c->session))
            continue;
        TRY(txn_delete_session(c->txn, all[i]->self));
        sessions_remove(c->daemon->sessions, all[i]->self);
    }
    return NULL;
}

struct error *api_subject_destroy(struct call *c, const struct subject_destroy_args *a)
{
    const struct subject_rec *s;

    TRY(txn_subject(c->txn, a->self, &s));
    TRY(end_sessions(c, s->self));
    return txn_delete_subject(c->txn, a->self);
}

struct error *api_subject_add_to_roles(struct call *c, const struct subject_add_to_roles_args *a)
{
    struct subject_rec *s;

    TRY(txn_edit_subject(c->txn, a->self, &s));
    if (!txn_find_role(c->txn, a->role))
        return err_role_not_found();
    if (refs_have(&s->roles, a->role))
        return err_role_already_exists();
    refs_add(c->arena, &s->roles, a->role);
    return end_sessions(c, s->self); /* they hold the roles of their login */
}

struct error *api_subject_remove_from_roles(struct call *c,
                                            const struct subject_remove_from_roles_args *a)
{
    struct subject_rec *s;

    TRY(txn_edit_subject(c->txn, a->self, &s));
    if (!refs_have(&s->roles, a->role))
        return err_role_not_found();
    refs_remove(c->arena, &s->roles, a->role);
    return end_sessions(c, s->self);
}

struct error *api_subject_get_permissions_name_label(
    struct call *c, const struct subject_get_permissions_name_label_args *a, struct set_string *ret)
{
    const char **names = arena_array(c->arena, const char *, MID_MAX);
    const struct subject_rec *s;
    uint32_t mask = 0;
    size_t n = 0;

    TRY(txn_subject(c->txn, a->self, &s));
    for (size_t i = 0; i < s->roles.n; i++)
        for (int r = 0; r < ROLE_MAX; r++)
            if (str_ends(s->roles.v[i], role_infos[r].uuid))
                mask |= ROLE_BIT(r);
    for (int i = 0; i < MID_MAX; i++)
        if (messages[i].roles & mask)
            names[n++] = messages[i].permission;
    *ret = (struct set_string){.n = n, .v = names};
    return NULL;
}
