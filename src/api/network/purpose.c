/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a network serves besides guests: NBD with or without TLS, never both in one pool. */
#include "gen/class/network_txn.h"
#include "gen/msg/network.h"
#include "rpc/call.h"

static bool has(const struct set_enum *s, int value)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == value)
            return true;
    return false;
}

static struct error *check_others(struct txn *t, int value)
{
    const struct network_rec *const *all;
    size_t n = txn_all_network(t, &all);
    int other = value == NETWORK_PURPOSE_NBD ? NETWORK_PURPOSE_INSECURE_NBD : NETWORK_PURPOSE_NBD;

    for (size_t i = 0; i < n; i++)
        if (has(&all[i]->purpose, other))
            return error_api(ERR_NETWORK_INCOMPATIBLE_PURPOSES, 2,
                             network_purpose_info.names[value], network_purpose_info.names[other]);
    return NULL;
}

struct error *api_network_add_purpose(struct call *c, const struct network_add_purpose_args *a)
{
    struct network_rec *n;

    TRY(txn_edit_network(c->txn, a->self, &n));
    if (has(&n->purpose, a->value))
        return NULL;
    TRY(check_others(c->txn, a->value));
    int *v = arena_array(c->arena, int, n->purpose.n + 1);

    for (size_t i = 0; i < n->purpose.n; i++)
        v[i] = n->purpose.v[i];
    v[n->purpose.n] = a->value;
    n->purpose = (struct set_enum){.n = n->purpose.n + 1, .v = v};
    return NULL;
}

struct error *api_network_remove_purpose(struct call *c,
                                         const struct network_remove_purpose_args *a)
{
    struct network_rec *n;
    size_t kept = 0;

    TRY(txn_edit_network(c->txn, a->self, &n));
    int *v = arena_array(c->arena, int, n->purpose.n);

    for (size_t i = 0; i < n->purpose.n; i++)
        if (n->purpose.v[i] != a->value)
            v[kept++] = n->purpose.v[i];
    n->purpose = (struct set_enum){.n = kept, .v = v};
    return NULL;
}
