/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small real store of which each page is spoilt in turn, in the file and in the log, by zeros and
 * by flipped bytes; also truncated, emptied, older and newer. Opened as usual it says DB_DAMAGED or
 * holds what it held; nothing is passed over in silence and the files stay as they are. Salvaged,
 * each row is there as it was or is named as lost.
 */
#include "contract/db_bed.h"

#include "base/io.h"
#include "base/map.h"
#include "base/uuid.h"
#include "db/db_image.h"

#include <dirent.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define N_ROWS  160
#define PAGE    4096
#define FLIPPED 64 /* bytes */

enum harm { HARM_ZERO, HARM_FLIP, HARM_HEAD, HARM_MAX };

struct bed {
    char *path;
    struct str file, wal;
    char *content; /* sorted lines of a load */
};

/* ---- a store ---- */

static const char *ref_of(int i)
{
    static char text[2][64];
    static int which;

    which = !which;
    snprintf(text[which], sizeof(text[0]), "OpaqueRef:%08x-1111-2222-3333-444444444444",
             (unsigned)i * 2654435761u);
    return text[which];
}

static void add_rows(struct db *db, uint64_t *g)
{
    _cleanup_str_ struct str big = STR_INIT;

    while (big.len < 20000) /* goes on in overflow pages */
        str_printf(&big, "{\"n\":%zu}", big.len);
    for (int i = 0; i < N_ROWS; i++) {
        _cleanup_free_ char *json =
            xasprintf("{\"name\":\"row %d of a store\",\"memory\":%d}", i, i * 4096);

        ++*g;
        commit_row(db, *g, put(ref_of(i), 0, *g, i % 40 == 7 ? big.s : json));
    }
}

static void change_and_delete(struct db *db, uint64_t *g)
{
    for (int i = 0; i < N_ROWS; i += 3) {
        uint64_t made = (uint64_t)i + 1;

        ++*g;
        if (i % 2)
            commit_row(db, *g, put(ref_of(i), made, made, "{\"changed\":true}"));
        else
            commit_row(db, *g, gone(ref_of(i), made, made));
    }
}

static void copy_out(struct bed *b)
{
    _cleanup_free_ char *wal = xasprintf("%s-wal", b->path);

    assert_ok(io_read_file(b->path, 1u << 30, &b->file));
    IGNORE_ERROR(io_read_file(wal, 1u << 30, &b->wal));
}

static void copy_in(const struct bed *b)
{
    _cleanup_free_ char *wal = xasprintf("%s-wal", b->path);

    assert_ok(io_write_file(b->path, str_cstr(&b->file), b->file.len, 0600));
    if (b->wal.len)
        assert_ok(io_write_file(wal, b->wal.s, b->wal.len, 0600));
    else
        assert_ok(io_unlink(wal));
}

/* with_log: as after a kill, most of it in the write-ahead log. */
static void make_bed(struct bed *b, bool with_log)
{
    uint64_t g = 0;
    struct db *db;

    *b = (struct bed){.path = new_path()};
    assert_ok(db_sqlite_open(b->path, &db));
    add_rows(db, &g);
    if (with_log) {
        db_close(db);
        assert_ok(db_sqlite_open(b->path, &db));
    }
    change_and_delete(db, &g);
    if (with_log)
        copy_out(b);
    b->content = dump_text(db);
    db_close(db);
    if (!with_log)
        copy_out(b);
    copy_in(b);
}

static void free_bed(struct bed *b)
{
    free(b->path);
    free(b->content);
    str_fini(&b->file);
    str_fini(&b->wal);
}

static void do_harm(char *at, size_t n, enum harm harm, unsigned seed)
{
    if (harm == HARM_ZERO)
        memset(at, 0, n);
    else if (harm == HARM_HEAD)
        memset(at, 0xff, MIN(n, 64u));
    for (unsigned i = 0; harm == HARM_FLIP && i < FLIPPED; i++) {
        seed = seed * 1103515245u + 12345u;
        at[seed / 65536u % n] ^= (char)(1u << seed % 8);
    }
}

/* ---- what a load of a salvaged store says ---- */

struct told {
    struct dump rows;
    struct str lost; /* "REF WHY" lines */
    size_t n_lost;
};

