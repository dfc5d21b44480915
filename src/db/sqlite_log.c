/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading history, and keeping three things in bounds: history, tombstones, and the write-ahead
 * log, whose pages a checkpoint moves into the database file. The owner calls maintain when it has
 * time; a commit does the same only when a bound is far exceeded.
 */
#include "base/mem.h"
#include "db/sqlite_priv.h"

#define CHECKPOINT_PAGES 2048 /* 8 MiB of log: worth a checkpoint when idle */
#define HARD_FACTOR      2    /* times that: a commit no longer waits for an idle moment */
#define PRUNE_STEP       1024 /* rows removed in one go: a few milliseconds */

static int64_t log_excess(const struct sqlite_log *l, size_t limit)
{
    return l->next - l->first - (int64_t)limit;
}

/* Removes at most PRUNE_STEP rows from the front. */
static struct error *prune(struct db_sqlite *d, struct sqlite_log *l, enum stmt s, size_t limit,
                           const char *what)
{
    int64_t excess = log_excess(l, limit);

    if (excess <= 0)
        return NULL;
    int64_t first = l->first + MIN(excess, PRUNE_STEP);

    sqlite3_bind_int64(d->stmts[s], 1, first);
    if (!sqlite_run(d, s)) {
        bool lost = (sqlite3_errcode(d->sql) & 0xff) == SQLITE_IOERR; /* as in a failed commit */
        struct error *e = sqlite_error(d, "cannot drop old %s", what);

        if (lost)
            sqlite_lose(d, e);
        return e;
    }
    l->first = first;
    d->db.n_flushes++;
    return NULL;
}

static struct error *prune_all(struct db_sqlite *d)
{
    TRY(prune(d, &d->tombstones, S_PRUNE_TOMBSTONES, d->db.limits.tombstones, "tombstones"));
    return prune(d, &d->history, S_PRUNE_HISTORY, MAX(d->db.limits.history, 1), "history");
}

/* No other connection reads, so a passive checkpoint always moves the whole log. */
static struct error *checkpoint(struct db_sqlite *d)
{
    int code = sqlite3_wal_checkpoint_v2(d->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (code != SQLITE_OK) {
        d->checkpoint_at += CHECKPOINT_PAGES; /* not again at once */
        return sqlite_error(d, "cannot checkpoint");
    }
    d->db.n_flushes += 2; /* the log, then the file */
    d->wal_pages = 0;
    d->wal_restarts = true;
    d->checkpoint_at = CHECKPOINT_PAGES;
    return NULL;
}

struct error *sqlite_maintain(struct db *db)
{
    struct db_sqlite *d = sqlite_of(db);

    if (d->db.broken || db->read_only)
        return NULL;
    /* Single steps beyond the bound are not worth a flush of their own. */
    if (log_excess(&d->tombstones, db->limits.tombstones) >= PRUNE_STEP ||
        log_excess(&d->history, db->limits.history) >= PRUNE_STEP)
        TRY(prune_all(d));
    if (d->wal_pages > MAX(d->checkpoint_at, CHECKPOINT_PAGES))
        TRY(checkpoint(d));
    return NULL;
}

void sqlite_after_commit(struct db_sqlite *d)
{
    const struct db_limits *l = &d->db.limits;

    if (log_excess(&d->tombstones, l->tombstones) >= PRUNE_STEP * HARD_FACTOR ||
        log_excess(&d->history, l->history) >= PRUNE_STEP * HARD_FACTOR)
        IGNORE_ERROR(prune_all(d));
    if (d->wal_pages > MAX(d->checkpoint_at, CHECKPOINT_PAGES) * HARD_FACTOR)
        IGNORE_ERROR(checkpoint(d));
}

/* ---- history ---- */

static const char history_sql[] =
    "SELECT id, gen, time_us, who, task, call, class, ref, deleted, prev FROM history";

static struct error *give_entry(sqlite3_stmt *s, void *ctx,
                                struct error *(*entry)(void *ctx, const struct db_history_entry *e))
{
    const struct db_history_entry e = {
        .generation = (uint64_t)sqlite3_column_int64(s, 1),
        .time_us = sqlite3_column_int64(s, 2),
        .who = (const char *)sqlite3_column_text(s, 3),
        .task = (const char *)sqlite3_column_text(s, 4),
        .call = (const char *)sqlite3_column_text(s, 5),
        .class_name = (const char *)sqlite3_column_text(s, 6),
        .ref = (const char *)sqlite3_column_text(s, 7),
        .deleted = sqlite3_column_int(s, 8) != 0,
    };

    if (!e.who || !e.task || !e.call || !e.class_name || !e.ref)
        return error_text("a history entry of generation %llu is damaged",
                          (unsigned long long)e.generation);
    return entry(ctx, &e);
}

struct walk {
    struct db_sqlite *d;
    sqlite3_stmt *s;
    size_t left;
    void *ctx;
    struct error *(*entry)(void *ctx, const struct db_history_entry *e);
};

static struct error *walk_all(struct walk *w)
{
    int code = SQLITE_DONE;

    while (w->left && (code = sqlite3_step(w->s)) == SQLITE_ROW) {
        TRY(give_entry(w->s, w->ctx, w->entry));
        w->left--;
    }
    if (w->left && code != SQLITE_DONE)
        return sqlite_error(w->d, "cannot read history");
    return NULL;
}

/* From the newest entry of one object along `prev`, until pruned ones or its creation. */
static struct error *walk_chain(struct walk *w, int64_t id)
{
    while (w->left && id >= w->d->history.first && id > 0) {
        sqlite3_bind_int64(w->s, 1, id);
        int code = sqlite3_step(w->s);

        if (code == SQLITE_DONE)
            return NULL;
        if (code != SQLITE_ROW)
            return sqlite_error(w->d, "cannot read history");
        TRY(give_entry(w->s, w->ctx, w->entry));
        int64_t prev = sqlite3_column_int64(w->s, 9);

        if (prev >= id)
            return error_text("database %s: the history of an object is damaged", w->d->path);
        id = prev;
        w->left--;
        sqlite3_reset(w->s);
    }
    return NULL;
}

/* The id of the newest history entry of an object, alive or not; 0 = none. */
static struct error *newest_entry(struct db_sqlite *d, const char *ref, int64_t *ret)
{
    static const char sql[] = "SELECT coalesce((SELECT hist FROM object WHERE ref=?1),"
                              " (SELECT max(hist) FROM tombstone WHERE ref=?1))";
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(d->sql, sql, -1, &s, NULL) != SQLITE_OK)
        return sqlite_error(d, "cannot read history");
    sqlite3_bind_text(s, 1, ref, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);

    *ret = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? NULL
                                                     : sqlite_error(d, "cannot read history");
}

struct error *sqlite_history(struct db *db, const char *ref, size_t max, void *ctx,
                             struct error *(*entry)(void *ctx, const struct db_history_entry *e))
{
    struct db_sqlite *d = sqlite_of(db);
    struct walk w = {.d = d, .left = max, .ctx = ctx, .entry = entry};
    _cleanup_free_ char *sql =
        xasprintf("%s %s", history_sql, ref ? "WHERE id=?1" : "ORDER BY id DESC");
    int64_t newest = 0;

    if (ref)
        TRY(newest_entry(d, ref, &newest));
    if (sqlite3_prepare_v2(d->sql, sql, -1, &w.s, NULL) != SQLITE_OK)
        return sqlite_error(d, "cannot read history");
    struct error *e = ref ? walk_chain(&w, newest) : walk_all(&w);

    sqlite3_finalize(w.s);
    return e;
}
