/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/bodies.h"

#include "base/arena.h"
#include "base/str.h"
#include "gen/class/secret_txn.h"
#include "simulation/fail.h"
#include "simulation/programs.h"
#include "simulation/sched.h"

#include <errno.h>

#define ROWS 5

static struct chance *chance;
static unsigned threads, commits;
static bool over, leaving;
static unsigned running; /* in the present life */

/* Writes one of the rows; what it writes depends on all that was read. */
static struct error *body(struct txn *t)
{
    const struct secret_rec *const *all;
    unsigned found = 0;
    char ref[32];

    for (uint64_t n = chance_below(chance, 4); n > 0; n--) {
        snprintf(ref, sizeof(ref), "OpaqueRef:body-%u", (unsigned)chance_below(chance, ROWS));
        found += txn_find_secret(t, ref) != NULL;
    }
    if (chance_in(chance, 1, 3))
        found += (unsigned)txn_all_secret(t, &all);
    const char *mine =
        arena_printf(txn_arena(t), "OpaqueRef:body-%u", (unsigned)chance_below(chance, ROWS));
    struct secret_rec *row;

    if (!txn_find_secret(t, mine)) {
        row = txn_insert_ref(t, CLASS_SECRET, mine);
        row->value = arena_printf(txn_arena(t), "%u", found);
        return NULL;
    }
    if (chance_in(chance, 1, 3))
        return txn_delete_secret(t, mine);
    TRY(txn_edit_secret(t, mine, &row));
    row->value = arena_printf(txn_arena(t), "%s%u", row->value, found);
    if (strlen(row->value) > 40)
        row->value = "";
    return NULL;
}

/* An absent row that was read cannot be inserted by the same transaction: then another is taken. */
static void commit_one(struct daemon *d)
{
    static const struct commit_info info = {.who = "", .task = "", .call = "body"};
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    struct error *e = body(t);

    if (!e)
        e = txn_commit(t, &info);
    if (e && e->code && !streq(e->code, DB_CONFLICT))
        fail("a body failed: %s", error_string(e));
    error_free(e);
}

static void *body_main(void *arg)
{
    for (unsigned i = 0; i < commits && !over && !leaving; i++) {
        commit_one(arg);
        /* Bursts, and quiet in which whoever missed the end of one is found out. */
        if (chance_in(chance, 1, 8))
            sched_sleep(chance_between(chance, 2500000, 6000000));
        else if (chance_in(chance, 1, 3))
            sched_sleep(chance_between(chance, 1, 3000));
    }
    running--;
    sched_wake_all(&running);
    return NULL;
}

void bodies_leave(void)
{
    leaving = true;
    while (running)
        sched_block(&running, SCHED_NEVER, "bodies to end");
}

void bodies_killed(void)
{
    running = 0;
}

static void *starter_main(void *arg)
{
    const struct daemon *last = NULL;

    while (!over) {
        struct daemon *d = daemon_ready();

        if (d && d != last) {
            running = threads;
            leaving = false;
            for (unsigned i = 0; i < threads; i++)
                sched_release(sched_spawn(daemon_group(), "body", body_main, d));
        }
        last = d;
        sched_sleep(1000);
    }
    return NULL;
}

void bodies_start(struct chance *c, unsigned n, unsigned n_commits)
{
    chance = c;
    threads = n;
    commits = n_commits;
    sched_release(sched_spawn(GROUP_WORLD, "bodies", starter_main, NULL));
}

void bodies_end(void)
{
    over = true;
}
