/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The embedded store: one SQLite file with a write-ahead log, held exclusively. This file opens,
 * checks and loads; sqlite_commit.c writes; sqlite_log.c keeps history and log file in bounds;
 * sqlite_upgrade.c knows former formats.
 *
 *   object     one row per object
 *   tombstone  deleted objects, a log
 *   history    who touched what, a log; a row knows the one before it of the same object (prev),
 *              and object.hist or tombstone.hist the newest, so one object's history needs no index
 */
#include "base/io.h"
#include "db/db_image.h"
#include "db/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define APPLICATION_ID 0x58656e6f /* "Xeno" */

static const char create_sql[] =
    "CREATE TABLE object("
    " ref TEXT PRIMARY KEY NOT NULL, class TEXT NOT NULL, gen INTEGER NOT NULL,"
    " created INTEGER NOT NULL, sum INTEGER NOT NULL, hist INTEGER NOT NULL, json TEXT NOT NULL);"
    "CREATE TABLE tombstone("
    " id INTEGER PRIMARY KEY, gen INTEGER NOT NULL, class TEXT NOT NULL, ref TEXT NOT NULL,"
    " created INTEGER NOT NULL, hist INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE history("
    " id INTEGER PRIMARY KEY, gen INTEGER NOT NULL, time_us INTEGER NOT NULL, who TEXT NOT NULL,"
    " task TEXT NOT NULL, call TEXT NOT NULL, class TEXT NOT NULL, ref TEXT NOT NULL,"
    " deleted INTEGER NOT NULL, prev INTEGER NOT NULL);";

struct error *sqlite_damaged(struct db_sqlite *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *what = xvasprintf(fmt, ap);
    va_end(ap);
    _cleanup_free_ char *text = xasprintf("database %s: %s", d->path, what);

    if (!d->db.read_only)
        d->db.read_only = xstrdup(text);
    if (d->sql)
        sqlite3_db_config(d->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return error_api(DB_DAMAGED, 1, text);
}

static bool is_damage(int extended)
{
    return (extended & 0xff) == SQLITE_CORRUPT || (extended & 0xff) == SQLITE_NOTADB ||
           extended == SQLITE_IOERR_SHORT_READ || extended == SQLITE_IOERR_READ;
}

struct error *sqlite_error(struct db_sqlite *d, const char *fmt, ...)
{
    int code = sqlite3_errcode(d->sql);
    int errnum = sqlite3_system_errno(d->sql);
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *what = xvasprintf(fmt, ap);
    va_end(ap);
    if (is_damage(sqlite3_extended_errcode(d->sql)))
        return sqlite_damaged(d, "%s: %s", what, sqlite3_errmsg(d->sql));
    if ((code & 0xff) == SQLITE_FULL)
        errnum = ENOSPC;
    else if ((code & 0xff) == SQLITE_BUSY)
        errnum = EBUSY;
    else if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN)
        errnum = 0;
    return error_errno(errnum, "database %s: %s: %s%s", d->path, what, sqlite3_errmsg(d->sql),
                       errnum == EBUSY ? " (in use by another program)" : "");
}

int64_t sqlite_row_sum(const char *class_name, const char *ref, uint64_t generation,
                       uint64_t created, const char *json, size_t json_len)
{
    const uint64_t numbers[2] = {generation, created};
    uLong sum = crc32_z(0, (const Bytef *)json, json_len);

    sum = crc32_z(sum, (const Bytef *)class_name, strlen(class_name) + 1);
    sum = crc32_z(sum, (const Bytef *)ref, strlen(ref) + 1);
    return (int64_t)crc32_z(sum, (const Bytef *)numbers, sizeof(numbers));
}

/* ---- opening ---- */

