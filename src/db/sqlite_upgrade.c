/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of former formats: a step for each, from one format to the next, run in one transaction
 * with the number that says so. What the file was before is kept beside it.
 */
#include "base/io.h"
#include "base/world.h"
#include "db/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>

/* row_sum(class, ref, gen, created): the checksum of a tombstone. */
static void row_sum(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    const char *class_name = (const char *)sqlite3_value_text(v[0]);
    const char *ref = (const char *)sqlite3_value_text(v[1]);

    sqlite3_result_int64(ctx, sqlite_row_sum(class_name ? class_name : "", ref ? ref : "",
                                             (uint64_t)sqlite3_value_int64(v[2]),
                                             (uint64_t)sqlite3_value_int64(v[3]), "", 0));
}

/* Tombstones get a checksum, as rows have one. */
static struct error *from_1(struct db_sqlite *d)
{
    sqlite3_create_function(d->sql, "row_sum", 4, SQLITE_UTF8, NULL, row_sum, NULL, NULL);
    TRY(sqlite_exec(d, "ALTER TABLE tombstone ADD COLUMN sum INTEGER NOT NULL DEFAULT 0"));
    return sqlite_exec(d, "UPDATE tombstone SET sum=row_sum(class, ref, gen, created)");
}

static struct error *(*const steps[FORMAT_VERSION])(struct db_sqlite *d) = {[1] = from_1};

static char *backup_path(const struct db_sqlite *d, int version)
{
    _cleanup_free_ char *when = now_for_names();

    return xasprintf("%s.v%d-%s", d->path, version, when);
}

static struct error *flush_backup(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(errno, "cannot flush %s", path);
    return NULL;
}

/* SQLite writes into an empty file that is there, so it is private from the start. */
static struct error *back_up(struct db_sqlite *d, int version)
{
    _cleanup_free_ char *path = backup_path(d, version);
    sqlite3_stmt *s;

    TRY(io_write_file(path, "", 0, 0600));
    if (sqlite3_prepare_v2(d->sql, "VACUUM INTO ?1", -1, &s, NULL) != SQLITE_OK)
        return sqlite_error(d, "cannot keep a copy");
    sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    struct error *e = code == SQLITE_DONE ? NULL : sqlite_error(d, "cannot keep %s", path);

    sqlite3_finalize(s);
    return e ? e : flush_backup(path);
}

struct error *sqlite_upgrade(struct db_sqlite *d, int version)
{
    _cleanup_free_ char *done = xasprintf("PRAGMA user_version=%d; COMMIT", FORMAT_VERSION);
    struct error *e = NULL;

    TRY(sqlite_check(d, NULL));
    TRY(back_up(d, version));
    TRY(sqlite_exec(d, "BEGIN IMMEDIATE"));
    for (; !e && version < FORMAT_VERSION; version++)
        e = steps[version](d);
    if (!e)
        e = sqlite_exec(d, done);
    if (e)
        IGNORE_ERROR(sqlite_exec(d, "ROLLBACK"));
    return e;
}
