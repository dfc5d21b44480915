/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing: any number of commits in one SQLite transaction, so with one flush. A row is looked up
 * once (is it at the expected generation? which history row is its newest?) and then written by
 * its row id.
 */
#include "base/mem.h"
#include "base/test_point.h"
#include "db/sqlite_priv.h"

#include <assert.h>
#include <inttypes.h>

static const char *const stmt_sql[S_MAX] = {
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_COMMIT] = "COMMIT",
    [S_ROLLBACK] = "ROLLBACK",
    [S_FIND] = "SELECT rowid, gen, created, hist, class FROM object WHERE ref=?1",
    [S_INSERT] = "INSERT INTO object(ref, class, gen, created, sum, hist, json)"
                 " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [S_UPDATE] = "UPDATE object SET gen=?3, created=?4, sum=?5, hist=?6, json=?7 WHERE rowid=?8",
    [S_DELETE] = "DELETE FROM object WHERE rowid=?1",
    [S_TOMBSTONE] = "INSERT INTO tombstone(id, gen, class, ref, created, hist, sum)"
                    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [S_HISTORY] = "INSERT INTO history(id, gen, time_us, who, task, call, class, ref, deleted,"
                  " prev) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [S_PRUNE_TOMBSTONES] = "DELETE FROM tombstone WHERE id<?1",
    [S_PRUNE_HISTORY] = "DELETE FROM history WHERE id<?1",
};

/* What the database has of an object now. */
struct found {
    int64_t rowid;
    uint64_t generation; /* 0 = no row */
    uint64_t created;
    int64_t hist;
    bool other_class; /* the reference belongs to a row of another class */
};

struct error *sqlite_prepare(struct db_sqlite *d)
{
    for (int i = 0; i < S_MAX; i++) {
        if (sqlite3_prepare_v3(d->sql, stmt_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->stmts[i],
                               NULL) != SQLITE_OK)
            return sqlite_error(d, "%.40s", stmt_sql[i]);
    }
    return NULL;
}

bool sqlite_run(struct db_sqlite *d, enum stmt s)
{
    int code = sqlite3_step(d->stmts[s]);

    /* The error of the step stays readable: reset returns it again. */
    sqlite3_reset(d->stmts[s]);
    return code == SQLITE_DONE;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
    sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *s, int at, int64_t v)
{
    sqlite3_bind_int64(s, at, v);
}

static struct error *find_object(struct db_sqlite *d, const struct db_row *r, struct found *ret)
{
    sqlite3_stmt *s = d->stmts[S_FIND];
    struct found f = {0};

    bind_text(s, 1, r->ref);
    int code = sqlite3_step(s);

