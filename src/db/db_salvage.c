/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can still be read of a damaged database file. Every page is looked at by itself: a row is
 * known by its checksum wherever it stands, so a lost root or header costs nothing but itself. What
 * is missing is known from the index of references, which names every row and its number, and from
 * history, which tells classes.
 *
 * The result is a database that loads and refuses to commit. The files are not touched.
 */
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "db/db_image.h"
#include "db/sqlite_priv.h"

#include <inttypes.h>

/* The last word of history, or of the index, on a reference. */
struct mention {
    const char *class_name; /* "" = not known */
    const char *ref;
    uint64_t generation;
    int64_t rowid;
    bool deleted;
};

struct saved {
    const char *class_name;
    const char *ref;
    const char *json;
    size_t json_len;
    uint64_t generation, created;
    int64_t rowid;
    bool stale; /* history knows a later state */
};

struct lost {
    const char *class_name;
    const char *ref;
    const char *why;
};

struct db_salvage {
    struct db db;
    struct arena arena;
    struct VEC(struct saved *) rows;
    struct VEC(struct saved *) tombstones;
    struct VEC(struct saved) spoilt; /* rows whose checksum is wrong */
    struct VEC(struct lost) lost;
    struct VEC(struct mention *) keys;
    struct strmap by_ref;  /* struct saved */
    struct strmap gone;    /* struct saved: the newest tombstone */
    struct strmap history; /* struct mention */
    struct strmap indexed; /* references in the index */
    uint64_t generation;   /* of what was checked */
    bool old_states;       /* pages of a former state may be among those read */
};

static struct db_salvage *salvage_of(struct db *db)
{
    return container_of(db, struct db_salvage, db);
}

/* ---- the kinds of records ---- */

static const char *text_at(struct db_salvage *d, const struct page_entry *e, int column)
{
    const struct column *c = &e->columns[column];

    return arena_memdup0(&d->arena, c->text, c->len);
}

static bool has_kinds(const struct page_entry *e, const char *kinds)
{
    static const char names[] = {
        [COLUMN_NULL] = 'n', [COLUMN_INT] = 'i', [COLUMN_TEXT] = 't', [COLUMN_OTHER] = '?'};

    if ((size_t)e->n != strlen(kinds))
        return false;
    for (int i = 0; i < e->n; i++)
        if (names[e->columns[i].kind] != kinds[i])
            return false;
    return true;
}

static void take_object(struct db_salvage *d, const struct page_entry *e)
{
    struct saved s = {
        .ref = text_at(d, e, 0),
        .class_name = text_at(d, e, 1),
        .generation = (uint64_t)e->columns[2].i,
        .created = (uint64_t)e->columns[3].i,
        .json = text_at(d, e, 6),
        .json_len = e->columns[6].len,
        .rowid = e->rowid,
    };
    struct saved *known = strmap_find(&d->by_ref, s.ref);

    if (sqlite_row_sum(s.class_name, s.ref, s.generation, s.created, s.json, s.json_len) !=
        e->columns[4].i) {
        vec_add(&d->spoilt, s);
        return;
    }
    d->generation = MAX(d->generation, s.generation);
    if (known) {
        if (known->generation < s.generation)
            *known = s;
        return;
    }
    known = arena_new(&d->arena, struct saved);
    *known = s;
    vec_add(&d->rows, known);
    strmap_set(&d->by_ref, known->ref, known);
}

/* Of the first format they have no checksum. */
static void take_tombstone(struct db_salvage *d, const struct page_entry *e)
{
    struct saved *s = arena_new(&d->arena, struct saved);

    *s = (struct saved){
        .generation = (uint64_t)e->columns[1].i,
        .class_name = text_at(d, e, 2),
        .ref = text_at(d, e, 3),
        .created = (uint64_t)e->columns[4].i,
        .rowid = e->rowid,
    };
    if (e->n == 7) {
        if (sqlite_row_sum(s->class_name, s->ref, s->generation, s->created, "", 0) !=
            e->columns[6].i)
            return;
        d->generation = MAX(d->generation, s->generation);
    }
    const struct saved *known = strmap_find(&d->gone, s->ref);

    if (!known || known->generation < s->generation)
        strmap_set(&d->gone, s->ref, s);
    vec_add(&d->tombstones, s);
}

