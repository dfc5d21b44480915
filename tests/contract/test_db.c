/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contract of db.h over every backend and decorator. */
#include "contract/db_bed.h"

#include <inttypes.h>

/* ---- backends under test ---- */

struct bed {
    const char *name;
    bool on_disk;
    struct error *(*open)(const char *path, struct db **ret);
};

static struct error *open_mem(const char *path, struct db **ret)
{
    return db_mem_open(ret);
}

static void no_line(void *ctx, const char *text)
{
    assert_non_null(strchr(text, ' '));
}

static struct error *open_trace(const char *path, struct db **ret)
{
    struct db *mem;

    TRY(db_mem_open(&mem));
    *ret = db_trace_new(mem, NULL, no_line);
    return NULL;
}

static struct error *open_fault(const char *path, struct db **ret)
{
    struct db *file;

    TRY(db_sqlite_open(path, &file));
    *ret = db_fault_new(file, 0, false);
    return NULL;
}

static const struct bed beds[] = {
    {"sqlite", true, db_sqlite_open},
    {"mem", false, open_mem},
    {"trace(mem)", false, open_trace},
    {"fault(sqlite)", true, open_fault},
};

struct fixture {
    const struct bed *bed;
    char *path;
    struct db *db;
};

static struct fixture fixture;

static int set_up(void **state)
{
    fixture = (struct fixture){.bed = *state, .path = new_path()};
    assert_ok(fixture.bed->open(fixture.path, &fixture.db));
    return 0;
}

static int tear_down(void **state)
{
    db_close(fixture.db);
    free(fixture.path);
    return 0;
}

/* What a new process would find. A backend in memory is its own next process. */
static void reopen(void)
{
    if (!fixture.bed->on_disk)
        return;
    db_close(fixture.db);
    fixture.db = NULL;
    assert_ok(fixture.bed->open(fixture.path, &fixture.db));
}

static void assert_content(const char *expected)
{
    _cleanup_free_ char *before = dump_text(fixture.db);

    assert_string_equal(before, expected);
    reopen();
    _cleanup_free_ char *after = dump_text(fixture.db);

    assert_string_equal(after, expected);
}

/* ---- the contract ---- */

static void starts_empty(void **state)
{
    assert_content("at 0");
}

static void rows_are_created_changed_and_deleted(void **state)
{
    commit_row(fixture.db, 1, put("a", 0, 1, "{\"n\":1}"));
    commit_row(fixture.db, 2, put("b", 0, 2, "{\"n\":\"\xc3\xa4\"}"));
    assert_content("at 2\nVM a 1 1 {\"n\":1}\nVM b 2 2 {\"n\":\"\xc3\xa4\"}");
    commit_row(fixture.db, 3, put("a", 1, 1, "{}"));
    assert_content("at 3\nVM a 3 1 {}\nVM b 2 2 {\"n\":\"\xc3\xa4\"}");
    commit_row(fixture.db, 4, gone("a", 3, 1));
    assert_content("at 4\nVM b 2 2 {\"n\":\"\xc3\xa4\"}\n~VM a 4 1");
}

static void a_reference_may_come_back(void **state)
{
    commit_row(fixture.db, 1, put("a", 0, 1, "1"));
    commit_row(fixture.db, 2, gone("a", 1, 1));
    commit_row(fixture.db, 3, put("a", 0, 3, "3"));
    commit_row(fixture.db, 4, gone("a", 3, 3));
    commit_row(fixture.db, 5, put("a", 0, 5, "5"));
    assert_content("at 5\nVM a 5 5 5\n~VM a 2 1\n~VM a 4 3");
}

static void several_commits_go_together(void **state)
{
    const struct db_row first[] = {put("a", 0, 1, "1"), put("b", 0, 1, "1")};
    const struct db_row second[] = {put("a", 1, 1, "2"), put("c", 0, 2, "2")};
    const struct db_row third[] = {gone("a", 2, 1)};
    const struct db_commit c[] = {commit_of(1, first, 2), commit_of(2, second, 2),
                                  commit_of(3, third, 1)};
    uint64_t flushes = fixture.db->n_flushes;

    assert_ok(db_commit(fixture.db, c, 3));
    assert_int_equal(fixture.db->n_commits, 3);
    assert_int_equal(fixture.db->n_flushes, flushes + 1);
    assert_int_equal(fixture.db->n_bytes, 4);
    assert_content("at 3\nVM b 1 1 1\nVM c 2 2 2\n~VM a 3 1");
}

static void expectations_are_checked(void **state)
{
    commit_row(fixture.db, 1, put("a", 0, 1, "1"));
    assert_error(try_row(fixture.db, 2, put("a", 0, 2, "2")), "DB_CONFLICT [VM, a]");
    assert_error(try_row(fixture.db, 2, put("b", 1, 2, "2")), "DB_CONFLICT [VM, b]");
    assert_error(try_row(fixture.db, 2, gone("b", 1, 1)), "DB_CONFLICT [VM, b]");
    commit_row(fixture.db, 2, put("a", 1, 1, "2"));
    assert_error(try_row(fixture.db, 3, put("a", 1, 1, "3")), "DB_CONFLICT [VM, a]");
    assert_error(try_row(fixture.db, 3, gone("a", 1, 1)), "DB_CONFLICT [VM, a]");
    assert_content("at 2\nVM a 2 1 2");
}

