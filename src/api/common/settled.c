/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/settled.h"

#include "model/txn.h"

/* False: it has to be done again. */
static bool attempt(struct store *s, struct error *(*fn)(void *ctx), void *ctx,
                    struct error **ret_error)
{
    uint64_t before = store_now(s).generation;

    *ret_error = fn(ctx);
    return *ret_error || store_now(s).generation == before;
}

struct error *read_settled(struct store *s, struct error *(*fn)(void *ctx), void *ctx)
{
    struct error *e = NULL;

    for (int i = 0; i < CONFLICTS_BEFORE_TURN; i++)
        if (attempt(s, fn, ctx, &e))
            return e;
    store_take_turn(s);
    while (!attempt(s, fn, ctx, &e))
        ;
    store_give_turn(s);
    return e;
}
