/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the files of the sqlite backend: opening and loading, committing, housekeeping. */

#include "db/db.h"

#include <sqlite3.h>

enum stmt {
    S_BEGIN,
    S_COMMIT,
    S_ROLLBACK,
    S_FIND,
    S_INSERT,
    S_UPDATE,
    S_DELETE,
    S_TOMBSTONE,
    S_HISTORY,
    S_PRUNE_TOMBSTONES,
    S_PRUNE_HISTORY,
    S_MAX
};

/* Two of the tables are logs: rows are added at the end with consecutive ids and removed from the
 * front, so first and last id give the number of rows without counting them. */
struct sqlite_log {
    int64_t first; /* id of the oldest row */
    int64_t next;  /* id of the next row; == first when empty */
};

struct db_sqlite {
    struct db db;
    sqlite3 *sql;
    char *path;
    sqlite3_stmt *stmts[S_MAX];
    uint64_t generation;
    uint64_t newest; /* generation of what a load has met */
    struct sqlite_log tombstones;
    struct sqlite_log history;
    int wal_pages;     /* in the write-ahead log since its last restart */
    int checkpoint_at; /* more pages than this: time for a checkpoint */
    bool wal_restarts; /* the next commit starts the log anew, with a flush of its own */
};

static inline struct db_sqlite *sqlite_of(struct db *db)
{
    return container_of(db, struct db_sqlite, db);
}

/* "path: what: sqlite's text", with errno where sqlite knows one; DB_DAMAGED if that is the cause.
 */
_malloc_ struct error *sqlite_error(struct db_sqlite *d, const char *fmt, ...) _printf_(2, 3);
/* DB_DAMAGED [path: text]. From here on nothing is written to the files, not even at the close. */
_malloc_ struct error *sqlite_damaged(struct db_sqlite *d, const char *fmt, ...) _printf_(2, 3);
_must_check_ struct error *sqlite_exec(struct db_sqlite *d, const char *sql);
/* Whether a table (NULL: the whole file) and its index are as SQLite wants them. */
_must_check_ struct error *sqlite_check(struct db_sqlite *d, const char *table);
/* Over everything in a row but its place: a row that was damaged on disk is told from a good one.
 */
int64_t sqlite_row_sum(const char *class_name, const char *ref, uint64_t generation,
                       uint64_t created, const char *json, size_t json_len);
/* Steps a statement that returns nothing, and resets it. */
_must_check_ bool sqlite_run(struct db_sqlite *d, enum stmt s);

#define FORMAT_VERSION 2
/* From an older format to the present one, in one transaction; a copy is kept. */
_must_check_ struct error *sqlite_upgrade(struct db_sqlite *d, int version);

_must_check_ struct error *sqlite_prepare(struct db_sqlite *d);
_must_check_ struct error *sqlite_commit(struct db *db, const struct db_commit *commits, size_t n);
_must_check_ struct error *sqlite_maintain(struct db *db);
/* It is unknown whether the disk has what was written last: no more commits. */
void sqlite_lose(struct db_sqlite *d, const struct error *why);
/* What a commit must do itself when nobody called maintain. Its failure is no failure of the
 * commit; the next maintain reports it. */
void sqlite_after_commit(struct db_sqlite *d);
_must_check_ struct error *sqlite_history(struct db *db, const char *ref, size_t max, void *ctx,
                                          struct error *(*entry)(void *ctx,
                                                                 const struct db_history_entry *e));
