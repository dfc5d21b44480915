/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a role may do. Permissions have no rows of their own: they are the names of calls, from the
 * same table the calls are checked against.
 */
#include "gen/msg/role.h"
#include "base/uuid.h"
#include "gen/class/role_txn.h"
#include "gen/messages.h"
#include "gen/roles.h"
#include "rpc/call.h"

#include <strings.h>

static uint32_t role_bit(const struct role_rec *r)
{
    for (int i = 0; i < ROLE_MAX; i++)
        if (streq(role_infos[i].uuid, r->uuid))
            return ROLE_BIT(i);
    return 0;
}

struct error *api_role_get_permissions_name_label(
    struct call *c, const struct role_get_permissions_name_label_args *a, struct set_string *ret)
{
    const char **names = arena_array(c->arena, const char *, MID_MAX);
    const struct role_rec *role;
    size_t n = 0;

    TRY(txn_role(c->txn, a->self, &role));
    for (int i = 0; i < MID_MAX; i++)
        if (messages[i].roles & role_bit(role))
            names[n++] = messages[i].permission;
    *ret = (struct set_string){.n = n, .v = names};
    return NULL;
}

struct error *api_role_get_by_permission_name_label(
    struct call *c, const struct role_get_by_permission_name_label_args *a, struct set_ref *ret)
{
    const char **refs = arena_array(c->arena, const char *, ROLE_MAX);
    uint32_t roles = 0;
    size_t n = 0;

    for (int i = 0; i < MID_MAX; i++)
        if (strcasecmp(messages[i].permission, a->label) == 0)
            roles |= messages[i].roles;
    for (int i = 0; i < ROLE_MAX; i++)
        if (roles & ROLE_BIT(i))
            refs[n++] = arena_printf(c->arena, REF_PREFIX "%s", role_infos[i].uuid);
    *ret = (struct set_ref){.n = n, .v = refs};
    return NULL;
}

/* A role that is made of no others is its own permission; the names of calls have no rows. */
struct error *api_role_get_permissions(struct call *c, const struct role_get_permissions_args *a,
                                       struct set_ref *ret)
{
    const char **v = arena_array(c->arena, const char *, 1);
    const struct role_rec *role;

    TRY(txn_role(c->txn, a->self, &role));
    v[0] = role->self;
    *ret = (struct set_ref){.n = 1, .v = v};
    return NULL;
}

struct error *api_role_get_by_permission(struct call *c,
                                         const struct role_get_by_permission_args *a,
                                         struct set_ref *ret)
{
    const struct role_get_permissions_args same = {.self = a->permission};

    return api_role_get_permissions(c, &same, ret);
}
