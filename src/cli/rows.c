/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/rows.h"

#include "gen/errors.h"

#include <assert.h>

/* More single rows than this, and the whole class is fetched. */
#define SINGLE_ROWS 4

void store_init(struct store *s, struct client *c)
{
    *s = (struct store){.c = c};
    arena_init(&s->arena);
}

void store_fini(struct store *s)
{
    vec_foreach (table, &s->tables) {
        struct table *t = *table;

        vec_foreach (text, &t->texts)
            str_fini(text);
        vec_fini(&t->texts);
        vec_fini(&t->rows);
        vec_fini(&t->wanted);
        strmap_fini(&t->by_ref);
        free(t);
    }
    vec_fini(&s->tables);
    arena_fini(&s->arena);
}

struct table *store_table(struct store *s, const char *cls)
{
    vec_foreach (table, &s->tables)
        if (streq((*table)->cls, cls))
            return *table;
    struct table *t = xnew(struct table);

    t->cls = cls;
    vec_add(&s->tables, t);
    return t;
}

static bool is_wanted(const struct table *t, const char *field, size_t *ret)
{
    size_t i = 0;

    /* Names are nearly always the same constant. */
    while (i < t->wanted.n && t->wanted.v[i] != field)
        i++;
    if (i == t->wanted.n)
        for (i = 0; i < t->wanted.n && !streq(t->wanted.v[i], field);)
            i++;
    *ret = i;
    return i < t->wanted.n;
}

size_t table_want(struct table *t, const char *field)
{
    size_t i;

    if (is_wanted(t, field, &i))
        return i;
    assert(!t->rows.n && !t->is_loaded);
    vec_add(&t->wanted, field);
    return t->wanted.n - 1;
}

size_t table_want_late(struct table *t, const char *field)
{
    size_t i;

    if (is_wanted(t, field, &i))
        return i;
    t->rows.n = t->n_indexed = 0;
    t->is_loaded = false;
    strmap_fini(&t->by_ref);
    return table_want(t, field);
}

/* Members of a record: all wanted ones, whatever their order. */
static bool read_row(struct table *t, struct skim *record, struct row *r)
{
    size_t n = t->wanted.n, next = 0, left = n;
    struct slice key, value;

    while (skim_key(record, &key)) {
        if (!skim_value(record, &value))
            return false;
        /* Records of a class have their members in one order: the search goes on where the last
         * hit was. */
        for (size_t tries = 0; left && tries < n; tries++) {
            size_t i = next + tries < n ? next + tries : next + tries - n;

            if (!slice_is(key, t->wanted.v[i]))
                continue;
            r->v[i] = value;
            next = i + 1 < n ? i + 1 : 0;
            left--;
            break;
        }
    }
    return !record->bad;
}

static struct row *add_row(struct store *s, struct table *t, const char *ref, size_t n)
{
    struct row *r = arena_zalloc(&s->arena, sizeof(*r) + t->wanted.n * sizeof(struct slice));

    r->ref = arena_memdup0(&s->arena, ref, n);
    vec_add(&t->rows, r);
    return r;
}

/* Keeps the text and finds the result in it. */
static struct error *keep(struct table *t, struct str *text, struct skim *ret)
{
    struct slice key, value;
    struct skim s;

    vec_add(&t->texts, *text);
    bool good = skim_enter((struct slice){str_cstr(text), text->len}, &s);

    *text = STR_INIT;
    while (good && skim_key(&s, &key)) {
        if (slice_is(key, "result"))
            return skim_open(&s, ret) ? NULL : error_text("the server's answer is no record");
        good = skim_value(&s, &value);
    }
    return error_text("the server's answer is not JSON-RPC");
}

/* All rows, from the answer to get_all_records, which is taken over. */
static struct error *read_rows(struct store *s, struct table *t, struct str *text)
{
    struct skim all, record;
    struct slice key;

    TRY(keep(t, text, &all));
    /* Single rows of before stand among all rows again. */
    t->rows.n = t->n_indexed = 0;
    strmap_fini(&t->by_ref);
    while (skim_key(&all, &key)) {
        if (!skim_open(&all, &record))
            return error_text("the server's answer is no record");
        if (!read_row(t, &record, add_row(s, t, key.p, key.n)))
            return error_text("the server's answer is not JSON");
        all.p = record.p + 1;
    }
    t->is_loaded = true;
    return all.bad ? error_text("the server's answer is not JSON") : NULL;
}

static struct error *load_only(struct store *s, struct table *t)
{
    _cleanup_free_ char *message = xasprintf("%s.get_all_records_where", t->cls);
    _cleanup_str_ struct str text = STR_INIT;

    TRY(call_text(s->c, &text, message, json_pack("[s]", t->only)));
    return read_rows(s, t, &text);
}

static struct error *load(struct store *s, struct table *const *tables, size_t n)
{
    char **messages = xnew_array(char *, n + 1);
    struct str *texts = xnew_array(struct str, n + 1);

    for (size_t i = 0; i < n; i++)
        messages[i] = xasprintf("%s.get_all_records", tables[i]->cls);
    struct error *e = call_texts(s->c, texts, messages, n);

    for (size_t i = 0; i < n; i++) {
        if (!e)
            e = read_rows(s, tables[i], &texts[i]);
        str_fini(&texts[i]);
        free(messages[i]);
    }
    free(texts);
    free(messages);
    return e;
}

struct error *table_load(struct store *s, struct table *t)
{
    if (t->is_loaded)
        return NULL;
    return t->only ? load_only(s, t) : load(s, &t, 1);
}

struct error *store_load(struct store *s)
{
    return load(s, s->tables.v, s->tables.n);
}

struct error *table_load_one(struct store *s, struct table *t, const char *ref,
                             const struct row **ret)
{
    _cleanup_free_ char *message = xasprintf("%s.get_record", t->cls);
    _cleanup_str_ struct str text = STR_INIT;
    struct skim record;

    TRY(call_text(s->c, &text, message, json_pack("[s]", ref)));
    TRY(keep(t, &text, &record));
    struct row *r = add_row(s, t, ref, strlen(ref));

    t->n_single++;
    if (!read_row(t, &record, r))
        return error_text("the server's answer is not JSON");
    *ret = r;
    return NULL;
}

static const struct row *indexed(struct table *t, const char *ref, size_t n)
{
    for (; t->n_indexed < t->rows.n; t->n_indexed++)
        strmap_set(&t->by_ref, t->rows.v[t->n_indexed]->ref, t->rows.v[t->n_indexed]);
    return strmap_find_mem(&t->by_ref, ref, n);
}

struct error *table_find(struct store *s, struct table *t, struct slice ref, const struct row **ret)
{
    _cleanup_free_ char *text = NULL;

    if (!slice_is_string(ref)) {
        *ret = NULL;
        return NULL;
    }
    *ret = indexed(t, ref.p + 1, ref.n - 2);
    if (*ret || t->is_loaded)
        return NULL;
    if (t->n_single >= SINGLE_ROWS) {
        TRY(table_load(s, t));
        *ret = indexed(t, ref.p + 1, ref.n - 2);
        return NULL;
    }
    text = xmemdup0(ref.p + 1, ref.n - 2);
    struct error *e = table_load_one(s, t, text, ret);

    if (e && error_is(e, ERR_HANDLE_INVALID)) {
        error_free(e);
        *ret = NULL;
        return NULL;
    }
    return e;
}
