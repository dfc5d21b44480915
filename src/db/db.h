/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * db.h: the durable part of the store, and nothing else. It keeps rows (class, reference, JSON
 * text) and a log of who committed what; it knows neither schema nor relations. The model above
 * (src/model) holds everything in memory, decides, and calls here to make it durable.
 *
 * Generations: one counter for the whole database; each commit has the next one, each row the one
 * it was last written at. The model is the only writer of a `sqlite` or `mem` database; a backend
 * shared by several hosts checks `expect` itself and tells of foreign commits through watch.
 *
 * Threads: load, then the other calls from one thread at a time (the model's committer).
 * Blocking: all calls may. Errors: system errors; DB_CONFLICT [class, ref] (an API-shaped code used
 * only between db and model) when an expectation failed: nothing was written. After any other
 * failed commit it is unknown whether the disk has it; a backend that cannot exclude it refuses
 * all further commits until it is opened again, so that no later answer contradicts the disk.
 *
 * A backend is a table of functions over its own state; db_* wrappers check the contract.
 * Decorators (db_trace.c, db_fault.c) are backends over another backend. One contract suite runs
 * over all: tests/contract/test_db.c.
 */

#include "base/error.h"

#include <stdatomic.h>
#include <stdint.h>

#define DB_CONFLICT "DB_CONFLICT"
/* [what]: the file does not hold what was written to it. The same kind of code: between db and
 * model. */
#define DB_DAMAGED "DB_DAMAGED"

struct db_row {
    const char *class_name; /* "VM" */
    const char *ref;
    uint64_t expect;  /* generation of the row this one replaces, 0 = must not exist */
    uint64_t created; /* generation of the row's creation, kept over updates */
    const char *json; /* NULL = the row is deleted and leaves a tombstone; needs `expect` */
    size_t json_len;
};

struct db_commit {
    uint64_t generation; /* previous commit's + 1 */
    int64_t time_us;
    const char *who;           /* user name, "" = the daemon itself */
    const char *task;          /* reference, "" = none */
    const char *call;          /* "VM.start" */
    const struct db_row *rows; /* a reference at most once */
    size_t n_rows;             /* at least 1 */
};

/* What load reports, before it returns: rows in no order, then tombstones by generation. Strings
 * live during the callback only. A reference may have both (it was created again) and several
 * tombstones. */
struct db_loader {
    void *ctx;
    struct error *(*row)(void *ctx, const char *class_name, const char *ref, uint64_t generation,
                         uint64_t created, const char *json, size_t json_len);
    struct error *(*tombstone)(void *ctx, const char *class_name, const char *ref,
                               uint64_t generation, uint64_t created);
    /* Of a read-only database: an object that cannot be read, or only in an older state (then it
     * comes as a row too). class_name may be "". May be NULL. */
    void (*damaged)(void *ctx, const char *class_name, const char *ref, const char *why);
};

struct db_history_entry {
    uint64_t generation;
    int64_t time_us;
    const char *who, *task, *call;
    const char *class_name, *ref;
    bool deleted;
};

struct db;

struct db_ops {
    const char *name;
    struct error *(*load)(struct db *db, const struct db_loader *l, uint64_t *ret_generation);
    /* n commits in order, all or nothing, durable when it returns: one flush for all of them. */
    struct error *(*commit)(struct db *db, const struct db_commit *commits, size_t n);
    /* Entries about one object (ref != NULL; back to its last creation) or all, newest first, at
     * most `max`. The callback must not call into the database. */
    struct error *(*history)(struct db *db, const char *ref, size_t max, void *ctx,
                             struct error *(*entry)(void *ctx, const struct db_history_entry *e));
    /* NULL where nobody else writes. Calls back for every commit made elsewhere, in order. */
    struct error *(*watch)(struct db *db, void *ctx,
                           void (*commit)(void *ctx, const struct db_commit *c));
    /* NULL = none needed. Bounded housekeeping (pruning, checkpoint) that a commit would otherwise
     * do itself some time later, with its clients waiting. */
    struct error *(*maintain)(struct db *db);
    void (*close)(struct db *db);
};

/* How much of the past is kept. Taken over at the next housekeeping. */
struct db_limits {
    size_t tombstones;
    size_t history; /* entries, at least 1 */
};

#define DB_TOMBSTONES_MAX 100000
#define DB_HISTORY_MAX    1000000

/* Common head of every backend's state. */
struct db {
    const struct db_ops *ops;
    struct db_limits limits; /* set by open to the defaults; the owner may change them */
    /* NULL, or runs before a commit returns of which it is unknown whether the disk has it. */
    void (*lost)(const struct error *why);
    uint64_t n_commits; /* counted by the wrapper, for `make bench` and the control socket */
    uint64_t n_flushes; /* counted by the backend: how often it waited for the disk */
    uint64_t n_bytes;   /* row bytes handed to the backend */
    char *read_only;    /* commits are refused with DB_DAMAGED: why. NULL = they are not */
    atomic_bool broken; /* set by the backend: no commits until it is opened again */
};

/*
 * Opens or creates the file (mode 0600, as is its "-wal" beside it) and holds it for itself alone
 * until closed. Refused: a file of a newer version, of another program, or in use. A file of an
 * older version is brought up to date, and what it was is kept beside it ("PATH.v1-TIME"). Damage
 * is DB_DAMAGED of open, of load (which looks at every row, tombstone and index entry) or of the
 * commit that meets it; the files are then as they were.
 */
_must_check_ struct error *db_sqlite_open(const char *path, struct db **ret);
/*
 * Reads what can be read of a damaged file, which is not touched: a database that refuses commits
 * because of `why`. What is missing is told by load. Nothing readable is an error.
 */
_must_check_ struct error *db_salvage_open(const char *path, const char *why, struct db **ret);
/* The whole file, free pages and history too; of a database that db_sqlite_open gave. DB_DAMAGED.
 */
_must_check_ struct error *db_sqlite_check(struct db *db);
/*
 * Makes a new file of what can be read of a damaged one: the rows that `keep` wants, as they were;
 * tombstones, also for the objects that are lost; no history. What the file was is kept
 * (db_keep_copy; the caller frees the name). Nobody may have it open.
 */
struct db_keep {
    void *ctx;
    bool (*row)(void *ctx, const char *class_name, const char *ref);
};
_must_check_ struct error *db_rebuild(const char *path, const struct db_keep *keep,
                                      char **ret_copy);
/* Copies file and log to "PATH.damaged-SUM", once for each state of them. The caller frees. */
_must_check_ struct error *db_keep_copy(const char *path, char **ret_copy);
_must_check_ struct error *db_mem_open(struct db **ret);
/* Both take over `under` and close it with themselves. Trace lines hold names and sizes, never the
 * content of rows. */
struct db *db_trace_new(struct db *under, void *ctx, void (*line)(void *ctx, const char *text));
/* The n-th db_commit fails (with `after`: fails after it became durable; 0 = never). */
struct db *db_fault_new(struct db *under, uint64_t nth, bool after);

_must_check_ struct error *db_load(struct db *db, const struct db_loader *l,
                                   uint64_t *ret_generation);
_must_check_ struct error *db_commit(struct db *db, const struct db_commit *commits, size_t n);
/* To be called when the committer has nothing else to do. An error is worth a warning: no commit is
 * lost by it. */
_must_check_ struct error *db_maintain(struct db *db);
_must_check_ struct error *db_history(struct db *db, const char *ref, size_t max, void *ctx,
                                      struct error *(*entry)(void *ctx,
                                                             const struct db_history_entry *e));
void db_close(struct db *db); /* NULL is fine */

static inline void cleanup_db(struct db **db)
{
    db_close(*db);
}

#define _cleanup_db_ _cleanup_(cleanup_db)