struct error *sqlite_exec(struct db_sqlite *d, const char *sql)
{
    if (sqlite3_exec(d->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_error(d, "%.60s", sql);
    return NULL;
}

/* The single number a statement gives; 0 if none or NULL. */
static struct error *query_int(struct db_sqlite *d, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(d->sql, sql, -1, &s, NULL) != SQLITE_OK)
        return sqlite_error(d, "%s", sql);
    int code = sqlite3_step(s);
    int64_t v = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;

    sqlite3_finalize(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sqlite_error(d, "%s", sql);
    *ret = v;
    return NULL;
}

/*
 * sqlite would create the file readable for all. An existing file is not opened here: closing it
 * would drop the locks this process may already hold on it.
 */
static struct error *make_private(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat st;

    if (fd >= 0) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir =
            slash ? xmemdup0(path, (size_t)(slash - path) + 1) : xstrdup(".");

        return io_fsync_dir(dir);
    }
    if (errno != EEXIST || lstat(path, &st) < 0)
        return error_errno(errno, "cannot open database %s", path);
    if (!S_ISREG(st.st_mode))
        return error_text("database %s is not a regular file", path);
    if ((st.st_mode & 077) && chmod(path, 0600) < 0)
        return error_errno(errno, "cannot make database %s private", path);
    return NULL;
}

static struct error *open_file(struct db_sqlite *d)
{
    TRY(make_private(d->path));
    int code = sqlite3_open_v2(d->path, &d->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (!d->sql)
        return error_errno(ENOMEM, "cannot open database %s", d->path);
    if (code != SQLITE_OK)
        return sqlite_error(d, "cannot open");
    sqlite3_extended_result_codes(d->sql, 1);
    /* Before the first access: no other program gets in, and no shared memory file is needed. */
    return sqlite_exec(d, "PRAGMA locking_mode=EXCLUSIVE");
}

static struct error *configure(struct db_sqlite *d)
{
    TRY(sqlite_exec(d, "PRAGMA journal_mode=WAL"));
    TRY(sqlite_exec(d, "PRAGMA synchronous=FULL"));
    TRY(sqlite_exec(d, "PRAGMA cell_size_check=ON"));
    TRY(sqlite_exec(d, "PRAGMA trusted_schema=OFF"));
    TRY(sqlite_exec(d, "PRAGMA temp_store=MEMORY"));
    TRY(sqlite_exec(d, "PRAGMA cache_size=-4096"));            /* KiB */
    TRY(sqlite_exec(d, "PRAGMA journal_size_limit=33554432")); /* what a restarted log may keep */
    return sqlite_exec(d, "PRAGMA wal_autocheckpoint=0");      /* sqlite_log.c decides when */
}

static struct error *create_tables(struct db_sqlite *d)
{
    _cleanup_free_ char *sql =
        xasprintf("BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                  create_sql, APPLICATION_ID, FORMAT_VERSION);

    return sqlite_exec(d, sql);
}

/* The number that says whose file it is was hit, not the rest. */
static struct error *check_tables(struct db_sqlite *d)
{
    int64_t ours;

    TRY(query_int(d,
                  "SELECT count(*) FROM sqlite_master WHERE type='table' AND"
                  " name IN ('object', 'tombstone', 'history')",
                  &ours));
    if (ours == 3)
        return sqlite_damaged(d, "its header is damaged");
    return error_text("database %s was not written by this program", d->path);
}

static struct error *check_format(struct db_sqlite *d, int *ret_version)
{
    int64_t application, version, tables;

    TRY(query_int(d, "PRAGMA application_id", &application));
    TRY(query_int(d, "PRAGMA user_version", &version));
    TRY(query_int(d, "SELECT count(*) FROM sqlite_master", &tables));
    *ret_version = (int)version;
    if (!application && !version && !tables)
        return NULL;
    if (application != APPLICATION_ID)
        return check_tables(d);
    if (version < 1)
        return sqlite_damaged(d, "its header is damaged");
    if (version > FORMAT_VERSION)
        return error_text("database %s has format %" PRId64
                          ", written by a newer version; this one knows up to %d",
                          d->path, version, FORMAT_VERSION);
    return NULL;
}

static struct error *read_log(struct db_sqlite *d, const char *table, struct sqlite_log *ret)
{
    _cleanup_free_ char *first = xasprintf("SELECT min(id) FROM %s", table);
    _cleanup_free_ char *last = xasprintf("SELECT max(id) FROM %s", table);
    int64_t min, max;