static void a_refused_batch_leaves_nothing(void **state)
{
    const struct db_row first[] = {put("a", 0, 1, "1")};
    const struct db_row second[] = {put("b", 0, 2, "2"), put("a", 0, 1, "2")};
    const struct db_commit c[] = {commit_of(1, first, 1), commit_of(2, second, 2)};

    assert_error(db_commit(fixture.db, c, 2), "DB_CONFLICT [VM, a]");
    assert_content("at 0");
    assert_ok(db_commit(fixture.db, c, 1));
    assert_content("at 1\nVM a 1 1 1");
}

static void generations_have_no_gaps(void **state)
{
    assert_error(try_row(fixture.db, 2, put("a", 0, 2, "1")),
                 "the commit has generation 2, the database 0");
    commit_row(fixture.db, 1, put("a", 0, 1, "1"));
    assert_error(try_row(fixture.db, 1, put("b", 0, 1, "1")),
                 "the commit has generation 1, the database 1");
    assert_content("at 1\nVM a 1 1 1");
}

static void content_may_be_large_and_odd(void **state)
{
    _cleanup_str_ struct str big = STR_INIT;
    _cleanup_str_ struct str expected = STR_INIT;

    while (big.len < 300000)
        str_add(&big, "x'\"\\;--%\xf0\x9f\x98\x80");
    commit_row(fixture.db, 1, put("a'; DROP TABLE object; --", 0, 1, big.s));
    commit_row(fixture.db, 2, put("empty", 0, 2, ""));
    str_printf(&expected, "at 2\nVM a'; DROP TABLE object; -- 1 1 %s\nVM empty 2 2 ", big.s);
    assert_content(expected.s);
}

struct history_text {
    struct str text;
    size_t fail_after;
};

static struct error *add_entry(void *ctx, const struct db_history_entry *e)
{
    struct history_text *h = ctx;

    if (h->fail_after && !--h->fail_after)
        return error_text("enough");
    str_printf(&h->text, "%s%" PRIu64 " %" PRId64 " %s %s %s %s %s%s", h->text.len ? "\n" : "",
               e->generation, e->time_us, e->who, e->task, e->call, e->class_name, e->ref,
               e->deleted ? " deleted" : "");
    return NULL;
}

static void assert_history(const char *ref, size_t max, const char *expected)
{
    struct history_text h = {0};

    assert_ok(db_history(fixture.db, ref, max, &h, add_entry));
    assert_string_equal(str_cstr(&h.text), expected);
    str_fini(&h.text);
}

static void history_tells_who_did_what(void **state)
{
    const struct db_row rows[] = {put("a", 1, 1, "2"), put("b", 0, 2, "2")};
    struct db_commit c = commit_of(2, rows, 2);

    c.who = "eve";
    c.task = "OpaqueRef:t";
    c.call = "VM.clone";
    commit_row(fixture.db, 1, put("a", 0, 1, "1"));
    assert_ok(db_commit(fixture.db, &c, 1));
    commit_row(fixture.db, 3, gone("a", 2, 1));
    for (int again = 0; again < 2; again++) {
        assert_history("a", 10,
                       "3 3000 root  VM.test VM a deleted\n2 2000 eve OpaqueRef:t VM.clone VM a\n"
                       "1 1000 root  VM.test VM a");
        assert_history("a", 2,
                       "3 3000 root  VM.test VM a deleted\n2 2000 eve OpaqueRef:t VM.clone VM a");
        assert_history("b", 10, "2 2000 eve OpaqueRef:t VM.clone VM b");
        assert_history("c", 10, "");
        assert_history("a", 0, "");
        assert_history(NULL, 2,
                       "3 3000 root  VM.test VM a deleted\n2 2000 eve OpaqueRef:t VM.clone VM b");
        reopen();
    }
    struct history_text h = {.fail_after = 1};

    assert_error(db_history(fixture.db, NULL, 9, &h, add_entry), "enough");
    assert_error(db_history(fixture.db, "a", 9, &(struct history_text){.fail_after = 1}, add_entry),
                 "enough");
    commit_row(fixture.db, 4, put("a", 0, 4, "4"));
    assert_history("a", 9, "4 4000 root  VM.test VM a");
}

static size_t count_lines(const char *text, char first)
{
    size_t n = 0;

    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n += p[1] == first;
    return n;
}

static struct error *count_entry(void *ctx, const struct db_history_entry *e)
{
    (*(size_t *)ctx)++;
    return NULL;
}