static void note_damaged(void *ctx, const char *class_name, const char *ref, const char *why)
{
    struct told *t = ctx;

    str_printf(&t->lost, "%s %s\n", ref, why);
    t->n_lost++;
}

static struct error *note_row(void *ctx, const char *class_name, const char *ref,
                              uint64_t generation, uint64_t created, const char *json, size_t len)
{
    struct told *t = ctx;

    return dump_row(&t->rows, class_name, ref, generation, created, json, len);
}

static struct error *note_tombstone(void *ctx, const char *class_name, const char *ref,
                                    uint64_t generation, uint64_t created)
{
    struct told *t = ctx;

    return dump_tombstone(&t->rows, class_name, ref, generation, created);
}

static void told_fini(struct told *t)
{
    vec_foreach (line, &t->rows.lines)
        free(*line);
    vec_fini(&t->rows.lines);
    str_fini(&t->lost);
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    size_t n = strlen(line);

    return at && at[-1] == '\n' && (at[n] == '\n' || !at[n]);
}

static bool is_told(const struct told *t, const char *line)
{
    char ref[64];

    vec_foreach (row, &t->rows.lines)
        if (streq(*row, line))
            return true;
    assert_int_equal(sscanf(line, "VM %63s", ref), 1);
    return t->lost.s && strstr(t->lost.s, ref);
}

