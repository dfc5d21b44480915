/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Durable commits per second, one new VM row each, at three heights:
 *   sqlite   SQLite by hand: the same two tables, the same rows, the same settings, no checks
 *   db       src/db: a database of ours, handed BATCH commits at a time
 *   store    src/model: THREADS writers, each with a transaction of its own
 *
 *   store_load [-b BATCH] [-w THREADS] [-s ROW_BYTES] [-t SECONDS] sqlite|db|store DIRECTORY
 *
 * Prints one line of name=value. With `store` the batch is what came together at each flush.
 */
#include "base/io.h"
#include "base/uuid.h"
#include "base/world.h"
#include "db/db.h"
#include "gen/class/VM_txn.h"
#include "model/store.h"
#include "model/txn.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define BATCH_MAX 256

struct load {
    const char *mode;
    char *path;
    unsigned batch, threads;
    size_t row_bytes;
    int64_t us;
};

struct result {
    uint64_t commits, flushes, bytes;
    double seconds;
};

static void must(struct error *e)
{
    if (!e)
        return;
    _cleanup_free_ char *text = error_string(e);

    fprintf(stderr, "%s\n", text);
    exit(1);
}

/* ---- rows for the two lower heights: JSON-like text that differs from row to row ---- */

static char *row_text(size_t bytes, uint64_t n)
{
    char *text = xmalloc(bytes + 1);
    int used = snprintf(text, bytes + 1, "{\"n\":\"%020llu", (unsigned long long)n);

    for (size_t i = (size_t)used; i < bytes; i++)
        text[i] = (char)('a' + (n * 7 + i * 13) % 26);
    memcpy(text + bytes - 2, "\"}", 3);
    return text;
}

struct rows {
    char ref[BATCH_MAX][48];
    char *text[BATCH_MAX];
};

static void rows_make(struct rows *r, const struct load *l, uint64_t first)
{
    for (unsigned i = 0; i < l->batch; i++) {
        snprintf(r->ref[i], sizeof(r->ref[i]), "OpaqueRef:%s", uuid_random().s);
        r->text[i] = row_text(l->row_bytes, first + i);
    }
}

static void rows_free(struct rows *r, const struct load *l)
{
    for (unsigned i = 0; i < l->batch; i++)
        free(r->text[i]);
}

/* ---- sqlite ---- */

static void sql_must(sqlite3 *sql, int code)
{
    if (code == SQLITE_OK || code == SQLITE_DONE)
        return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(sql));
    exit(1);
}

static sqlite3 *sql_open(const char *path)
{
    static const char set_up[] =
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA cache_size=-4096; PRAGMA wal_autocheckpoint=4096;"
        "CREATE TABLE object(ref TEXT PRIMARY KEY NOT NULL, class TEXT NOT NULL,"
        " gen INTEGER NOT NULL, created INTEGER NOT NULL, sum INTEGER NOT NULL,"
        " hist INTEGER NOT NULL, json TEXT NOT NULL);"
        "CREATE TABLE history(id INTEGER PRIMARY KEY, gen INTEGER NOT NULL,"
        " time_us INTEGER NOT NULL, who TEXT NOT NULL, task TEXT NOT NULL, call TEXT NOT NULL,"
        " class TEXT NOT NULL, ref TEXT NOT NULL, deleted INTEGER NOT NULL,"
        " prev INTEGER NOT NULL);";
    sqlite3 *sql;

    sql_must(NULL, sqlite3_open_v2(path, &sql,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                   NULL));
    sql_must(sql, sqlite3_exec(sql, set_up, NULL, NULL, NULL));
    return sql;
}

static sqlite3_stmt *sql_prepare(sqlite3 *sql, const char *text)
{
    sqlite3_stmt *s;

    sql_must(sql, sqlite3_prepare_v2(sql, text, -1, &s, NULL));
    return s;
}

