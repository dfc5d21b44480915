/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of tests: same contract as on disk, kept in memory. Commits are checked as a whole
 * first and then applied, so that a refused one leaves no trace.
 */
#include "base/list.h"
#include "base/map.h"
#include "db/db.h"

struct mem_row {
    char *class_name;
    char *ref; /* key of the map */
    uint64_t generation;
    uint64_t created;
    char *json;
    size_t json_len;
};

struct mem_tombstone {
    struct list link;
    char *class_name;
    char *ref;
    uint64_t generation;
    uint64_t created;
};

struct mem_entry {
    struct list link;
    struct db_history_entry e; /* owns its strings */
    bool created;              /* the first entry of its object */
};

struct db_mem {
    struct db db;
    uint64_t generation;
    struct strmap rows;
    struct list tombstones; /* oldest first */
    size_t n_tombstones;
    struct list history; /* oldest first */
    size_t n_history;
};

static struct db_mem *mem_of(struct db *db)
{
    return container_of(db, struct db_mem, db);
}

static struct error *mem_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    struct db_mem *m = mem_of(db);
    struct mem_row *r;
    struct mem_tombstone *t;

    for (size_t pos = 0; (r = strmap_next(&m->rows, &pos, NULL));)
        TRY(l->row(l->ctx, r->class_name, r->ref, r->generation, r->created, r->json, r->json_len));
    list_foreach (t, &m->tombstones, link)
        TRY(l->tombstone(l->ctx, t->class_name, t->ref, t->generation, t->created));
    *ret_generation = m->generation;
    return NULL;
}

static void row_free(struct mem_row *r)
{
    free(r->class_name);
    free(r->ref);
    free(r->json);
    free(r);
}

/* The generation a row will have when the commits checked so far are in; 0 = none. */
static uint64_t pending_generation(const struct db_mem *m, const struct strmap *pending,
                                   const char *ref)
{
    const uint64_t *p = strmap_find(pending, ref);

    if (p)
        return *p;
    const struct mem_row *r = strmap_find(&m->rows, ref);

    return r ? r->generation : 0;
}

static struct error *check_commits(const struct db_mem *m, const struct db_commit *commits,
                                   size_t n, struct strmap *pending)
{
    static const uint64_t none;

    for (size_t i = 0; i < n; i++) {
        if (commits[i].generation != m->generation + 1 + i)
            return error_text("the commit has generation %llu, the database %llu",
                              (unsigned long long)commits[i].generation,
                              (unsigned long long)(m->generation + i));
        for (size_t k = 0; k < commits[i].n_rows; k++) {
            const struct db_row *r = &commits[i].rows[k];

            if (pending_generation(m, pending, r->ref) != r->expect)
                return error_api(DB_CONFLICT, 2, r->class_name, r->ref);
            strmap_set(pending, r->ref,
                       r->json ? (void *)(uintptr_t)&commits[i].generation
                               : (void *)(uintptr_t)&none);
        }
    }
    return NULL;
}

static void add_tombstone(struct db_mem *m, const struct mem_row *r, uint64_t generation)
{
    struct mem_tombstone *t = xnew(struct mem_tombstone);

    t->class_name = xstrdup(r->class_name);
    t->ref = xstrdup(r->ref);
    t->generation = generation;
    t->created = r->created;
    list_append(&m->tombstones, &t->link);
    m->n_tombstones++;
}

static void add_history(struct db_mem *m, const struct db_commit *c, const struct db_row *r)
{
    struct mem_entry *h = xnew(struct mem_entry);

    h->e = (struct db_history_entry){
        .generation = c->generation,
        .time_us = c->time_us,
        .who = xstrdup(c->who),
        .task = xstrdup(c->task),
        .call = xstrdup(c->call),
        .class_name = xstrdup(r->class_name),
        .ref = xstrdup(r->ref),
        .deleted = !r->json,
    };
    h->created = !r->expect;
    list_append(&m->history, &h->link);
    m->n_history++;
}

static void apply_row(struct db_mem *m, const struct db_commit *c, const struct db_row *r)
{
    struct mem_row *old = strmap_remove(&m->rows, r->ref);

    if (r->json) {
        struct mem_row *row = xnew(struct mem_row);

        *row = (struct mem_row){
            .class_name = xstrdup(r->class_name),
            .ref = xstrdup(r->ref),
            .generation = c->generation,
            .created = r->created,
            .json = xmemdup0(r->json, r->json_len),
            .json_len = r->json_len,
        };
        strmap_set(&m->rows, row->ref, row);
    } else {
        add_tombstone(m, old, c->generation);
    }
    if (old)
        row_free(old);
    add_history(m, c, r);
}

static void drop_tombstone(struct db_mem *m)
{
    struct mem_tombstone *t = list_entry(m->tombstones.next, struct mem_tombstone, link);

    list_remove(&t->link);
    m->n_tombstones--;
    free(t->class_name);
    free(t->ref);
    free(t);
}

static void drop_entry(struct db_mem *m)
{
    struct mem_entry *h = list_entry(m->history.next, struct mem_entry, link);
    const char *const strings[] = {h->e.who, h->e.task, h->e.call, h->e.class_name, h->e.ref};

    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        free((void *)(uintptr_t)strings[i]);
    list_remove(&h->link);
    m->n_history--;
    free(h);
}

static struct error *mem_maintain(struct db *db)
{
    struct db_mem *m = mem_of(db);

    while (m->n_tombstones > db->limits.tombstones)
        drop_tombstone(m);
    while (m->n_history > db->limits.history)
        drop_entry(m);
    return NULL;
}

static struct error *mem_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    struct db_mem *m = mem_of(db);
    struct strmap pending = {0};
    struct error *e = check_commits(m, commits, n, &pending);

    strmap_fini(&pending);
    if (e)
        return e;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < commits[i].n_rows; k++)
            apply_row(m, &commits[i], &commits[i].rows[k]);
    }
    m->generation += n;
    db->n_flushes++;
    return mem_maintain(db);
}

static struct error *mem_history(struct db *db, const char *ref, size_t max, void *ctx,
                                 struct error *(*entry)(void *ctx,
                                                        const struct db_history_entry *e))
{
    struct db_mem *m = mem_of(db);

    for (struct list *l = m->history.prev; l != &m->history && max; l = l->prev) {
        const struct mem_entry *h = list_entry(l, struct mem_entry, link);

        if (ref && !streq(h->e.ref, ref))
            continue;
        TRY(entry(ctx, &h->e));
        max--;
        if (ref && h->created)
            break;
    }
    return NULL;
}

static void mem_close(struct db *db)
{
    struct db_mem *m = mem_of(db);
    struct mem_row *r;

    for (size_t pos = 0; (r = strmap_next(&m->rows, &pos, NULL));)
        row_free(r);
    strmap_fini(&m->rows);
    while (m->n_tombstones)
        drop_tombstone(m);
    while (m->n_history)
        drop_entry(m);
    free(m);
}

static const struct db_ops mem_ops = {
    .name = "mem",
    .load = mem_load,
    .commit = mem_commit,
    .history = mem_history,
    .maintain = mem_maintain,
    .close = mem_close,
};

struct error *db_mem_open(struct db **ret)
{
    struct db_mem *m = xnew(struct db_mem);

    m->db.ops = &mem_ops;
    m->db.limits = (struct db_limits){DB_TOMBSTONES_MAX, DB_HISTORY_MAX};
    list_init(&m->tombstones);
    list_init(&m->history);
    *ret = &m->db;
    return NULL;
}
