/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small store with the relations of the real model, of whose file each page is hit in turn. It
 * opens every time: whole, and then it is what it was; or read-only, and then each object is there
 * or named, the inverse and derived fields fit what is left, and no commit reaches the file.
 */
#include "contract/db_bed.h"

#include "base/io.h"
#include "base/map.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/session_txn.h"
#include "model/txn.h"

#define PAGE  4096
#define N_VMS 40

static const struct commit_info info = {.who = "tester", .task = "", .call = "test"};

static void make_vm(struct store *s, const char *sr, int i)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(s, &a);
    struct vm_rec *vm = txn_new_vm(t);
    struct vdi_rec *vdi = txn_new_vdi(t);
    struct vbd_rec *vbd = txn_new_vbd(t);

    vm->name_label = arena_printf(&a, "VM %d", i);
    vm->name_description = "a text of some length, so that a page holds a few rows and no more";
    vdi->SR = sr;
    vdi->virtual_size = i << 20;
    vbd->VM = vm->self;
    vbd->VDI = vdi->self;
    vbd->userdevice = "0";
    assert_ok(txn_commit(t, &info));
}

static void make_store(const char *path)
{
    _cleanup_arena_ struct arena a;
    struct store *s;

    arena_init(&a);
    assert_ok(store_open_file(path, NULL, &s));
    struct txn *t = txn_new(s, &a);
    const char *sr = txn_new_sr(t)->self;

    assert_ok(txn_commit(t, &info));
    txn_free(t);
    for (int i = 0; i < N_VMS; i++)
        make_vm(s, sr, i);
    assert_null(store_read_only(s));
    store_close(s);
}

/* ---- what was there ---- */

static const enum class_id kinds[] = {CLASS_SR, CLASS_VM, CLASS_VDI, CLASS_VBD};

struct expected {
    struct str refs; /* a line "class ref" each */
    size_t n;
};

static void note_all(const char *path, struct expected *x)
{
    struct store *s;

    assert_ok(store_open_file(path, NULL, &s));
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct version_list all;

        store_all(s, kinds[k], &all);
        vec_foreach (v, &all)
            str_printf(&x->refs, "%d %s\n", (int)kinds[k], version_ref_text(*v));
        x->n += all.n;
        version_list_fini(&all);
    }
    store_close(s);
    assert_int_equal(x->n, 1 + 3 * N_VMS);
}

/* ---- one damage ---- */

static void note_damaged(void *ctx, const char *class_name, const char *ref, const char *why)
{
    str_printf(ctx, "%s\n", ref);
}

static void check_relations(struct store *s)
{
    struct version_list all;

    store_all(s, CLASS_VM, &all);
    vec_foreach (v, &all) {
        const struct vm_rec *vm = (*v)->rec;

        assert_true(vm->inv.allowed_operations.n > 0);
        for (size_t i = 0; i < vm->inv.VBDs.n; i++) {
            struct version *b = store_find(s, CLASS_VBD, vm->inv.VBDs.v[i]);

            assert_non_null(b);
            assert_string_equal(((const struct vbd_rec *)b->rec)->VM, vm->self);
            version_unref(b);
        }
    }
    version_list_fini(&all);
}

