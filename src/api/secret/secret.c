/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gen/msg/secret.h"
#include "base/uuid.h"
#include "gen/class/secret_txn.h"
#include "rpc/call.h"

struct error *api_secret_create(struct call *c, const struct secret_create_args *a,
                                const char **ret)
{
    struct secret_rec *s = txn_new_secret(c->txn);

    s->value = a->args.value;
    s->other_config = a->args.other_config;
    *ret = s->self;
    return NULL;
}

struct error *api_secret_introduce(struct call *c, const struct secret_introduce_args *a,
                                   const char **ret)
{
    struct secret_rec *s;

    if (!uuid_is_valid(a->uuid) || txn_find_uuid(c->txn, CLASS_SECRET, a->uuid))
        return err_invalid_value("uuid", a->uuid);
    s = txn_new_secret(c->txn);
    s->uuid = a->uuid;
    s->value = a->value;
    s->other_config = a->other_config;
    *ret = s->self;
    return NULL;
}

struct error *api_secret_destroy(struct call *c, const struct secret_destroy_args *a)
{
    return txn_delete_secret(c->txn, a->self);
}