    TRY(query_int(d, first, &min));
    TRY(query_int(d, last, &max));
    *ret = (struct sqlite_log){.first = MAX(min, 1), .next = max + 1};
    return NULL;
}

static int on_wal_commit(void *ctx, sqlite3 *sql, const char *name, int pages)
{
    struct db_sqlite *d = ctx;

    d->wal_pages = pages;
    return SQLITE_OK;
}

/* SQLite would pass over commits that cannot be read, without a word. */
static struct error *check_log(struct db_sqlite *d)
{
    _cleanup_db_image_ struct db_image img = {0};
    _cleanup_free_ char *wal = xasprintf("%s-wal", d->path);
    struct stat st;

    if (stat(wal, &st) < 0 || !st.st_size)
        return NULL;
    TRY(db_image_read(d->path, &img));
    return img.lost ? sqlite_damaged(d, "%s", img.lost) : NULL;
}

/*
 * A predecessor that was killed may have written commits without flushing them. They are read like
 * all others, so they must be as safe as all others before anyone hears of them.
 */
static struct error *flush_log(struct db_sqlite *d)
{
    sqlite3_file *log = NULL;

    if (sqlite3_file_control(d->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK)
        return sqlite_error(d, "cannot find the log");
    if (!log || !log->pMethods)
        return NULL; /* there is none yet */
    if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return error_errno(EIO, "database %s: cannot flush the log", d->path);
    return NULL;
}

static struct error *open_checked(struct db_sqlite *d)
{
    int64_t generation;
    int version;

    TRY(check_log(d));
    TRY(open_file(d));
    TRY(check_format(d, &version));
    TRY(configure(d));
    if (!version)
        TRY(create_tables(d));
    else if (version < FORMAT_VERSION)
        TRY(sqlite_upgrade(d, version));
    sqlite3_wal_hook(d->sql, on_wal_commit, d);
    TRY(read_log(d, "tombstone", &d->tombstones));
    TRY(read_log(d, "history", &d->history));
    TRY(query_int(d, "SELECT gen FROM history ORDER BY id DESC LIMIT 1", &generation));
    d->generation = (uint64_t)generation;
    TRY(flush_log(d));
    return sqlite_prepare(d);
}

/* ---- loading ---- */

static const char *column_text(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    return text ? text : "";
}

static struct error *load_object(struct db_sqlite *d, sqlite3_stmt *s, const struct db_loader *l)
{
    const char *class_name = column_text(s, 0);
    const char *ref = column_text(s, 1);
    uint64_t generation = (uint64_t)sqlite3_column_int64(s, 2);
    uint64_t created = (uint64_t)sqlite3_column_int64(s, 3);
    const char *json = column_text(s, 5);
    size_t len = (size_t)sqlite3_column_bytes(s, 5);

    if (sqlite_row_sum(class_name, ref, generation, created, json, len) !=
        sqlite3_column_int64(s, 4))
        return sqlite_damaged(d, "the row of %s %s is damaged (its checksum is wrong)", class_name,
                              ref);
    d->newest = MAX(d->newest, generation);
    return l->row(l->ctx, class_name, ref, generation, created, json, len);
}

static struct error *load_tombstone(struct db_sqlite *d, sqlite3_stmt *s, const struct db_loader *l)
{
    const char *class_name = column_text(s, 0);
    const char *ref = column_text(s, 1);
    uint64_t generation = (uint64_t)sqlite3_column_int64(s, 2);
    uint64_t created = (uint64_t)sqlite3_column_int64(s, 3);

