/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/journal.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "simulation/fail.h"

static const char *const class_of[THING_KINDS] = {"VM", "VM", "VDI", "VBD", "task"};
static struct VEC(struct thing *) things[THING_KINDS];

struct thing *journal_made(enum thing_kind kind, const char *ref)
{
    struct thing *t = xnew(struct thing);

    snprintf(t->ref, sizeof(t->ref), "%s", ref);
    t->kind = kind;
    vec_add(&things[kind], t);
    return t;
}

void journal_ending(struct thing *t)
{
    t->doubt++;
}

void journal_ended(struct thing *t, const struct answer *a)
{
    if (a->fate != FATE_ANSWERED)
        return;
    if (a->result)
        t->gone = true;
    else if (!streq(answer_code(a), "INTERNAL_ERROR"))
        t->doubt--; /* refused: it is as it was */
}

struct thing *journal_any(enum thing_kind kind, struct chance *c)
{
    for (int i = 0; i < 4 && things[kind].n; i++) {
        struct thing *t = things[kind].v[chance_below(c, things[kind].n)];

        if (!t->gone)
            return t;
    }
    return NULL;
}

size_t journal_count(enum thing_kind kind)
{
    size_t n = 0;

    vec_foreach (t, &things[kind])
        n += !(*t)->gone;
    return n;
}

/* ---- keys ---- */

enum belief { UNSURE, THERE, ABSENT };

struct key {
    char *name;
    enum belief belief;
};

static struct VEC(struct key *) keys;

static struct key *key_get(const char *name)
{
    vec_foreach (k, &keys) {
        if (streq((*k)->name, name))
            return *k;
    }
    struct key *k = xnew(struct key);

    k->name = xstrdup(name);
    vec_add(&keys, k);
    return k;
}

void journal_key_adding(const char *key)
{
    key_get(key)->belief = UNSURE;
}

void journal_key_added(const char *key, const struct answer *a)
{
    if (a->fate == FATE_ANSWERED && a->result)
        key_get(key)->belief = THERE;
    else if (a->fate == FATE_ANSWERED && !streq(answer_code(a), "INTERNAL_ERROR"))
        key_get(key)->belief = ABSENT;
}

void journal_key_removing(const char *key)
{
    key_get(key)->belief = UNSURE;
}

void journal_key_removed(const char *key, const struct answer *a)
{
    if (a->fate == FATE_ANSWERED && a->result)
        key_get(key)->belief = ABSENT;
    else if (a->fate == FATE_ANSWERED && !streq(answer_code(a), "INTERNAL_ERROR"))
        key_get(key)->belief = THERE;
}

/* ---- is it so? ---- */

static void check_things(struct client *c, const char *class_name)
{
    _cleanup_free_ char *method = xasprintf("%s.get_all", class_name);
    struct answer all = client_insist(c, method, json_array());
    struct strmap there = {0};
    json_t *ref;
    size_t i;

    json_array_foreach (all.result, i, ref)
        strmap_set(&there, json_string_value(ref), ref);
    for (int k = 0; k < THING_TASK; k++) {
        if (!streq(class_of[k], class_name))
            continue;
        vec_foreach (t, &things[k]) {
            bool exists = strmap_find(&there, (*t)->ref);

            if ((*t)->gone && exists)
                fail("%s %s exists although its end was answered", class_name, (*t)->ref);
            /* Disks go with a revert, what connects them with either end. */
            if (k <= THING_SNAPSHOT && !(*t)->gone && !(*t)->doubt && !exists)
                fail("%s %s is gone although nobody ended it", class_name, (*t)->ref);
        }
    }
    strmap_fini(&there);
    answer_fini(&all);
}

static void check_keys(struct client *c)
{
    struct answer all = client_insist(c, "pool.get_all_records", json_array());
    const char *pool;
    json_t *record;

    json_object_foreach (all.result, pool, record) {
        const json_t *map = json_object_get(record, "other_config");

        vec_foreach (k, &keys) {
            bool there = json_object_get(map, (*k)->name);

            if ((*k)->belief == THERE && !there)
                fail("key %s of the pool is missing although it was set", (*k)->name);
            if ((*k)->belief == ABSENT && there)
                fail("key %s of the pool is there although it was removed", (*k)->name);
        }
    }
    answer_fini(&all);
}

void journal_check(struct client *c)
{
    check_things(c, "VM");
    check_things(c, "VDI");
    check_things(c, "VBD");
    check_keys(c);
}