/* Every row that was there is there as it was, or (all) is named. Returns how many are there. */
static size_t check_told(const struct bed *b, const struct told *t, bool all)
{
    _cleanup_free_ char *lines = xstrdup(b->content);
    char *save = NULL;
    size_t n = 0;

    for (char *l = strtok_r(lines, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        if (all && str_starts(l, "VM ") && !is_told(t, l))
            fail_msg("nothing is said of: %.80s (lost:\n%s)", l, str_cstr(&t->lost));
    vec_foreach (row, &t->rows.lines) {
        char ref[64];

        if (!str_starts(*row, "VM "))
            continue;
        assert_int_equal(sscanf(*row, "VM %63s", ref), 1);
        /* An older state is a row only if it is told to be one. */
        if (!has_line(b->content, *row) && !(t->lost.s && strstr(t->lost.s, ref)))
            fail_msg("this was never so: %.200s", *row);
        n++;
    }
    return n;
}

/* all: index and history are there, so that what is lost can be named. */
static size_t salvage(const struct bed *b, bool all, size_t *ret_lost)
{
    struct told t = {0};
    const struct db_loader l = {
        .ctx = &t, .row = note_row, .tombstone = note_tombstone, .damaged = note_damaged};
    const struct db_row row = put("OpaqueRef:new", 0, 1, "{}");
    struct db *db;
    uint64_t generation;

    assert_ok(db_salvage_open(b->path, "it was hit", &db));
    assert_string_equal(db->read_only, "it was hit");
    assert_ok(db_load(db, &l, &generation));
    size_t n = check_told(b, &t, all);

    assert_error(try_row(db, generation + 1, row), "DB_DAMAGED [it was hit]");
    db_close(db);
    *ret_lost = t.n_lost;
    told_fini(&t);
    return n;
}

/* ---- one damage ---- */

static void assert_untouched(const struct bed *b)
{
    struct bed now = {.path = b->path};

    copy_out(&now);
    assert_int_equal(now.file.len, b->file.len);
    assert_memory_equal(now.file.s, b->file.s, b->file.len);
    assert_int_equal(now.wal.len, b->wal.len);
    if (b->wal.len)
        assert_memory_equal(now.wal.s, b->wal.s, b->wal.len);
    str_fini(&now.file);
    str_fini(&now.wal);
}

/* A commit on what looked whole: done, or refused because of the damage. */
static void check_commit(struct db *db)
{
    uint64_t generation;
    struct dump d = {0};
    const struct db_loader l = {.ctx = &d, .row = dump_row, .tombstone = dump_tombstone};

    assert_ok(db_load(db, &l, &generation));
    struct error *e = try_row(db, generation + 1, put("OpaqueRef:new", 0, generation + 1, "{}"));

    if (e)
        assert_error(e, "DB_DAMAGED [");
    vec_foreach (line, &d.lines)
        free(*line);
    vec_fini(&d.lines);
}

/* True: it was noticed. may_lose_last: a log whose last commit was cut off looks the same. */
static bool opens_or_tells(struct bed *b, bool may_lose_last)
{
    struct dump d = {0};
    const struct db_loader l = {.ctx = &d, .row = dump_row, .tombstone = dump_tombstone};
    struct db *db = NULL;
    uint64_t generation;
    struct error *e = db_sqlite_open(b->path, &db);

    if (!e)
        e = db_load(db, &l, &generation);
    vec_foreach (line, &d.lines)
        free(*line);
    vec_fini(&d.lines);
    if (e) {
        assert_error(e, "DB_DAMAGED [");
        db_close(db);
        assert_untouched(b);
        return true;
    }
    _cleanup_free_ char *text = dump_text(db);

    if (!may_lose_last)
        assert_string_equal(text, b->content);
    check_commit(db);
    db_close(db);
    return false;
}

/* Rows are found through it: its damage must not wait for the commit that looks for one. */
static bool is_index_page(const char *page)
{
    return page[0] == 0x0a || page[0] == 0x02;
}

static void each_page(bool with_log, bool in_log)
{
    struct bed b;
    unsigned noticed = 0, pages = 0;
    size_t lost = 0, worst = 0;

    make_bed(&b, with_log);
    struct str *target = in_log ? &b.wal : &b.file;
    size_t all = N_ROWS - (N_ROWS + 5) / 6;

    assert_in_range(target->len / PAGE, 20, 2000);
    for (size_t at = 0; at < target->len; at += PAGE) {
        for (enum harm harm = 0; harm < HARM_MAX; harm++) {
            size_t n = MIN((size_t)PAGE, target->len - at), n_lost;
            _cleanup_free_ char *before = xmemdup0(target->s + at, n);

            do_harm(target->s + at, n, harm, (unsigned)at + harm);
            copy_in(&b);
            if (opens_or_tells(&b, in_log && at + 4 * PAGE > target->len)) {
                size_t there = salvage(&b, true, &n_lost);

                assert_in_range(there, all / 2, N_ROWS);
                worst = MAX(worst, n_lost);
                lost += n_lost;
                noticed++;
            } else if (!with_log) {
                assert_false(is_index_page(before));
            }
            memcpy(target->s + at, before, n);
        }
        pages++;
    }
    print_message("%s: %u pages, %u of %u damages noticed, %zu objects named, at most %zu by one\n",
                  in_log ? "log" : "file", pages, noticed, pages * HARM_MAX, lost, worst);
    assert_true(noticed > (with_log && !in_log ? 0 : pages));
    copy_in(&b);
    assert_false(opens_or_tells(&b, false));
    free_bed(&b);
}

static void each_page_of_the_file(void **state)
{
    each_page(false, false);
}

/* Much of it is hidden by the log, which must stay as it is. */
static void each_page_of_a_file_with_a_log(void **state)
{
    each_page(true, false);
}

static void each_page_of_the_log(void **state)
{
    each_page(true, true);
}

/* Rows are lost and so is what names them: history does. */
static void rows_and_their_index(void **state)
{
    struct bed b;
    bool hit = false;
    size_t n_lost;

    make_bed(&b, false);
    for (size_t at = PAGE; at < b.file.len; at += PAGE) {
        bool is_row_page = b.file.s[at] == 0x0d && memmem(b.file.s + at, PAGE, "{\"name\"", 7);

        if (is_index_page(b.file.s + at) || (is_row_page && !hit))
            memset(b.file.s + at, 0, PAGE);
        hit |= is_row_page;
    }
    copy_in(&b);
    assert_true(opens_or_tells(&b, false));
    assert_in_range(salvage(&b, true, &n_lost), N_ROWS / 2, N_ROWS);
    assert_in_range(n_lost, 5, N_ROWS / 2);
    free_bed(&b);
}

/* ---- other damages ---- */

static void truncated_files(void **state)
{
    struct bed b;
    size_t n_lost;

    make_bed(&b, false);
    size_t whole = b.file.len;

    for (size_t len = whole - PAGE; len > PAGE; len -= PAGE) {
        b.file.len = len;
        copy_in(&b);
        assert_true(opens_or_tells(&b, false));
        struct db *db;
        struct error *e = db_salvage_open(b.path, "cut", &db);

        if (e) { /* nothing but the first pages is left */
            assert_error(e, "no row of it can be read");
            assert_in_range(len, 0, whole / 2);
            continue;
        }
        db_close(db);
        if (len > whole / 2)
            assert_in_range(salvage(&b, false, &n_lost), 1, N_ROWS);
    }
    b.file.len = whole;
    free_bed(&b);
}

static void zeroed_files(void **state)
{
    struct bed b;
    struct db *db;

    make_bed(&b, false);
    memset(b.file.s, 0, b.file.len);
    copy_in(&b);
    assert_true(opens_or_tells(&b, false));
    assert_error(db_salvage_open(b.path, "zeros", &db), "no row of it can be read");
    free_bed(&b);
}

static size_t count_files(const char *prefix)
{
    DIR *d = opendir(test_dir());
    const struct dirent *entry;
    size_t n = 0;

    while ((entry = readdir(d)))
        n += str_starts(entry->d_name, prefix);
    closedir(d);
    return n;
}

static void a_copy_is_kept_once(void **state)
{
    _cleanup_free_ char *first = NULL;
    _cleanup_free_ char *again = NULL;
    _cleanup_str_ struct str text = STR_INIT;
    struct stat st;
    struct bed b;

    make_bed(&b, true);
    assert_ok(db_keep_copy(b.path, &first));
    assert_ok(db_keep_copy(b.path, &again));
    assert_string_equal(first, again);
    assert_int_equal(stat(first, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(io_read_file(first, 1u << 30, &text));
    assert_int_equal(text.len, b.file.len);
    assert_memory_equal(text.s, b.file.s, b.file.len);
    free_bed(&b);
}

/* ---- formats ---- */

static void exec_sql(const char *path, const char *sql)
{
    sqlite3 *s;

    assert_int_equal(sqlite3_open(path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(s), SQLITE_OK);
}

/* What the first format was: tombstones without a checksum. */
static void make_first_format(const struct bed *b)
{
    copy_in(b);
    exec_sql(b->path, "ALTER TABLE tombstone DROP COLUMN sum; PRAGMA user_version=1");
}

static void an_older_file_is_upgraded(void **state)
{
    _cleanup_free_ char *prefix = NULL;
    struct bed b;
    struct db *db;

    make_bed(&b, false);
    make_first_format(&b);
    prefix = xasprintf("%s.v1-", strrchr(b.path, '/') + 1);
    assert_ok(db_sqlite_open(b.path, &db));
    _cleanup_free_ char *text = dump_text(db);

    assert_string_equal(text, b.content);
    db_close(db);
    assert_int_equal(count_files(prefix), 1);
    assert_ok(db_sqlite_open(b.path, &db)); /* and stays so */
    db_close(db);
    assert_int_equal(count_files(prefix), 1);
    free_bed(&b);
}

static void a_damaged_older_file_is_salvaged_not_upgraded(void **state)
{
    _cleanup_free_ char *prefix = NULL;
    struct bed b, old;
    size_t n_lost;

    make_bed(&b, false);
    make_first_format(&b);
    old = (struct bed){.path = b.path, .content = b.content};
    copy_out(&old);
    memset(old.file.s + old.file.len / PAGE / 2 * PAGE, 0xff, 64);
    copy_in(&old);
    assert_true(opens_or_tells(&old, false));
    assert_in_range(salvage(&old, true, &n_lost), N_ROWS / 2, N_ROWS);
    prefix = xasprintf("%s.v1-", strrchr(b.path, '/') + 1);
    assert_int_equal(count_files(prefix), 0);
    str_fini(&old.file);
    str_fini(&old.wal);
    free_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page_of_the_file),
        cmocka_unit_test(each_page_of_a_file_with_a_log),
        cmocka_unit_test(each_page_of_the_log),
        cmocka_unit_test(rows_and_their_index),
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(zeroed_files),
        cmocka_unit_test(a_copy_is_kept_once),
        cmocka_unit_test(an_older_file_is_upgraded),
        cmocka_unit_test(a_damaged_older_file_is_salvaged_not_upgraded),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