    if (sqlite_row_sum(class_name, ref, generation, created, "", 0) != sqlite3_column_int64(s, 4))
        return sqlite_damaged(d, "the note that %s %s was deleted is damaged", class_name, ref);
    d->newest = MAX(d->newest, generation);
    return l->tombstone(l->ctx, class_name, ref, generation, created);
}

/* Gives every result row to `each`. What cannot be read is named by the last row that could. */
static struct error *load_each(struct db_sqlite *d, const char *sql, const struct db_loader *l,
                               struct error *(*each)(struct db_sqlite *d, sqlite3_stmt *s,
                                                     const struct db_loader *l))
{
    sqlite3_stmt *s;
    struct error *e = NULL;
    char last[128] = "the first row";
    int code;

    if (sqlite3_prepare_v2(d->sql, sql, -1, &s, NULL) != SQLITE_OK)
        return sqlite_error(d, "%.40s", sql);
    while (!e && (code = sqlite3_step(s)) == SQLITE_ROW) {
        snprintf(last, sizeof(last), "the row after %s %s", column_text(s, 0), column_text(s, 1));
        e = each(d, s, l);
    }
    if (!e && code != SQLITE_DONE)
        e = sqlite_error(d, "cannot read %s", last);
    sqlite3_finalize(s);
    return e;
}

struct error *sqlite_check(struct db_sqlite *d, const char *table)
{
    _cleanup_free_ char *sql =
        table ? xasprintf("PRAGMA integrity_check(%s)", table) : xstrdup("PRAGMA integrity_check");
    struct error *e = NULL;
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(d->sql, sql, -1, &s, NULL) != SQLITE_OK)
        return sqlite_error(d, "cannot check %s", table ? table : "it");
    int code = sqlite3_step(s);
    const char *said = code == SQLITE_ROW ? column_text(s, 0) : "";
    const char *title_end = strstr(said, "***\n");

    if (code != SQLITE_ROW)
        e = sqlite_error(d, "cannot check %s", table ? table : "it");
    else if (!streq(said, "ok"))
        e = sqlite_damaged(d, "%s", title_end ? title_end + 4 : said);
    sqlite3_finalize(s);
    return e;
}

/* Every commit leaves a row or a tombstone of its generation, and a line of history. */
static struct error *check_newest(struct db_sqlite *d)
{
    if (d->newest == d->generation)
        return NULL;
    return sqlite_damaged(d,
                          "its newest row is of commit %" PRIu64 ", the last commit was %" PRIu64,
                          d->newest, d->generation);
}

static struct error *sqlite_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    struct db_sqlite *d = sqlite_of(db);

    d->newest = 0;
    TRY(sqlite_check(d, "object"));
    TRY(load_each(d, "SELECT class, ref, gen, created, sum, json FROM object ORDER BY rowid", l,
                  load_object));
    TRY(load_each(d, "SELECT class, ref, gen, created, sum FROM tombstone ORDER BY id", l,
                  load_tombstone));
    TRY(check_newest(d));
    *ret_generation = d->generation;
    return NULL;
}

static void sqlite_close(struct db *db)
{
    struct db_sqlite *d = sqlite_of(db);

    for (int i = 0; i < S_MAX; i++)
        sqlite3_finalize(d->stmts[i]);
    sqlite3_close(d->sql);
    free(d->db.read_only);
    free(d->path);
    free(d);
}

static const struct db_ops sqlite_ops = {
    .name = "sqlite",
    .load = sqlite_load,
    .commit = sqlite_commit,
    .history = sqlite_history,
    .maintain = sqlite_maintain,
    .close = sqlite_close,
};

struct error *db_sqlite_check(struct db *db)
{
    return sqlite_check(sqlite_of(db), NULL);
}

struct error *db_sqlite_open(const char *path, struct db **ret)
{
    struct db_sqlite *d = xnew(struct db_sqlite);

    d->db.ops = &sqlite_ops;
    d->db.limits = (struct db_limits){DB_TOMBSTONES_MAX, DB_HISTORY_MAX};
    d->path = xstrdup(path);
    struct error *e = open_checked(d);

    if (e) {
        sqlite_close(&d->db);
        return e;
    }
    *ret = &d->db;
    return NULL;
}