static void take_history(struct db_salvage *d, const struct page_entry *e)
{
    struct mention *m = strmap_find_mem(&d->history, e->columns[7].text, e->columns[7].len);
    uint64_t generation = (uint64_t)e->columns[1].i;

    if (!m) {
        m = arena_new(&d->arena, struct mention);
        m->class_name = text_at(d, e, 6);
        m->ref = text_at(d, e, 7);
        strmap_set(&d->history, m->ref, m);
    } else if (m->generation > generation) {
        return;
    }
    m->generation = generation;
    m->deleted = e->columns[8].i != 0;
}

static void take_key(struct db_salvage *d, const struct page_entry *e)
{
    struct mention *m = arena_new(&d->arena, struct mention);

    *m = (struct mention){.class_name = "", .ref = text_at(d, e, 0), .rowid = e->columns[1].i};
    vec_add(&d->keys, m);
    strmap_set(&d->indexed, m->ref, m);
}

static void take_entry(void *ctx, const struct page_entry *e)
{
    struct db_salvage *d = ctx;

    if (e->index && has_kinds(e, "ti"))
        take_key(d, e);
    else if (has_kinds(e, "ttiiiit"))
        take_object(d, e);
    else if (has_kinds(e, "nittii") || has_kinds(e, "nittiii"))
        take_tombstone(d, e);
    else if (has_kinds(e, "niitttttii"))
        take_history(d, e);
}

/* ---- what is missing ---- */

static const struct saved *spoilt_row(const struct db_salvage *d, int64_t rowid, const char *ref)
{
    vec_foreach (s, &d->spoilt)
        if (s->rowid == rowid || streq(s->ref, ref))
            return s;
    return NULL;
}

static bool is_deleted(const struct db_salvage *d, const char *ref, uint64_t generation)
{
    const struct mention *h = strmap_find(&d->history, ref);

    if (d->old_states && h && h->deleted && h->generation > generation)
        return true;
    const struct saved *t = strmap_find(&d->gone, ref);

    return t && t->generation > generation;
}

static void note_lost(struct db_salvage *d, const struct mention *m)
{
    const struct mention *h = strmap_find(&d->history, m->ref);
    const struct saved *spoilt = spoilt_row(d, m->rowid, m->ref);
    struct lost l = {
        .class_name = h        ? h->class_name
                      : spoilt ? spoilt->class_name
                               : m->class_name,
        .ref = m->ref,
        .why = spoilt ? "its checksum is wrong" : "the page that held it is damaged",
    };

    vec_add(&d->lost, l);
}

struct numbers VEC(int64_t);

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Keys of rows that were not found. A key whose row is there under another name is itself bad. */
static void find_missing_by_index(struct db_salvage *d)
{
    struct numbers have = {0};

    vec_foreach (row, &d->rows)
        vec_add(&have, (*row)->rowid);
    if (have.n)
        qsort(have.v, have.n, sizeof(*have.v), by_number);
    vec_foreach (key, &d->keys) {
        const struct mention *m = *key;

        if (strmap_find(&d->by_ref, m->ref) || strmap_find(&d->indexed, m->ref) != m ||
            (have.n && bsearch(&m->rowid, have.v, have.n, sizeof(*have.v), by_number)))
            continue;
        if (!is_deleted(d, m->ref, 0))
            note_lost(d, m);
    }
    vec_fini(&have);
}

static bool index_is_complete(const struct db_salvage *d)
{
    vec_foreach (row, &d->rows)
        if (!strmap_find(&d->indexed, (*row)->ref))
            return false;
    return d->keys.n > 0;
}

static void find_missing_by_history(struct db_salvage *d)
{
    const struct mention *m;
    size_t pos = 0;

    while ((m = strmap_next(&d->history, &pos, NULL)))
        if (!m->deleted && !strmap_find(&d->by_ref, m->ref) && !strmap_find(&d->indexed, m->ref))
            note_lost(d, m);
}

/* Rows of a former state: deleted since, or changed since. */
static void judge_old_rows(struct db_salvage *d)
{
    for (size_t i = 0; i < d->rows.n;) {
        struct saved *row = d->rows.v[i];
        const struct mention *h = strmap_find(&d->history, row->ref);

        if (is_deleted(d, row->ref, row->generation)) {
            strmap_remove(&d->by_ref, row->ref);
            vec_remove_fast(&d->rows, i);
            continue;
        }
        row->stale = d->old_states && h && h->generation > row->generation;
        i++;
    }
}

