/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon notes of callers by itself: when they called last, and a row for each program at
 * each address that calls with a session. Of the rows that were made here so many are kept as
 * callers are counted; the one not heard of for longest goes, unless an administrator has done
 * something with it.
 */
#include "api/chores.h"
#include "base/world.h"
#include "gen/class/Caller_txn.h"
#include "task/caller_rules.h"
#include "task/tally.h"

struct noted {
    struct arena *arena;
    struct tally_caller *came; /* without a row */
    size_t n_came;
    const char **called; /* rows */
    size_t n_called;
};

/* ---- new ones ---- */

/* What ends in '*' would be a row for others, too. */
static bool may_register(const struct tally_caller *c)
{
    return pattern_is_whole(c->agent) && pattern_is_whole(c->address);
}

static bool may_go(const struct caller_rec *r)
{
    return r->auto_registered && !*r->name_label && !*r->name_description && !r->groups.n &&
           streq(r->rate_limit, REF_NULL);
}

static int by_access(const void *a, const void *b)
{
    const struct caller_rec *x = *(const struct caller_rec *const *)a;
    const struct caller_rec *y = *(const struct caller_rec *const *)b;

    return x->last_access < y->last_access ? -1 : x->last_access > y->last_access;
}

/* So that there are `room` places for new ones. Returns how many there are. */
static struct error *make_room(struct txn *t, struct arena *a, size_t room, size_t *ret_room)
{
    const struct caller_rec *const *all;
    size_t n = txn_all_caller(t, &all), n_own = 0, n_idle = 0, gone = 0;
    const struct caller_rec **idle = arena_array(a, const struct caller_rec *, n);

    for (size_t i = 0; i < n; i++) {
        n_own += all[i]->auto_registered;
        if (may_go(all[i]))
            idle[n_idle++] = all[i];
    }
    if (n_idle)
        qsort(idle, n_idle, sizeof(*idle), by_access);
    for (; gone < n_idle && n_own - gone + room > TALLY_CALLERS; gone++)
        TRY(txn_delete_caller(t, idle[gone]->self));
    *ret_room = n_own - gone < TALLY_CALLERS ? TALLY_CALLERS - (n_own - gone) : 0;
    return NULL;
}

static struct error *register_new(struct noted *n, struct txn *t)
{
    size_t room = 0, wanted = 0;

    for (size_t i = 0; i < n->n_came; i++)
        wanted += may_register(&n->came[i]);
    if (wanted)
        TRY(make_room(t, n->arena, wanted, &room));
    for (size_t i = 0; i < n->n_came && room; i++) {
        if (!may_register(&n->came[i]))
            continue;
        struct caller_rec *row = txn_new_caller(t);

        row->user_agent = n->came[i].agent;
        row->client_ip = n->came[i].address;
        row->auto_registered = true;
        row->last_access = now_s();
        room--;
    }
    return NULL;
}

/* ---- when they called last ---- */

static struct error *note(void *ctx, struct txn *t)
{
    struct noted *n = ctx;

    for (size_t i = 0; i < n->n_called; i++) {
        struct caller_rec *row;

        if (!txn_find_caller(t, n->called[i]))
            continue; /* destroyed since */
        TRY(txn_edit_caller(t, n->called[i], &row));
        row->last_access = now_s();
    }
    return register_new(n, t);
}

struct error *api_note_callers(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "note callers"};
    _cleanup_arena_ struct arena a;
    struct noted n = {.arena = &a};

    arena_init(&a);
    n.n_called = tally_rows_called(d->tally, &a, &n.called);
    n.n_came = tally_new_callers(d->tally, &a, &n.came);
    return n.n_called || n.n_came ? txn_run(d->store, &info, note, &n) : NULL;
}
