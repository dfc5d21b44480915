/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A body run until it is committed. Without turns a writer in a tight loop could starve another. */
#include "model/store_priv.h"

bool turn_is_taken(const struct store *s)
{
    return s->turn_depth && !pthread_equal(s->whose_turn, pthread_self());
}

void turn_await(struct store *s)
{
    while (turn_is_taken(s))
        pthread_cond_wait(&s->turn_given, &s->lock);
}

void store_take_turn(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    turn_await(s);
    s->turn_depth++;
    s->whose_turn = pthread_self();
    pthread_mutex_unlock(&s->lock);
}

void store_give_turn(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    assert(s->turn_depth && pthread_equal(s->whose_turn, pthread_self()));
    if (--s->turn_depth == 0)
        pthread_cond_broadcast(&s->turn_given);
    pthread_mutex_unlock(&s->lock);
}

static struct error *attempt(struct store *s, const struct commit_info *info,
                             struct error *(*fill)(void *ctx, struct txn *t), void *ctx)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(s, &a);

    TRY(fill(ctx, t));
    return txn_has_writes(t) ? txn_commit(t, info) : NULL;
}

struct error *txn_run(struct store *s, const struct commit_info *info,
                      struct error *(*fill)(void *ctx, struct txn *t), void *ctx)
{
    struct error *e;
    int conflicts = 0;

    while (error_is(e = attempt(s, info, fill, ctx), DB_CONFLICT)) {
        error_free(e);
        if (++conflicts == CONFLICTS_BEFORE_TURN)
            store_take_turn(s);
    }
    if (conflicts >= CONFLICTS_BEFORE_TURN)
        store_give_turn(s);
    return e;
}
