/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/mutants.h"

#include "base/mem.h"
#include "base/str.h"
#include "db/db.h"
#include "model/txn_priv.h"
#include "simulation/disk.h"
#include "simulation/history.h"
#include "simulation/sched.h"
#include "task/plan_priv.h"
#include "task/waiting.h"

#include <stdio.h>

enum mutant {
    NONE,
    RELATIONS,
    MEMBERSHIP,
    READS,
    ABSENCE,
    EARLY,
    LYING_DISK,
    WAKE_UP,
    EVENT_GAP,
    TOMBSTONES,
    UNDO,
    RECOVERY,
    MARKS,
    DERIVED,
    MUTANTS
};

static const struct {
    const char *name, *text;
} table[MUTANTS] = {
    [NONE] = {"none", "nothing"},
    [RELATIONS] = {"relations", "a commit does not look whether relations it read have changed"},
    [MEMBERSHIP] = {"membership", "nor whether a list it read has"},
    [READS] = {"reads", "nor whether objects it only read have"},
    [ABSENCE] = {"absence", "nor whether what it did not find is there now"},
    [EARLY] = {"early", "commits are published before they are on the disk"},
    [LYING_DISK] = {"lying-disk", "the disk says it has flushed, and has not"},
    [WAKE_UP] = {"wake-up", "what is published between a look and a wait wakes nobody"},
    [EVENT_GAP] = {"event-gap", "the token of a batch is taken after the batch"},
    [TOMBSTONES] = {"tombstones", "some deletions leave no trace in the feed"},
    [UNDO] = {"undo", "steps of a plan that fails are not undone"},
    [RECOVERY] = {"recovery", "plans under way are not taken up after a restart"},
    [MARKS] = {"marks", "a plan that was undone leaves its marks"},
    [DERIVED] = {"derived", "derived fields are not computed again"},
};

static enum mutant mutant;

bool mutant_choose(const char *name)
{
    for (int i = 0; name && i < MUTANTS; i++) {
        if (streq(table[i].name, name)) {
            mutant = (enum mutant)i;
            disk_lies = mutant == LYING_DISK;
            return true;
        }
    }
    return !name;
}

void mutants_list(void)
{
    for (int i = 1; i < MUTANTS; i++)
        printf("%s %s\n", table[i].name, table[i].text);
}

/* ---- what a commit checks ---- */

void mutant_before_commit(struct txn *t)
{
    for (struct txn_entry **at = &t->entries; *at;) {
        struct txn_entry *e = *at;

        if (mutant == RELATIONS)
            e->rel_read = false;
        bool only_read = !e->edit && !e->deleted;

        if ((mutant == READS && e->base && only_read) ||
            (mutant == ABSENCE && !e->base && only_read))
            *at = e->next;
        else
            at = &e->next;
    }
    if (mutant == MEMBERSHIP)
        memset(t->scanned, 0, sizeof(t->scanned));
}

/* ---- the database ---- */

/* Told to be durable, and not even given to the database. */
static struct db_commit held;
static struct arena held_arena;

static void hold(const struct db_commit *c)
{
    struct arena *a = &held_arena;

    arena_fini(a);
    struct db_row *rows = arena_memdup(a, c->rows, c->n_rows * sizeof(*rows));

    for (size_t i = 0; i < c->n_rows; i++) {
        rows[i].class_name = arena_strdup(a, rows[i].class_name);
        rows[i].ref = arena_strdup(a, rows[i].ref);
        rows[i].json = rows[i].json ? arena_memdup0(a, rows[i].json, rows[i].json_len) : NULL;
    }
    held = *c;
    held.rows = rows;
    held.who = arena_strdup(a, c->who);
    held.task = arena_strdup(a, c->task);
    held.call = arena_strdup(a, c->call);
}

typeof(db_commit) __real_db_commit;

struct error *mutant_db_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    if (mutant != EARLY)
        return __real_db_commit(db, commits, n);
    if (held.n_rows && held.generation + 1 == commits[0].generation)
        TRY(__real_db_commit(db, &held, 1));
    held.n_rows = 0;
    if (n > 1)
        TRY(__real_db_commit(db, commits, n - 1));
    hold(&commits[n - 1]);
    return NULL;
}

/* ---- waiting, events ---- */

typeof(waiting_add) __real_waiting_add, __wrap_waiting_add;

bool __wrap_waiting_add(struct waiting *w, struct waiter *waiter, uint64_t seen_seq)
{
    return __real_waiting_add(w, waiter, mutant == WAKE_UP ? UINT64_MAX : seen_seq);
}

typeof(store_changes) __real_store_changes, __wrap_store_changes;

void __wrap_store_changes(struct store *s, const struct interest *interest,
                          const struct token *since, struct changes *ret)
{
    __real_store_changes(s, interest, since, ret);
    if (mutant == EVENT_GAP)
        ret->now = store_now(s);
}

void mutant_new_life(void)
{
    held.n_rows = 0;
}

bool mutant_drops_tombstone(void)
{
    return mutant == TOMBSTONES && chance_in(sched_chance(), 1, 4);
}

/* ---- plans ---- */

static const struct plan_type *without_undo(const struct plan_type *of)
{
    struct plan_type *type = xmalloc(sizeof(*type));
    struct plan_step *steps = xnew_array(struct plan_step, (size_t)of->n_steps);

    memcpy(steps, of->steps, (size_t)of->n_steps * sizeof(*steps));
    for (int i = 0; i < of->n_steps; i++) {
        steps[i].undo = NULL;
        steps[i].unrecord = NULL;
    }
    *type = *of;
    type->steps = steps;
    return type;
}

typeof(plan_intend) __real_plan_intend, __wrap_plan_intend;

struct plan *__wrap_plan_intend(struct daemon *d, struct txn *t, const struct plan_type *type,
                                const struct intent *in)
{
    return __real_plan_intend(d, t, mutant == UNDO ? without_undo(type) : type, in);
}

typeof(plan_unmark_all) __real_plan_unmark_all, __wrap_plan_unmark_all;

struct error *__wrap_plan_unmark_all(struct plan *p, struct txn *t)
{
    return mutant == MARKS && p->undoing ? NULL : __real_plan_unmark_all(p, t);
}

typeof(engine_recover) __real_engine_recover, __wrap_engine_recover;

struct error *__wrap_engine_recover(struct engine *e)
{
    return mutant == RECOVERY ? NULL : __real_engine_recover(e);
}

typeof(stage_derive) __real_stage_derive, __wrap_stage_derive;

void __wrap_stage_derive(struct commit_stage *st)
{
    if (mutant != DERIVED || !chance_in(sched_chance(), 1, 10))
        __real_stage_derive(st);
}
