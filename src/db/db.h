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
 * Threads: load, then commit/history/close from one thread at a time (the model's committer).
 * Blocking: all calls may. Errors: system errors; DB_CONFLICT (an API-shaped code used only
 * between db and model) when an expectation failed.
 *
 * A backend is a table of functions over its own state; db_* wrappers check the contract.
 * Decorators (db_trace.c, db_fault.c) are backends over another backend. One contract suite runs
 * over all: tests/contract/test_db.c.
 */

#include "base/error.h"

#include <stdint.h>

#define DB_CONFLICT "DB_CONFLICT"

struct db_row {
    const char *class_name; /* "VM" */
    const char *ref;
    uint64_t expect;  /* generation of the row this one replaces, 0 = must not exist */
    uint64_t created; /* generation of the row's creation, kept over updates */
    const char *json; /* NULL = the row is deleted and leaves a tombstone */
    size_t json_len;
};

struct db_commit {
    uint64_t generation; /* previous commit's + 1 */
    int64_t time_us;
    const char *who;  /* user name, "" = the daemon itself */
    const char *task; /* reference, "" = none */
    const char *call; /* "VM.start" */
    const struct db_row *rows;
    size_t n_rows;
};

/* What load reports, in no order, before it returns; strings live during the callback only. */
struct db_loader {
    void *ctx;
    struct error *(*row)(void *ctx, const char *class_name, const char *ref, uint64_t generation,
                         uint64_t created, const char *json, size_t json_len);
    struct error *(*tombstone)(void *ctx, const char *class_name, const char *ref,
                               uint64_t generation, uint64_t created);
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
    /* Entries about one object (ref != NULL) or all, newest first, at most `max`. */
    struct error *(*history)(struct db *db, const char *ref, size_t max, void *ctx,
                             struct error *(*entry)(void *ctx, const struct db_history_entry *e));
    /* NULL where nobody else writes. Calls back for every commit made elsewhere, in order. */
    struct error *(*watch)(struct db *db, void *ctx,
                           void (*commit)(void *ctx, const struct db_commit *c));
    void (*close)(struct db *db);
};

/* Common head of every backend's state. */
struct db {
    const struct db_ops *ops;
    uint64_t n_commits; /* counted by the wrapper, for `make bench` and the control socket */
    uint64_t n_flushes; /* counted by the backend: how often it waited for the disk */
    uint64_t n_bytes;   /* row bytes handed to the backend */
};

#define DB_TOMBSTONES_MAX 100000
#define DB_HISTORY_MAX    1000000 /* entries kept */

/* Opens or creates the file (mode 0600) and its WAL. A file of a newer version is refused by name.
 */
_must_check_ struct error *db_sqlite_open(const char *path, struct db **ret);
_must_check_ struct error *db_mem_open(struct db **ret);
/* Both take over `under` and close it with themselves. */
struct db *db_trace_new(struct db *under, void *ctx, void (*line)(void *ctx, const char *text));
/* The n-th commit fails (with `after`: fails after it became durable; 0 = never). */
struct db *db_fault_new(struct db *under, uint64_t nth, bool after);

_must_check_ struct error *db_load(struct db *db, const struct db_loader *l,
                                   uint64_t *ret_generation);
_must_check_ struct error *db_commit(struct db *db, const struct db_commit *commits, size_t n);
_must_check_ struct error *db_history(struct db *db, const char *ref, size_t max, void *ctx,
                                      struct error *(*entry)(void *ctx,
                                                             const struct db_history_entry *e));
void db_close(struct db *db);