static size_t check_content(struct store *s, const struct expected *x, const struct str *named)
{
    _cleanup_free_ char *lines = xstrdup(x->refs.s);
    char *save = NULL;
    size_t there = 0;

    for (char *l = strtok_r(lines, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char *ref;
        enum class_id class_id = (enum class_id)strtol(l, &ref, 10);
        struct version *v = store_find(s, class_id, ref + 1);

        if (!v && !(named->s && strstr(named->s, ref + 1)))
            fail_msg("nothing is said of %s", l);
        there += v != NULL;
        version_unref(v);
    }
    return there;
}

static void check_refusal(struct store *s)
{
    _cleanup_arena_ struct arena a;
    uint64_t generation = store_now(s).generation;

    arena_init(&a);
    struct txn *t = txn_new(s, &a);

    txn_new_vm(t);
    struct error *e = txn_commit(t, &info);

    assert_true(error_is(e, "OPERATION_NOT_ALLOWED"));
    assert_non_null(strstr(e->params[0], "the store is damaged and read-only"));
    error_free(e);
    txn_free(t);
    t = txn_new(s, &a);
    const char *session = txn_new_session(t)->self;

    assert_ok(txn_commit(t, &info)); /* never reaches the disk */
    txn_free(t);
    struct version *v = store_find(s, CLASS_SESSION, session);

    assert_non_null(v);
    version_unref(v);
    assert_int_equal(store_now(s).generation, generation);
}

/* True: it was noticed. */
static bool check_hit(const char *path, const struct str *hit, const struct expected *x)
{
    _cleanup_str_ struct str named = STR_INIT;
    _cleanup_str_ struct str now = STR_INIT;
    const struct store_notes notes = {.ctx = &named, .damaged = note_damaged};
    struct store *s;

    assert_ok(store_open_file(path, &notes, &s));
    bool damaged = store_read_only(s) != NULL;
    size_t there = check_content(s, x, &named);

    if (!damaged)
        assert_int_equal(there, x->n);
    assert_in_range(there, x->n / 2, x->n);
    check_relations(s);
    if (damaged)
        check_refusal(s);
    store_close(s);
    if (!damaged)
        return false;
    assert_ok(io_read_file(path, 1u << 30, &now));
    assert_int_equal(now.len, hit->len);
    assert_memory_equal(now.s, hit->s, hit->len);
    return true;
}

static void each_page(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_str_ struct str file = STR_INIT;
    struct expected x = {0};
    unsigned noticed = 0, pages = 0;

    make_store(path);
    note_all(path, &x);
    assert_ok(io_read_file(path, 1u << 30, &file));
    for (size_t at = 0; at < file.len; at += PAGE, pages++) {
        for (int zeros = 0; zeros < 2; zeros++) {
            _cleanup_free_ char *before = xmemdup0(file.s + at, PAGE);

            memset(file.s + at, zeros ? 0 : 0xa5, zeros ? PAGE : 100);
            assert_ok(io_write_file(path, file.s, file.len, 0600));
            noticed += check_hit(path, &file, &x);
            memcpy(file.s + at, before, PAGE);
        }
    }
    print_message("%u pages, %u of %u damages noticed\n", pages, noticed, 2 * pages);
    assert_in_range(pages, 20, 1000);
    assert_true(noticed > pages);
    str_fini(&x.refs);
}

static struct error *meet_damage(struct db *db, const struct db_commit *commits, size_t n)
{
    return error_api(DB_DAMAGED, 1, "page 7 is gone");
}

/* The damage is met by a commit, not by the load: it is the last one that is tried. */
static void a_commit_that_meets_damage_ends_writing(void **state)
{
    _cleanup_arena_ struct arena a;
    struct db_ops ops;
    struct store *s;
    struct db *db;

    arena_init(&a);
    assert_ok(db_mem_open(&db));
    ops = *db->ops;
    ops.commit = meet_damage;
    db->ops = &ops;
    assert_ok(store_open(db, NULL, &s));
    assert_null(store_read_only(s));
    struct txn *t = txn_new(s, &a);
    const char *vm = txn_new_vm(t)->self;
    struct error *e = txn_commit(t, &info);

    assert_true(error_is(e, "OPERATION_NOT_ALLOWED"));
    error_free(e);
    txn_free(t);
    assert_null(store_find(s, CLASS_VM, vm));
    assert_non_null(strstr(store_read_only(s), "page 7 is gone"));
    ops.commit = NULL;
    check_refusal(s);
    store_close(s);
}

/* A text that is no record, with a checksum that fits. */
static void a_row_that_makes_no_sense(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_str_ struct str named = STR_INIT;
    const struct store_notes notes = {.ctx = &named, .damaged = note_damaged};
    struct store *s;
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    commit_row(db, 1, put("OpaqueRef:good", 0, 1, "{\"name_label\":\"good\"}"));
    commit_row(db, 2, put("OpaqueRef:bad", 0, 2, "{\"name_label\":7"));
    db_close(db);
    assert_ok(store_open_file(path, &notes, &s));
    assert_non_null(strstr(store_read_only(s), "VM OpaqueRef:bad"));
    assert_string_equal(named.s, "OpaqueRef:bad\n");
    assert_int_equal(store_count(s, CLASS_VM), 1);
    check_refusal(s);
    store_close(s);
}

static bool not_bad(void *ctx, const char *class_name, const char *ref)
{
    return !streq(ref, "OpaqueRef:bad");
}

/* Rows keep their generations; what is lost becomes a deletion that listeners hear of. */
static void a_store_is_rebuilt(void **state)
{
    _cleanup_free_ char *path = new_path();
    _cleanup_free_ char *copy = NULL;
    const struct db_keep keep = {.row = not_bad};
    struct db *db;

    assert_ok(db_sqlite_open(path, &db));
    commit_row(db, 1, put("OpaqueRef:good", 0, 1, "{\"name_label\":\"good\"}"));
    commit_row(db, 2, put("OpaqueRef:bad", 0, 2, "{\"name_label\":7"));
    commit_row(db, 3, put("OpaqueRef:old", 0, 3, "{}"));
    commit_row(db, 4, gone("OpaqueRef:old", 3, 3));
    db_close(db);
    assert_ok(db_rebuild(path, &keep, &copy));
    assert_int_equal(access(copy, R_OK), 0);
    assert_ok(db_sqlite_open(path, &db));
    assert_ok(db_sqlite_check(db));
    _cleanup_free_ char *text = dump_text(db);

    assert_string_equal(text, "at 5\nVM OpaqueRef:good 1 1 {\"name_label\":\"good\"}\n"
                              "~VM OpaqueRef:bad 5 0\n~VM OpaqueRef:old 4 3\n~repair  5 5");
    commit_row(db, 6, put("OpaqueRef:new", 0, 6, "{}"));
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page),
        cmocka_unit_test(a_commit_that_meets_damage_ends_writing),
        cmocka_unit_test(a_row_that_makes_no_sense),
        cmocka_unit_test(a_store_is_rebuilt),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