static void sql_row(sqlite3 *sql, sqlite3_stmt *object, sqlite3_stmt *history, const char *ref,
                    const char *text, int64_t n)
{
    sqlite3_bind_text(object, 1, ref, -1, SQLITE_STATIC);
    sqlite3_bind_text(object, 2, text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(object, 3, n);
    sqlite3_step(object);
    sql_must(sql, sqlite3_reset(object));
    sqlite3_bind_int64(history, 1, n);
    sqlite3_bind_int64(history, 2, now_us());
    sqlite3_bind_text(history, 3, ref, -1, SQLITE_STATIC);
    sqlite3_step(history);
    sql_must(sql, sqlite3_reset(history));
}

static void run_sqlite(const struct load *l, struct result *ret)
{
    sqlite3 *sql = sql_open(l->path);
    sqlite3_stmt *begin = sql_prepare(sql, "BEGIN IMMEDIATE");
    sqlite3_stmt *end = sql_prepare(sql, "COMMIT");
    sqlite3_stmt *object = sql_prepare(sql, "INSERT INTO object VALUES(?1,'VM',?3,?3,?3,?3,?2)");
    sqlite3_stmt *history =
        sql_prepare(sql, "INSERT INTO history VALUES(?1,?1,?2,'root','','VM.create','VM',?3,0,0)");
    int64_t stop = mono_us() + l->us;

    while (mono_us() < stop) {
        struct rows r;

        rows_make(&r, l, ret->commits);
        sqlite3_step(begin);
        sql_must(sql, sqlite3_reset(begin));
        for (unsigned i = 0; i < l->batch; i++)
            sql_row(sql, object, history, r.ref[i], r.text[i], (int64_t)++ret->commits);
        sqlite3_step(end);
        sql_must(sql, sqlite3_reset(end));
        ret->flushes++;
        rows_free(&r, l);
    }
    ret->bytes = ret->commits * l->row_bytes;
    sqlite3_finalize(begin);
    sqlite3_finalize(end);
    sqlite3_finalize(object);
    sqlite3_finalize(history);
    sqlite3_close(sql);
}

/* ---- src/db ---- */

static struct error *drop_row(void *ctx, const char *class_name, const char *ref,
                              uint64_t generation, uint64_t created, const char *json,
                              size_t json_len)
{
    return NULL;
}

static struct error *drop_tombstone(void *ctx, const char *class_name, const char *ref,
                                    uint64_t generation, uint64_t created)
{
    return NULL;
}

static void run_db(const struct load *l, struct result *ret)
{
    const struct db_loader loader = {.row = drop_row, .tombstone = drop_tombstone};
    _cleanup_db_ struct db *db = NULL;
    uint64_t generation;
    int64_t stop = mono_us() + l->us;

    must(db_sqlite_open(l->path, &db));
    must(db_load(db, &loader, &generation));
    while (mono_us() < stop) {
        struct db_commit commits[BATCH_MAX];
        struct db_row rows[BATCH_MAX];
        struct rows r;

        rows_make(&r, l, generation);
        for (unsigned i = 0; i < l->batch; i++) {
            generation++;
            rows[i] = (struct db_row){.class_name = "VM",
                                      .ref = r.ref[i],
                                      .created = generation,
                                      .json = r.text[i],
                                      .json_len = l->row_bytes};
            commits[i] = (struct db_commit){.generation = generation,
                                            .time_us = now_us(),
                                            .who = "root",
                                            .task = "",
                                            .call = "VM.create",
                                            .rows = &rows[i],
                                            .n_rows = 1};
        }
        must(db_commit(db, commits, l->batch));
        rows_free(&r, l);
    }
    *ret =
        (struct result){.commits = db->n_commits, .flushes = db->n_flushes, .bytes = db->n_bytes};
}

/* ---- src/model ---- */

struct writer {
    struct store *store;
    pthread_t thread;
    int64_t stop;
};

static void *write_vms(void *arg)
{
    const struct commit_info info = {.who = "root", .task = "", .call = "VM.create"};
    const struct writer *w = arg;

    while (mono_us() < w->stop) {
        _cleanup_arena_ struct arena a;

        arena_init(&a);
        _cleanup_txn_ struct txn *t = txn_new(w->store, &a);
        struct vm_rec *vm = txn_new_vm(t);

        vm->name_label = "bench";
        must(txn_commit(t, &info));
    }
    return NULL;
}

static void run_store(const struct load *l, struct result *ret)
{
    struct writer *w = xnew_array(struct writer, l->threads);
    struct store_stats before, after;
    struct store *store;
    struct db *db;

    must(db_sqlite_open(l->path, &db));
    must(store_open(db, NULL, &store));
    store_stats(store, &before);
    for (unsigned i = 0; i < l->threads; i++) {
        w[i] = (struct writer){.store = store, .stop = mono_us() + l->us};
        if (pthread_create(&w[i].thread, NULL, write_vms, &w[i]))
            exit(1);
    }
    for (unsigned i = 0; i < l->threads; i++)
        pthread_join(w[i].thread, NULL);
    store_stats(store, &after);
    ret->commits = after.commits - before.commits;
    ret->flushes = after.flushes - before.flushes;
    ret->bytes = after.row_bytes - before.row_bytes;
    store_close(store);
    free(w);
}

static const struct {
    const char *name;
    void (*run)(const struct load *l, struct result *ret);
} modes[] = {{"sqlite", run_sqlite}, {"db", run_db}, {"store", run_store}};

static bool parse(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "b:w:s:t:")) >= 0) {
        if (c == 'b')
            l->batch = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'w')
            l->threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 's')
            l->row_bytes = strtoul(optarg, NULL, 10);
        else if (c == 't')
            l->us = (int64_t)(strtod(optarg, NULL) * 1e6);
        else
            return false;
    }
    if (optind + 2 != argc || l->batch < 1 || l->batch > BATCH_MAX || l->threads < 1 ||
        l->threads > 1000 || l->row_bytes < 64)
        return false;
    l->mode = argv[optind];
    l->path = xasprintf("%s/%s.db", argv[optind + 1], l->mode);
    return true;
}

int main(int argc, char **argv)
{
    struct load l = {.batch = 1, .threads = 1, .row_bytes = 2048, .us = 2 * SECOND_US};
    struct result r = {0};

    if (!parse(argc, argv, &l)) {
        fputs("usage: store_load [-b BATCH] [-w THREADS] [-s ROW_BYTES] [-t SECONDS]"
              " sqlite|db|store DIRECTORY\n",
              stderr);
        return 2;
    }
    int64_t start = mono_us();

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (streq(modes[i].name, l.mode))
            modes[i].run(&l, &r);
    r.seconds = (double)(mono_us() - start) / 1e6;
    printf("commits=%llu flushes=%llu bytes=%llu seconds=%.6f rate=%.1f\n",
           (unsigned long long)r.commits, (unsigned long long)r.flushes,
           (unsigned long long)r.bytes, r.seconds, (double)r.commits / r.seconds);
    free(l.path);
    return r.commits ? 0 : 1;
}
