/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new file from what can be read of a damaged one. Rows keep their generations, so that listeners
 * go on where they were; lost objects become deleted ones, with a generation behind all that is
 * known, so that none is used twice and listeners hear of them.
 */
#include "base/arena.h"
#include "base/io.h"
#include "base/map.h"
#include "base/vec.h"
#include "base/world.h"
#include "db/sqlite_priv.h"

#include <errno.h>
#include <libgen.h>

struct gone {
    const char *class_name;
    const char *ref;
};

struct rebuild {
    struct db_sqlite *to;
    const struct db_keep *keep;
    struct arena arena;
    struct strmap kept; /* references */
    struct VEC(struct gone) gone;
    int64_t n_tombstones;
};

static struct error *insert(struct rebuild *r, const char *class_name, const char *ref,
                            uint64_t generation, uint64_t created, const char *json, size_t len)
{
    sqlite3_stmt *s = r->to->stmts[S_INSERT];

    sqlite3_bind_text(s, 1, ref, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, class_name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (int64_t)generation);
    sqlite3_bind_int64(s, 4, (int64_t)created);
    sqlite3_bind_int64(s, 5, sqlite_row_sum(class_name, ref, generation, created, json, len));
    sqlite3_bind_int64(s, 6, 0);
    sqlite3_bind_text64(s, 7, json, len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite_run(r->to, S_INSERT) ? NULL : sqlite_error(r->to, "cannot write %s", ref);
}

static struct error *take_row(void *ctx, const char *class_name, const char *ref,
                              uint64_t generation, uint64_t created, const char *json, size_t len)
{
    struct rebuild *r = ctx;
    const struct gone id = {arena_strdup(&r->arena, class_name), arena_strdup(&r->arena, ref)};

    if (!r->keep->row(r->keep->ctx, class_name, ref)) {
        vec_add(&r->gone, id);
        return NULL;
    }
    strmap_set(&r->kept, id.ref, (void *)(uintptr_t)id.ref);
    return insert(r, class_name, ref, generation, created, json, len);
}

static struct error *take_tombstone(void *ctx, const char *class_name, const char *ref,
                                    uint64_t generation, uint64_t created)
{
    struct rebuild *r = ctx;
    sqlite3_stmt *s = r->to->stmts[S_TOMBSTONE];

    sqlite3_bind_int64(s, 1, ++r->n_tombstones);
    sqlite3_bind_int64(s, 2, (int64_t)generation);
    sqlite3_bind_text(s, 3, class_name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, ref, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, (int64_t)created);
    sqlite3_bind_int64(s, 6, 0);
    sqlite3_bind_int64(s, 7, sqlite_row_sum(class_name, ref, generation, created, "", 0));
    return sqlite_run(r->to, S_TOMBSTONE) ? NULL : sqlite_error(r->to, "cannot write %s", ref);
}

/* Told after the rows: what was kept in an older state is not gone. */
static void take_damaged(void *ctx, const char *class_name, const char *ref, const char *why)
{
    struct rebuild *r = ctx;

    if (*class_name && !strmap_find(&r->kept, ref))
        vec_add(&r->gone,
                (struct gone){arena_strdup(&r->arena, class_name), arena_strdup(&r->arena, ref)});
}

static struct error *write_history(struct rebuild *r, uint64_t generation)
{
    sqlite3_stmt *s = r->to->stmts[S_HISTORY];
    static const char *const texts[] = {"", "", "repair", "", ""}; /* who, task, call, class, ref */

    sqlite3_bind_int64(s, 1, 1);
    sqlite3_bind_int64(s, 2, (int64_t)generation);
    sqlite3_bind_int64(s, 3, now_us());
    for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
        sqlite3_bind_text(s, 4 + i, texts[i], -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 9, 0);
    sqlite3_bind_int(s, 10, 0);
    return sqlite_run(r->to, S_HISTORY) ? NULL : sqlite_error(r->to, "cannot write history");
}

/* The note of a repair is itself a deletion, of something that never was: it has no class, so
 * nobody is told, and its generation is the newest. */
static struct error *end_with(struct rebuild *r, uint64_t generation)
{
    vec_foreach (g, &r->gone)
        TRY(take_tombstone(r, g->class_name, g->ref, generation, 0));
    TRY(take_tombstone(r, "repair", "", generation, generation));
    return write_history(r, generation);
}

static struct error *fill(struct rebuild *r, struct db *from)
{
    const struct db_loader l = {
        .ctx = r, .row = take_row, .tombstone = take_tombstone, .damaged = take_damaged};
    uint64_t generation;

    TRY(sqlite_exec(r->to, "BEGIN IMMEDIATE"));
    TRY(db_load(from, &l, &generation));
    TRY(end_with(r, generation + 1));
    return sqlite_exec(r->to, "COMMIT");
}

static struct error *write_new(const char *path, const struct db_keep *keep, struct db *from)
{
    struct rebuild r = {.keep = keep};
    struct db *to;

    TRY(db_sqlite_open(path, &to));
    r.to = sqlite_of(to);
    arena_init(&r.arena);
    struct error *e = fill(&r, from);

    db_close(to);
    strmap_fini(&r.kept);
    vec_fini(&r.gone);
    arena_fini(&r.arena);
    return e;
}

/* The old log goes first: over the new file it would be damage. */
static struct error *replace(const char *path, const char *fresh)
{
    _cleanup_free_ char *wal = xasprintf("%s-wal", path);
    _cleanup_free_ char *copy = xstrdup(path);

    TRY(io_unlink(wal));
    if (rename(fresh, path) < 0)
        return error_errno(errno, "cannot rename %s to %s", fresh, path);
    return io_fsync_dir(dirname(copy));
}

struct error *db_rebuild(const char *path, const struct db_keep *keep, char **ret_copy)
{
    _cleanup_free_ char *fresh = xasprintf("%s.rebuilt", path);
    _cleanup_free_ char *fresh_wal = xasprintf("%s-wal", fresh);
    _cleanup_free_ char *copy = NULL;
    _cleanup_db_ struct db *from = NULL;

    TRY(db_keep_copy(path, &copy));
    TRY(db_salvage_open(path, "it is being repaired", &from));
    TRY(io_unlink(fresh));
    TRY(io_unlink(fresh_wal));
    TRY(write_new(fresh, keep, from));
    TRY(replace(path, fresh));
    *ret_copy = TAKE_PTR(copy);
    return NULL;
}
