/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store by itself: the file, its rows as the database keeps them, then as the model takes them.
 */
#include "verify/verify.h"

#include "base/io.h"
#include "db/db_image.h"
#include "value/json.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

/* ---- a copy of one moment ---- */

static struct error *copy_store(struct verify *v, const char **ret)
{
    _cleanup_db_image_ struct db_image img = {0};
    const char *path = state_path(v, "store.db");
    const char *copy = arena_printf(&v->arena, "%s/store.db", v->copy_dir);

    TRY(db_image_read(path, &img));
    TRY(db_image_write(&img, copy));
    *ret = copy;
    return NULL;
}

/* ---- as the database keeps it ---- */

struct raw_row {
    uint64_t generation, created;
};

struct raw {
    struct verify *v;
    struct strmap rows; /* reference -> struct raw_row */
};

static struct error *raw_row(void *ctx, const char *class_name, const char *ref,
                             uint64_t generation, uint64_t created, const char *json, size_t len)
{
    struct raw *raw = ctx;
    struct raw_row *row = arena_new(&raw->v->arena, struct raw_row);

    *row = (struct raw_row){generation, created};
    strmap_set(&raw->rows, arena_strdup(&raw->v->arena, ref), row);
    if (created > generation)
        add_finding(raw->v, ERROR, "row-order", ref,
                    "%s %s was last changed in commit %" PRIu64
                    ", before it was made in commit %" PRIu64 ".",
                    class_name, ref, generation, created);
    return NULL;
}

static struct error *raw_tombstone(void *ctx, const char *class_name, const char *ref,
                                   uint64_t generation, uint64_t created)
{
    struct raw *raw = ctx;
    const struct raw_row *row = strmap_find(&raw->rows, ref);

    if (row && generation >= row->created)
        add_finding(raw->v, ERROR, "tombstone-of-living", ref,
                    "%s %s was deleted in commit %" PRIu64 " and still has a row.", class_name, ref,
                    generation);
    return NULL;
}

static struct finding *add_damage(struct verify *v, const char *why)
{
    struct finding *f = add_finding(v, ERROR, "store-damaged", "store.db", "%s", why);

    advise(f, "stop xenolithd, then let --repair write what can be read into a new store, or put a "
              "saved copy in its place (docs/operations.md)");
    offer(f, repair_store, "store.db",
          "write all that can be read into a new store.db and keep the damaged one beside it");
    return f;
}

/* Damage is a finding; what else is wrong is found by opening it as a store. */
static void check_file(struct verify *v, const char *copy)
{
    struct raw raw = {.v = v};
    const struct db_loader l = {.ctx = &raw, .row = raw_row, .tombstone = raw_tombstone};
    struct db *db = NULL;
    uint64_t generation;
    struct error *e = db_sqlite_open(copy, &db);

    if (!e)
        e = db_sqlite_check(db);
    if (!e)
        e = db_load(db, &l, &generation);
    db_close(db);
    strmap_fini(&raw.rows);
    if (error_is(e, DB_DAMAGED))
        add_damage(v, e->params[0]);
    error_free(e);
}

/* ---- as the model takes it ---- */

static void note_damaged(void *ctx, const char *class_name, const char *ref, const char *why)
{
    struct verify *v = ctx;
    const char *near = strstr(why, " near "); /* and the text itself, which may be secret */

    advise(add_finding(v, ERROR, "object-unreadable", ref, "%s %s cannot be read: %.*s.",
                       *class_name ? class_name : "An object", ref,
                       (int)(near ? (size_t)(near - why) : strlen(why)), why),
           "see store-damaged; without a saved copy this object is lost%s",
           streq(class_name, "VDI") ? ", but its data is not: a scan of its repository finds it"
                                    : "");
}

static void note_dangling(void *ctx, enum class_id class_id, const char *ref, const char *field,
                          const char *target)
{
    struct verify *v = ctx;

    advise(add_finding(v, ERROR, "reference-dangling", ref,
                       "%s %s: its field %s names %s, which does not exist.",
                       classes[class_id].name, ref, field, target),
           "it counts as null; the row says so after its next change");
}

static void note_unknown(void *ctx, const char *class_name, const char *ref)
{
    struct verify *v = ctx;

    add_finding(v, NOTE, "class-unknown", ref,
                "%s is of class %s, which a newer version wrote; it is kept as it is.", ref,
                class_name);
}

static struct error *open_copy(struct verify *v, const char *copy)
{
    const struct store_notes notes = {
        .ctx = v, .damaged = note_damaged, .dangling = note_dangling, .unknown = note_unknown};

    TRY(store_open_file(copy, &notes, &v->store));
    const char *why = store_read_only(v->store);
    bool told = false;

    for (int i = 1; i < CLASS_MAX; i++)
        v->checked[CHECKED_ROWS] += store_count(v->store, i);

    vec_foreach (f, &v->found)
        told |= streq(f->code, "store-damaged");
    if (why && !told)
        add_damage(v, why);
    return NULL;
}

struct error *check_store(struct verify *v)
{
    const char *copy;

    TRY(copy_store(v, &copy));
    check_file(v, copy);
    return open_copy(v, copy);
}
