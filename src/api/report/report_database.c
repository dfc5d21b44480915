/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows for strangers: the same shape as a dump, with nothing in it that opens anything. */
#include "api/database/database.h"
#include "api/report/report.h"
#include "stream/dump.h"
#include "value/value.h"

#include <strings.h>

#define HIDDEN "(hidden)"

/* Names under which clients and drivers keep passwords and keys. */
static bool sounds_secret(const char *key)
{
    static const char *const parts[] = {"pass", "secret", "token", "private", "credential", "chap"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (strcasestr(key, parts[i]))
            return true;
    return false;
}

static void hide_values(struct arena *a, const struct type *t, struct map *m)
{
    if (t->key->kind != K_STRING || t->elem->kind != K_STRING || !m->n)
        return;
    const char *const *k = m->k;
    const char **v = arena_memdup(a, m->v, m->n * sizeof(*v));

    for (size_t i = 0; i < m->n; i++)
        if (sounds_secret(k[i]) && *v[i])
            v[i] = HIDDEN;
    m->v = v;
}

/* Internal texts (states of plans, records of launches) may hold anything. */
void report_hide(struct arena *a, enum class_id class_id, void *rec)
{
    const struct struct_info *si = classes[class_id].info;

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        void *p = field_at_mut(f, rec);
        bool text = f->type->kind == K_STRING || f->type->kind == K_SECRET;
        bool hidden =
            f->type->kind == K_SECRET || f->flags & FIELD_INTERNAL || class_id == CLASS_SECRET;

        if (text && hidden && !streq(f->name, "uuid") && **(const char **)p)
            *(const char **)p = HIDDEN;
        else if (f->type->kind == K_MAP)
            hide_values(a, f->type, p);
    }
}

static void add_rows(struct arena *a, const struct version_list *rows, struct str *out)
{
    vec_foreach (v, rows) {
        const struct arena_mark before = arena_mark(a);
        enum class_id class_id = version_class(*v);
        void *rec = record_copy(a, classes[class_id].info, (*v)->rec);

        report_hide(a, class_id, rec);
        dump_row(out, class_id, version_ref_text(*v), rec, (*v)->created_gen, (*v)->hard_gen);
        arena_rewind(a, &before);
        if (out->len > report_part_max())
            return;
    }
}

struct error *report_database(struct daemon *d, struct arena *a, struct str *out)
{
    _cleanup_(database_rows_fini) struct database_rows r = {0};

    TRY(database_collect(d->store, &r));
    const struct dump_manifest m = {DUMP_SCHEMA_MAJOR, DUMP_SCHEMA_MINOR, (int64_t)r.generation};

    dump_begin(out, &m);
    for (int i = 0; i < CLASS_MAX && out->len <= report_part_max(); i++) {
        if (!r.of[i].n)
            continue;
        dump_table(out, (enum class_id)i);
        add_rows(a, &r.of[i], out);
        dump_table_end(out);
    }
    dump_end(out);
    return NULL;
}