/* History has no checksums: it is believed as far as it is likely. */
static void follow_history(struct db_salvage *d)
{
    const uint64_t likely = d->generation + d->history.n + 1000;
    const struct mention *m;
    size_t pos = 0;

    while ((m = strmap_next(&d->history, &pos, NULL)))
        if (m->generation <= likely)
            d->generation = MAX(d->generation, m->generation);
}

static int by_generation(const void *a, const void *b)
{
    const struct saved *x = *(struct saved *const *)a, *y = *(struct saved *const *)b;

    return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static void read_pages(struct db_salvage *d, const struct db_image *img)
{
    _cleanup_free_ bool *free_pages = xnew_array(bool, (size_t)img->n_pages + 1);

    db_image_free_pages(img, free_pages);
    for (uint32_t i = 1; i <= img->n_pages; i++)
        if (!free_pages[i - 1])
            db_image_entries(img, i, d, take_entry);
    const unsigned char *first = db_image_page(img, 1);

    d->old_states = img->lost || !first || memcmp(first, "SQLite format 3", 16) != 0;
    judge_old_rows(d);
    find_missing_by_index(d);
    if (!index_is_complete(d))
        find_missing_by_history(d);
    follow_history(d);
    if (d->tombstones.n)
        qsort(d->tombstones.v, d->tombstones.n, sizeof(*d->tombstones.v), by_generation);
}

/* ---- the backend ---- */

static struct error *load_saved(struct db_salvage *d, const struct db_loader *l)
{
    vec_foreach (at, &d->rows) {
        const struct saved *row = *at;

        TRY(l->row(l->ctx, row->class_name, row->ref, row->generation, row->created, row->json,
                   row->json_len));
        if (row->stale && l->damaged)
            l->damaged(l->ctx, row->class_name, row->ref, "its last change was lost");
    }
    vec_foreach (at, &d->tombstones) {
        const struct saved *t = *at;

        TRY(l->tombstone(l->ctx, t->class_name, t->ref, t->generation, t->created));
    }
    vec_foreach (lost, &d->lost)
        if (l->damaged)
            l->damaged(l->ctx, lost->class_name, lost->ref, lost->why);
    return NULL;
}

static struct error *salvage_load(struct db *db, const struct db_loader *l,
                                  uint64_t *ret_generation)
{
    struct db_salvage *d = salvage_of(db);

    TRY(load_saved(d, l));
    *ret_generation = d->generation;
    return NULL;
}

static struct error *salvage_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    return error_api(DB_DAMAGED, 1, db->read_only);
}

static struct error *salvage_history(struct db *db, const char *ref, size_t max, void *ctx,
                                     struct error *(*entry)(void *ctx,
                                                            const struct db_history_entry *e))
{
    return error_api(DB_DAMAGED, 1, db->read_only);
}

static void salvage_close(struct db *db)
{
    struct db_salvage *d = salvage_of(db);

    vec_fini(&d->rows);
    vec_fini(&d->tombstones);
    vec_fini(&d->spoilt);
    vec_fini(&d->lost);
    vec_fini(&d->keys);
    strmap_fini(&d->by_ref);
    strmap_fini(&d->gone);
    strmap_fini(&d->history);
    strmap_fini(&d->indexed);
    arena_fini(&d->arena);
    free(db->read_only);
    free(d);
}

static const struct db_ops salvage_ops = {
    .name = "salvage",
    .load = salvage_load,
    .commit = salvage_commit,
    .history = salvage_history,
    .close = salvage_close,
};

struct error *db_salvage_open(const char *path, const char *why, struct db **ret)
{
    _cleanup_db_image_ struct db_image img = {0};

    TRY(db_image_read(path, &img));
    struct db_salvage *d = xnew(struct db_salvage);

    d->db.ops = &salvage_ops;
    d->db.read_only = xstrdup(why);
    arena_init(&d->arena);
    read_pages(d, &img);
    if (!d->rows.n) {
        salvage_close(&d->db);
        return error_text("%s: no row of it can be read", path);
    }
    *ret = &d->db;
    return NULL;
}
