/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/chores.h"

#include "api/message/post.h"
#include "auth/refusals.h"
#include "auth/sessions.h"
#include "base/world.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/session_txn.h"
#include "gen/host_proto.h"

static struct error *review_one(struct txn *t, const struct session_use *use)
{
    struct session_rec *row;

    if (!txn_find_session(t, use->ref))
        return NULL;
    if (use->expired)
        return txn_delete_session(t, use->ref);
    TRY(txn_edit_session(t, use->ref, &row));
    row->last_active = use->last_active;
    return NULL;
}

struct error *api_review_sessions(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "review sessions"};
    _cleanup_arena_ struct arena a;
    struct session_use *uses;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    size_t n = sessions_review(d->sessions, &a, &uses);

    for (size_t i = 0; i < n; i++)
        TRY(review_one(t, &uses[i]));
    return txn_has_writes(t) ? txn_commit(t, &info) : NULL;
}

static struct error *post_refusals(void *ctx, struct txn *t)
{
    const struct pool_rec *const *pools;
    const struct message_text text = {.name = "FAILED_LOGIN_ATTEMPTS",
                                      .priority = 3,
                                      .cls = CLS_POOL,
                                      .uuid = txn_all_pool(t, &pools) ? pools[0]->uuid : "",
                                      .body = ctx};

    return message_post(t, &text, NULL);
}

struct error *api_tell_refusals(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "refused logins"};
    _cleanup_str_ struct str text = STR_INIT;

    struct refusals *taken = refusals_take(d->refusals);

    if (!taken)
        return NULL;
    refusals_tell(taken, &text);
    struct error *e = txn_run(d->store, &info, post_refusals, text.s);

    if (e)
        refusals_return(d->refusals, taken);
    else
        refusals_free(taken);
    return e;
}

static struct error *touch_pool(void *ctx, struct txn *t)
{
    const struct daemon *d = ctx;

    return txn_touch(t, CLASS_POOL, d->pool_ref);
}

struct error *api_beat(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "heartbeat"};

    return txn_run(d->store, &info, touch_pool, d);
}

struct error *api_host_figures(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "host figures"};
    struct host_host_figures_result figures;
    const struct host_rec *host;
    struct host_metrics_rec *m;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    TRY(hostd_host_figures(d->hostd, &(struct host_host_figures_args){0}, &a, &figures));
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_host(t, d->host_ref, &host));
    TRY(txn_edit_host_metrics(t, host->metrics, &m));
    m->memory_free = figures.memory_free;
    m->last_updated = now_s();
    m->live = true;
    return txn_commit(t, &info);
}
