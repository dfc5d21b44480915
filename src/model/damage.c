/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A damaged database. The daemon must neither refuse to tell what is left nor act on a store in
 * which rows are missing: it goes on with what can be read and changes nothing.
 */
#include "gen/errors.h"
#include "model/store_priv.h"

void store_set_read_only(struct store *s, const char *why)
{
    if (!s->read_only)
        __atomic_store_n(&s->read_only,
                         xasprintf("the store is damaged and read-only until it is repaired "
                                   "(xenolith-verify --repair): %s",
                                   why),
                         __ATOMIC_RELEASE);
}

const char *store_read_only(struct store *s)
{
    return __atomic_load_n(&s->read_only, __ATOMIC_ACQUIRE);
}

struct error *store_refusal(const struct store *s)
{
    return s->read_only ? err_operation_not_allowed(s->read_only) : NULL;
}

static struct error *open_whole(const char *path, const struct store_notes *notes,
                                struct store **ret)
{
    struct db *db;

    TRY(db_sqlite_open(path, &db));
    return store_open(db, notes, ret);
}

static void warn(const struct store_notes *notes, const char *text)
{
    if (notes && notes->warn)
        notes->warn(notes->ctx, text);
}

/* A disk that has no room for the copy is no reason to tell nothing. */
static void keep_copy(const char *path, const struct store_notes *notes)
{
    _cleanup_free_ char *copy = NULL;
    _cleanup_error_ struct error *e = db_keep_copy(path, &copy);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;
    _cleanup_free_ char *text =
        e ? xasprintf("no copy of the damaged store could be kept: %s", problem)
          : xasprintf("a copy of the damaged store is kept as %s", copy);

    warn(notes, text);
}

struct error *store_open_file(const char *path, const struct store_notes *notes, struct store **ret)
{
    struct error *e = open_whole(path, notes, ret);
    struct db *db;

    if (!error_is(e, DB_DAMAGED))
        return e;
    _cleanup_error_ struct error *damage = e;

    warn(notes, damage->params[0]);
    keep_copy(path, notes);
    e = db_salvage_open(path, damage->params[0], &db);
    if (e)
        return error_prepend(e, "%s", damage->params[0]);
    return store_open(db, notes, ret);
}