    if (code == SQLITE_ROW) {
        f.rowid = sqlite3_column_int64(s, 0);
        f.generation = (uint64_t)sqlite3_column_int64(s, 1);
        f.created = (uint64_t)sqlite3_column_int64(s, 2);
        f.hist = sqlite3_column_int64(s, 3);
        const char *class_name = (const char *)sqlite3_column_text(s, 4);

        f.other_class = !class_name || !streq(class_name, r->class_name);
    }
    sqlite3_reset(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sqlite_error(d, "cannot read %s %s", r->class_name, r->ref);
    *ret = f;
    return NULL;
}

static bool put_object(struct db_sqlite *d, const struct db_commit *c, const struct db_row *r,
                       const struct found *f)
{
    enum stmt which = f->generation ? S_UPDATE : S_INSERT;
    sqlite3_stmt *s = d->stmts[which];

    if (which == S_INSERT) {
        bind_text(s, 1, r->ref);
        bind_text(s, 2, r->class_name);
    } else {
        bind_int(s, 8, f->rowid);
    }
    bind_int(s, 3, (int64_t)c->generation);
    bind_int(s, 4, (int64_t)r->created);
    bind_int(
        s, 5,
        sqlite_row_sum(r->class_name, r->ref, c->generation, r->created, r->json, r->json_len));
    bind_int(s, 6, d->history.next);
    sqlite3_bind_text64(s, 7, r->json, r->json_len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite_run(d, which);
}

static bool delete_object(struct db_sqlite *d, const struct db_commit *c, const struct db_row *r,
                          const struct found *f)
{
    sqlite3_stmt *s = d->stmts[S_TOMBSTONE];

    bind_int(s, 1, d->tombstones.next);
    bind_int(s, 2, (int64_t)c->generation);
    bind_text(s, 3, r->class_name);
    bind_text(s, 4, r->ref);
    bind_int(s, 5, (int64_t)f->created);
    bind_int(s, 6, d->history.next);
    bind_int(s, 7, sqlite_row_sum(r->class_name, r->ref, c->generation, f->created, "", 0));
    if (!sqlite_run(d, S_TOMBSTONE))
        return false;
    d->tombstones.next++;
    bind_int(d->stmts[S_DELETE], 1, f->rowid);
    return sqlite_run(d, S_DELETE);
}

static bool add_history(struct db_sqlite *d, const struct db_commit *c, const struct db_row *r,
                        const struct found *f)
{
    sqlite3_stmt *s = d->stmts[S_HISTORY];

    bind_int(s, 1, d->history.next);
    bind_int(s, 2, (int64_t)c->generation);
    bind_int(s, 3, c->time_us);
    bind_text(s, 4, c->who);
    bind_text(s, 5, c->task);
    bind_text(s, 6, c->call);
    bind_text(s, 7, r->class_name);
    bind_text(s, 8, r->ref);
    bind_int(s, 9, !r->json);
    bind_int(s, 10, f->hist);
    if (!sqlite_run(d, S_HISTORY))
        return false;
    d->history.next++;
    return true;
}

static struct error *write_row(struct db_sqlite *d, const struct db_commit *c,
                               const struct db_row *r)
{
    struct found f;

    TRY(find_object(d, r, &f));
    if (f.generation != r->expect || f.other_class)
        return error_detail(error_api(DB_CONFLICT, 2, r->class_name, r->ref),
                            "expected generation %" PRIu64 ", found %" PRIu64, r->expect,
                            f.generation);
    bool done = r->json ? put_object(d, c, r, &f) : delete_object(d, c, r, &f);

    if (!done || !add_history(d, c, r, &f))
        return sqlite_error(d, "cannot write %s %s", r->class_name, r->ref);
    return NULL;
}

static struct error *write_all(struct db_sqlite *d, const struct db_commit *commits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct db_commit *c = &commits[i];

        if (c->generation != d->generation + 1 + i)
            return error_text("the commit has generation %" PRIu64 ", the database %" PRIu64,
                              c->generation, d->generation + i);
        for (size_t k = 0; k < c->n_rows; k++)
            TRY(write_row(d, c, &c->rows[k]));
    }
    return NULL;
}

void sqlite_lose(struct db_sqlite *d, const struct error *why)
{
    d->db.broken = true;
    if (d->db.lost)
        d->db.lost(why);
}

static struct error *flush(struct db_sqlite *d)
{
    test_point("store", "flush", "before");
    if (sqlite_run(d, S_COMMIT)) {
        test_point("store", "flush", "after");
        d->db.n_flushes += d->wal_restarts ? 2 : 1;
        d->wal_restarts = false;
        return NULL;
    }
    /*
     * A full disk stops before the commit mark is written. After any other failure the mark may be
     * on disk, although this program now goes on without it.
     */
    struct error *e = sqlite_error(d, "cannot commit");

    if ((sqlite3_errcode(d->sql) & 0xff) != SQLITE_FULL)
        sqlite_lose(d, e);
    return e;
}

struct error *sqlite_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    struct db_sqlite *d = sqlite_of(db);
    const struct sqlite_log tombstones = d->tombstones;
    const struct sqlite_log history = d->history;

    if (db->read_only)
        return error_api(DB_DAMAGED, 1, db->read_only);
    if (d->db.broken)
        return error_text("database %s: no commits after a failed flush until it is opened again",
                          d->path);
    if (!sqlite_run(d, S_BEGIN))
        return sqlite_error(d, "cannot begin a commit");
    struct error *e = write_all(d, commits, n);

    if (!e)
        e = flush(d);
    if (e) {
        /* sqlite has rolled back by itself after some errors. */
        if (!sqlite3_get_autocommit(d->sql) && !sqlite_run(d, S_ROLLBACK))
            sqlite_lose(d, e);
        d->tombstones = tombstones;
        d->history = history;
        return e;
    }
    d->generation += n;
    sqlite_after_commit(d);
    return NULL;
}
