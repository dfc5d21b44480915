/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of class user: kept for old clients, nobody logs in by them. */
#include "gen/msg/user.h"
#include "gen/class/user_txn.h"
#include "rpc/call.h"

struct error *api_user_create(struct call *c, const struct user_create_args *a, const char **ret)
{
    struct user_rec *u = txn_new_user(c->txn);

    u->short_name = a->args.short_name;
    u->fullname = a->args.fullname;
    u->other_config = a->args.other_config;
    *ret = u->self;
    return NULL;
}

struct error *api_user_destroy(struct call *c, const struct user_destroy_args *a)
{
    return txn_delete_user(c->txn, a->self);
}