static void the_past_is_bounded(void **state)
{
    uint64_t g = 0;
    size_t n = 0;

    fixture.db->limits = (struct db_limits){.tombstones = 100, .history = 300};
    for (int i = 0; i < 80; i++) {
        struct db_row rows[50];
        char refs[50][16];

        for (int k = 0; k < 50; k++) {
            snprintf(refs[k], sizeof(refs[k]), "r%d-%d", i, k);
            rows[k] = put(refs[k], 0, g + 1, "{}");
        }
        struct db_commit made = commit_of(++g, rows, 50);

        assert_ok(db_commit(fixture.db, &made, 1));
        for (int k = 0; k < 50; k++)
            rows[k] = gone(refs[k], g, g);
        struct db_commit unmade = commit_of(++g, rows, 50);

        assert_ok(db_commit(fixture.db, &unmade, 1));
    }
    for (int i = 0; i < 20; i++)
        assert_ok(db_maintain(fixture.db));
    commit_row(fixture.db, g + 1, put("last", 0, g + 1, "{}"));
    reopen();
    _cleanup_free_ char *text = dump_text(fixture.db);
    size_t tombstones = count_lines(text, '~');

    assert_in_range(tombstones, 100, 100 + 1024);
    assert_ok(db_history(fixture.db, NULL, 1000000, &n, count_entry));
    assert_in_range(n, 300, 300 + 1024);
    assert_non_null(strstr(text, "at 161"));
    assert_non_null(strstr(text, "~VM r79-49 "));
    assert_null(strstr(text, "~VM r0-0 "));
    n = 0;
    assert_ok(db_history(fixture.db, "r79-0", 9, &n, count_entry));
    assert_int_equal(n, 2);
}

/* ---- decorators ---- */

static void keep_line(void *ctx, const char *text)
{
    struct str *all = ctx;

    str_printf(all, "%s\n", text);
}

static void trace_shows_names_not_content(void **state)
{
    _cleanup_str_ struct str all = STR_INIT;
    struct db *mem;

    assert_ok(db_mem_open(&mem));
    _cleanup_db_ struct db *db = db_trace_new(mem, &all, keep_line);
    const struct db_row rows[] = {put("a", 0, 1, "{\"password\":1}"), put("b", 0, 1, "{}")};
    struct db_commit c = commit_of(1, rows, 2);

    assert_ok(db_commit(db, &c, 1));
    assert_error(
        db_commit(
            db,
            &(struct db_commit){
                .generation = 2, .who = "", .task = "", .call = "x", .rows = rows, .n_rows = 1},
            1),
        "DB_CONFLICT");
    assert_non_null(strstr(all.s, "commit 1 VM.test by root: VM a new 14 bytes, VM b new 2 bytes"));
    assert_non_null(strstr(all.s, "flush of 1 commits: ok, "));
    assert_non_null(strstr(all.s, "flush of 1 commits: failed: DB_CONFLICT [VM, a]"));
    assert_null(strstr(all.s, "password"));
}

static void fault_hits_the_chosen_commit(void **state)
{
    for (int after = 0; after < 2; after++) {
        struct db *mem;

        assert_ok(db_mem_open(&mem));
        _cleanup_db_ struct db *db = db_fault_new(mem, 2, after);
        struct db_row row = put("a", 0, 1, "1");
        struct db_commit c = commit_of(1, &row, 1);

        assert_ok(db_commit(db, &c, 1));
        row = put("a", 1, 1, "2");
        c.generation = 2;
        assert_error(db_commit(db, &c, 1), after ? "injected fault after the commit"
                                                 : "injected fault before the commit");
        _cleanup_free_ char *text = dump_text(db);

        assert_string_equal(text, after ? "at 2\nVM a 2 1 2" : "at 1\nVM a 1 1 1");
        row = put("a", after ? 2 : 1, 1, "3");
        c.generation = after ? 3 : 2;
        assert_ok(db_commit(db, &c, 1));
    }
}

/* ---- all of them ---- */

#define CASE(f)                                                                                    \
    {                                                                                              \
#f, f                                                                                      \
    }

static const struct {
    const char *name;
    CMUnitTestFunction run;
} cases[] = {
    CASE(starts_empty),
    CASE(rows_are_created_changed_and_deleted),
    CASE(a_reference_may_come_back),
    CASE(several_commits_go_together),
    CASE(expectations_are_checked),
    CASE(a_refused_batch_leaves_nothing),
    CASE(generations_have_no_gaps),
    CASE(content_may_be_large_and_odd),
    CASE(history_tells_who_did_what),
    CASE(the_past_is_bounded),
};

static const struct CMUnitTest single[] = {
    cmocka_unit_test(trace_shows_names_not_content),
    cmocka_unit_test(fault_hits_the_chosen_commit),
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(beds) * ARRAY_SIZE(cases) + ARRAY_SIZE(single)];
    char names[ARRAY_SIZE(beds) * ARRAY_SIZE(cases)][80];
    size_t n = 0;

    for (size_t b = 0; b < ARRAY_SIZE(beds); b++) {
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++, n++) {
            snprintf(names[n], sizeof(names[n]), "%s: %s", beds[b].name, cases[c].name);
            tests[n] = (struct CMUnitTest){names[n], cases[c].run, set_up, tear_down,
                                           (void *)(uintptr_t)&beds[b]};
        }
    }
    memcpy(&tests[n], single, sizeof(single));
    return _cmocka_run_group_tests("db", tests, ARRAY_SIZE(tests), make_dir, remove_dir);
}
