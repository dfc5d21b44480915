/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Durability: what was given to the database, and what it has when it is opened again. */
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "db/db.h"
#include "simulation/fail.h"
#include "simulation/history_parts.h"
#include "simulation/mutants.h"
#include "simulation/sched.h"

#include <inttypes.h>

struct row {
    char *ref;
    char class_name[32];
    uint64_t generation, created;
    uint64_t json; /* hash; 0 = there is no row */
};

/* One row as a commit gave it. */
struct given {
    char *ref;
    char class_name[32];
    uint64_t generation, created, json;
};

static struct strmap rows;
static size_t n_rows, n_deleted;
static uint64_t promised;                  /* commits up to here were told to somebody */
static struct VEC(struct given) open_rows; /* given, and nobody knows whether they arrived */
static struct VEC(uint64_t) ends;          /* generations with which a group may end */

static uint64_t hash_json(const char *json, size_t len)
{
    return json ? hash_mem(json, len) | 1 : 0;
}

static struct row *row_of(const char *ref)
{
    struct row *r = strmap_find(&rows, ref);

    if (r)
        return r;
    r = xnew(struct row);
    r->ref = xstrdup(ref);
    strmap_set(&rows, r->ref, r);
    return r;
}

static void apply(const struct given *g)
{
    struct row *r = row_of(g->ref);

    n_rows += (g->json != 0) - (r->json != 0);
    n_deleted += r->json && !g->json;
    memcpy(r->class_name, g->class_name, sizeof(r->class_name));
    r->generation = g->generation;
    r->created = g->created;
    r->json = g->json;
}

/* What is open up to the generation is there after all; the rest never was. */
static void settle(uint64_t generation)
{
    vec_foreach (g, &open_rows) {
        if (g->generation <= generation)
            apply(g);
        free(g->ref);
    }
    open_rows.n = 0;
    ends.n = 0;
}

static void note(const struct db_commit *c)
{
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct db_row *r = &c->rows[i];
        struct given g = {.ref = xstrdup(r->ref),
                          .generation = c->generation,
                          .created = r->created,
                          .json = hash_json(r->json, r->json_len)};

        snprintf(g.class_name, sizeof(g.class_name), "%s", r->class_name);
        vec_add(&open_rows, g);
    }
}

typeof(db_commit) __real_db_commit, __wrap_db_commit;

struct error *__wrap_db_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    uint64_t last = commits[n - 1].generation;

    if (db->broken)
        return __real_db_commit(db, commits, n); /* refuses, and the disk sees nothing of it */
    /* After a failure that left the disk as it was, the same generations come again. */
    if (open_rows.n && open_rows.v[open_rows.n - 1].generation >= commits[0].generation)
        settle(commits[0].generation - 1);
    for (size_t i = 0; i < n; i++)
        note(&commits[i]);
    vec_add(&ends, last);
    struct error *e = mutant_db_commit(db, commits, n);

    if (e)
        return e;
    settle(last);
    promised = last;
    return NULL;
}

/* ---- opening ---- */

struct check {
    const struct db_loader *loader;
    size_t rows, tombstones;
    struct strmap seen; /* ref -> struct given */
};

static struct error *on_row(void *ctx, const char *class_name, const char *ref, uint64_t generation,
                            uint64_t created, const char *json, size_t len)
{
    struct check *c = ctx;
    struct given *g = xnew(struct given);

    *g = (struct given){.ref = xstrdup(ref),
                        .generation = generation,
                        .created = created,
                        .json = hash_json(json, len)};
    snprintf(g->class_name, sizeof(g->class_name), "%s", class_name);
    strmap_set(&c->seen, g->ref, g);
    c->rows++;
    return c->loader->row(c->loader->ctx, class_name, ref, generation, created, json, len);
}

static struct error *on_tombstone(void *ctx, const char *class_name, const char *ref,
                                  uint64_t generation, uint64_t created)
{
    struct check *c = ctx;

    c->tombstones++;
    return c->loader->tombstone(c->loader->ctx, class_name, ref, generation, created);
}

static void check_point(uint64_t generation)
{
    bool end = generation == promised;

    if (generation < promised)
        fail("the database came back at generation %" PRIu64 ", but commits up to %" PRIu64
             " had been told to somebody",
             generation, promised);
    vec_foreach (g, &ends)
        end |= *g == generation;
    if (!end)
        fail("the database came back in the middle of a group of commits, at generation %" PRIu64,
             generation);
}

static void compare(const struct check *c)
{
    const struct given *g;
    size_t pos = 0;

    while ((g = strmap_next(&c->seen, &pos, NULL))) {
        const struct row *r = strmap_find(&rows, g->ref);

        if (!r || !r->json)
            fail("the database has %s %s, which was never committed or was deleted", g->class_name,
                 g->ref);
        if (r->json != g->json || r->generation != g->generation || r->created != g->created)
            fail("the database has another %s %s than was committed", g->class_name, g->ref);
    }
    if (c->rows != n_rows)
        fail("the database lost %zu of %zu rows", n_rows - c->rows, n_rows);
    if (c->tombstones != n_deleted)
        fail("the database has %zu tombstones of %zu deletions", c->tombstones, n_deleted);
}

typeof(db_load) __real_db_load, __wrap_db_load;

struct error *__wrap_db_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    struct check c = {.loader = l};
    const struct db_loader mine = {.ctx = &c, .row = on_row, .tombstone = on_tombstone};
    struct error *e = __real_db_load(db, &mine, ret_generation);

    if (e)
        return e;
    check_point(*ret_generation);
    settle(*ret_generation);
    promised = *ret_generation;
    compare(&c);
    history_count_load(c.rows);
    trace_add(ret_generation, sizeof(*ret_generation));
    return NULL;
}

typeof(store_open) __real_store_open, __wrap_store_open;

struct error *__wrap_store_open(struct db *db, const struct store_notes *notes, struct store **ret)
{
    struct error *e = __real_store_open(db, notes, ret);

    if (e)
        return e;
    history_begin(*ret);
    published_begin(*ret);
    return NULL;
}
