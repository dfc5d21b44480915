/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/settled.h"
#include "api/database/database.h"

#define PIECE (256u << 10)

/* Sessions and tasks live in memory only; messages are no part of a database of the XenAPI. */
static bool is_dumped(int class_id)
{
    const struct class_info *ci = &classes[class_id];

    return ci->info && ci->stored && ci->in_database && !ci->soft && class_id != CLASS_TASK;
}

static void clear(struct database_rows *r)
{
    for (int i = 0; i < CLASS_MAX; i++)
        version_list_fini(&r->of[i]);
    r->n = 0;
}

static struct error *collect(void *ctx)
{
    struct database_rows *r = ctx;

    clear(r);
    r->generation = store_now(r->store).generation;
    for (int i = 0; i < CLASS_MAX; i++)
        if (is_dumped(i)) {
            store_all(r->store, (enum class_id)i, &r->of[i]);
            r->n += r->of[i].n;
        }
    return NULL;
}

struct error *database_collect(struct store *s, struct database_rows *ret)
{
    *ret = (struct database_rows){.store = s};
    return read_settled(s, collect, ret);
}

void database_rows_fini(struct database_rows *r)
{
    clear(r);
}

struct writing {
    const struct database_sink *sink;
    struct str text;
    size_t done;
};

static struct error *flush(struct writing *w, size_t least)
{
    if (w->text.len < least)
        return NULL;
    struct error *e = w->sink->fn(w->sink->ctx, str_cstr(&w->text), w->text.len, w->done);

    str_clear(&w->text);
    return e;
}

static struct error *write_rows(struct writing *w, const struct version_list *rows)
{
    vec_foreach (v, rows) {
        dump_row(&w->text, version_class(*v), version_ref_text(*v), (*v)->rec, (*v)->created_gen,
                 (*v)->hard_gen);
        w->done++;
        TRY(flush(w, PIECE));
    }
    return NULL;
}

static struct error *write_all(struct writing *w, const struct database_rows *r)
{
    const struct dump_manifest manifest = {.schema_major = DUMP_SCHEMA_MAJOR,
                                           .schema_minor = DUMP_SCHEMA_MINOR,
                                           .generation = (int64_t)r->generation};

    dump_begin(&w->text, &manifest);
    for (int i = 0; i < CLASS_MAX; i++) {
        if (!is_dumped(i))
            continue;
        dump_table(&w->text, (enum class_id)i);
        TRY(write_rows(w, &r->of[i]));
        dump_table_end(&w->text);
    }
    dump_end(&w->text);
    return flush(w, 0);
}

struct error *database_write(const struct database_rows *r, const struct database_sink *sink)
{
    struct writing w = {.sink = sink};
    struct error *e = write_all(&w, r);

    str_fini(&w.text);
    return e;
}
