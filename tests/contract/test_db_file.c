/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only a file can show: kill -9, refusals, damage, bounds. The program also is its own writer
 * that gets killed (--write PATH). */
#include "contract/db_bed.h"
#include "contract/db_script.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- the file ---- */

static void exec_sql(const char *path, const char *sql)
{
    sqlite3 *s;

    assert_int_equal(sqlite3_open(path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(s), SQLITE_OK);
}

static void file_is_private(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_free_ char *wal = xasprintf("%s-wal", path);
    struct stat st;
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    db_close(db);
    assert_int_equal(chmod(path, 0644), 0);
    assert_ok(db_sqlite_open(path, &db));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    db_close(db);
}

static void other_files_are_refused(void **state)
{
    static const char text[1000] = "not a database, but long enough to be looked at";
    _cleanup_free_ char *path = new_path();
    _cleanup_free_ char *link = new_path();
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    db_close(db);
    exec_sql(path, "PRAGMA user_version=99");
    assert_error(db_sqlite_open(path, &db), "has format 99, written by a newer version");
    exec_sql(path, "PRAGMA user_version=2; PRAGMA application_id=7");
    assert_error(db_sqlite_open(path, &db), "its header is damaged"); /* the tables are ours */
    assert_ok(io_write_file(path, text, sizeof(text), 0600));
    assert_error(db_sqlite_open(path, &db), "not a database");
    assert_int_equal(symlink(path, link), 0);
    assert_error(db_sqlite_open(link, &db), "is not a regular file");
    assert_error(db_sqlite_open(test_dir(), &db), "is not a regular file");
    assert_error(db_sqlite_open("/does/not/exist/x.db", &db), "cannot open database");
}

static void foreign_file_is_left_as_it_was(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_str_ struct str before = STR_INIT;
    _cleanup_str_ struct str after = STR_INIT;
    struct db *db;

    exec_sql(path, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    assert_ok(io_read_file(path, 1 << 20, &before));
    assert_error(db_sqlite_open(path, &db), "was not written by this program");
    assert_ok(io_read_file(path, 1 << 20, &after));
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.s, after.s, before.len);
}

static void damage_is_named(void **state)
{
    _cleanup_free_ char *path = new_path();
    struct dump d = {0};
    const struct db_loader l = {.ctx = &d, .row = dump_row, .tombstone = dump_tombstone};
    uint64_t generation;
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    commit_row(db, 1, put("OpaqueRef:good", 0, 1, "{\"name\":\"good\"}"));
    commit_row(db, 2, put("OpaqueRef:bad", 0, 2, "{\"name\":\"value\"}"));
    db_close(db);
    _cleanup_str_ struct str image = STR_INIT;

    assert_ok(io_read_file(path, 1 << 24, &image));
    char *at = memmem(image.s, image.len, "{\"name\":\"value\"}", 16);

    assert_non_null(at);
    at[10] ^= 1; /* one bit of the text: no structure of the file is hurt */
    assert_ok(io_write_file(path, image.s, image.len, 0600));
    assert_ok(db_sqlite_open(path, &db));
    assert_error(db_load(db, &l, &generation), "the row of VM OpaqueRef:bad is damaged");
    db_close(db);

    /* The page that holds the rows loses its header. */
    at[10] ^= 1;
    memset(image.s + (at - image.s) / 4096 * 4096, 0xff, 64);
    assert_ok(io_write_file(path, image.s, image.len, 0600));
    assert_ok(db_sqlite_open(path, &db));
    assert_error(db_load(db, &l, &generation), "DB_DAMAGED [");
    db_close(db);
    vec_foreach (line, &d.lines)
        free(*line);
    vec_fini(&d.lines);
}

static off_t file_size(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? 0 : st.st_size;
}

static void log_file_is_bounded(void **state)
{
    for (int maintained = 0; maintained < 2; maintained++) {
        _cleanup_free_ char *path = new_path();
        _cleanup_free_ char *wal = xasprintf("%s-wal", path);
        _cleanup_str_ struct str big = STR_INIT;
        off_t largest = 0;
        struct db *db;

        assert_ok(db_sqlite_open(path, &db));
        for (int i = 0; i < 100000; i++)
            str_add_char(&big, (char)('a' + i % 26));
        for (uint64_t g = 1; g <= 600; g++) { /* 60 MB */
            big.s[g] = '!';
            commit_row(db, g, put("a", g - 1, 1, big.s));
            if (maintained)
                assert_ok(db_maintain(db));
            largest = MAX(largest, file_size(wal));
        }
        db_close(db);
        assert_in_range(largest, 1 << 20, maintained ? 9 << 20 : 18 << 20);
        assert_in_range(file_size(path), 100000, 4 << 20);
        assert_int_equal(file_size(wal), 0);
    }
}

/* A disk that is full: the commit fails, the store goes on, nothing is half there. */
static void full_disk_fails_cleanly(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_str_ struct str big = STR_INIT;
    struct rlimit old, small;
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    commit_row(db, 1, put("a", 0, 1, "1"));
    while (big.len < (8u << 20))
        str_add(&big, "0123456789abcdef");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct error *e = try_row(db, 2, put("a", 1, 1, big.s));

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_error(e, path);
    e = try_row(db, 2, put("a", 1, 1, "2"));
    if (e) /* refused until it is opened again: the first attempt's fate was unknown */
        assert_error(e, "until it is opened again");
    db_close(db);
    assert_ok(db_sqlite_open(path, &db));
    _cleanup_free_ char *text = dump_text(db);

    assert_true(streq(text, "at 1\nVM a 1 1 1") || streq(text, "at 2\nVM a 2 1 2"));
    db_close(db);
}

/* ---- kill -9 ---- */

/* The other side of the test: this very program, started with --write. */
static int write_until_killed(const char *path)
{
    struct script scripts[3] = {0};
    struct script at = {0};
    struct db *db;
    char *text;

    if (db_sqlite_open(path, &db))
        return 1;
    text = dump_text(db);
    uint64_t generation = strtoull(text + 3, NULL, 10);

    free(text);
    while (at.generation < generation)
        script_next(&at);
    for (;;) {
        struct db_commit commits[3];
        size_t n = at.generation % 3 + 1;

        for (size_t i = 0; i < n; i++) {
            scripts[i] = i ? scripts[i - 1] : at;
            commits[i] = script_next(&scripts[i]);
        }
        at = scripts[n - 1];
        if (db_commit(db, commits, n) || db_maintain(db))
            return 2;
        if (write(STDOUT_FILENO, &at.generation, sizeof(at.generation)) < 0)
            return 3;
    }
}

static void spawn_self(struct spawn *s, const char *mode, const char *path)
{
    _cleanup_free_ char *self = realpath("/proc/self/exe", NULL);

    assert_non_null(self);
    spawn_init(s, self);
    spawn_add(s, mode);
    spawn_add(s, path);
}

/* Lets the writer run until it has acknowledged `acks` times, kills it, returns the last
 * generation it acknowledged. */
static uint64_t run_and_kill(const char *path, unsigned acks)
{
    _cleanup_spawn_ struct spawn s;
    uint64_t acknowledged = 0, g;
    int fds[2];
    pid_t pid;
    int status;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    spawn_self(&s, "--write", path);
    s.stdout_fd = fds[1];
    s.stderr_fd = STDERR_FILENO;
    assert_ok(spawn_start(&s, &pid));
    close(fds[1]);
    for (unsigned i = 0; i < acks; i++) {
        if (read(fds[0], &g, sizeof(g)) != sizeof(g))
            break;
        acknowledged = g;
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    /* What it had still said before it died counts as acknowledged too. */
    while (read(fds[0], &g, sizeof(g)) == sizeof(g))
        acknowledged = g;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return acknowledged;
}

static void no_answered_commit_is_lost_by_kill(void **state)
{
    _cleanup_free_ char *path = new_path();
    uint64_t before = 0;

    for (unsigned round = 0; round < 12; round++) {
        uint64_t acknowledged = run_and_kill(path, 1 + round * round * 3);
        struct db *db;

        assert_true(acknowledged > before);
        assert_ok(db_sqlite_open(path, &db));
        assert_script(db, acknowledged, acknowledged + 3);
        db_close(db);
        before = acknowledged;
    }
}

static void a_file_has_one_owner(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_spawn_ struct spawn s;
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    spawn_self(&s, "--open", path);
    assert_error(spawn_run(&s, 60 * SECOND_US, 0, NULL), "in use by another program");
    db_close(db);
    assert_ok(spawn_run(&s, 60 * SECOND_US, 0, NULL));
}

static int open_once(const char *path)
{
    struct db *db;
    struct error *e = db_sqlite_open(path, &db);

    if (!e) {
        db_close(db);
        return 0;
    }
    _cleanup_free_ char *text = error_string(e);

    fprintf(stderr, "%s\n", text);
    error_free(e);
    return 1;
}

/* ---- all of them ---- */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(file_is_private),
    cmocka_unit_test(other_files_are_refused),
    cmocka_unit_test(foreign_file_is_left_as_it_was),
    cmocka_unit_test(damage_is_named),
    cmocka_unit_test(log_file_is_bounded),
    cmocka_unit_test(full_disk_fails_cleanly),
    cmocka_unit_test(no_answered_commit_is_lost_by_kill),
    cmocka_unit_test(a_file_has_one_owner),
};

int main(int argc, char **argv)
{
    if (argc == 3 && streq(argv[1], "--write"))
        return write_until_killed(argv[2]);
    if (argc == 3 && streq(argv[1], "--open"))
        return open_once(argv[2]);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
