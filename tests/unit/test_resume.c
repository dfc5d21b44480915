/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store that goes on in another program: soft rows and fields, places of listeners, deletions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/class/VM_txn.h"
#include "gen/class/session_txn.h"
#include "gen/class/task_txn.h"
#include "lib/store_bed.h"
#include "rpc/left.h"
#include "task/daemon.h"
#include "value/json.h"

#include <fcntl.h>
#include <unistd.h>

/* Two programs after one another on the same file. */
struct relay {
    struct bed b;
    char dir[32];
    char *file;
    char *soft_rows; /* NULL = not noted */
    json_t *soft;
};

static void relay_open(struct relay *r, bool retell)
{
    struct db *db;

    assert_null(db_sqlite_open(r->file, &db));
    assert_null(store_open(
        db, &(struct store_notes){.soft = r->soft, .retell = retell, .soft_rows = r->soft_rows},
        &r->b.store));
    begin(&r->b);
}

/* Closes, and keeps what the next one is given if it is to go on. */
static void relay_close(struct relay *r, bool hand_over)
{
    _cleanup_str_ struct str text = STR_INIT;

    txn_free(r->b.t);
    r->b.t = NULL;
    if (hand_over) {
        store_write_soft(r->b.store, &text);
        json_decref(r->soft);
        assert_null(json_parse(text.s, text.len, &r->soft));
    }
    store_close(r->b.store);
}

static void relay_init(struct relay *r)
{
    *r = (struct relay){.dir = "/tmp/xenolith-model-XXXXXX"};
    assert_non_null(mkdtemp(r->dir));
    r->file = xasprintf("%s/db", r->dir);
    arena_init(&r->b.a);
    relay_open(r, false);
}

static void relay_fini(struct relay *r)
{
    relay_close(r, false);
    arena_fini(&r->b.a);
    json_decref(r->soft);
    if (r->soft_rows)
        unlink(r->soft_rows);
    free(r->soft_rows);
    unlink(r->file);
    rmdir(r->dir);
    free(r->file);
}

/* Additions, changes and deletions since a token, in one number: 100 * add + 10 * mod + del. */
static int told(struct relay *r, const struct token *since)
{
    static const int weight[] = {[CHANGE_ADD] = 100, [CHANGE_MOD] = 10, [CHANGE_DEL] = 1};
    struct interest all = {0};
    struct changes c;
    int sum = 0;

    for (int i = 1; i < CLASS_MAX; i++)
        all.class_all[i] = true;
    store_changes(r->b.store, &all, since, &c);
    assert_false(c.lost);
    vec_foreach (it, &c.list)
        sum += weight[it->op];
    changes_fini(&c);
    return sum;
}

/* What one listener is told: deletions, or -1 for "events are lost". */
static int ended(struct relay *r, const struct token *since, const struct interest *of)
{
    struct changes c;
    int n = 0;

    store_changes(r->b.store, of, since, &c);
    vec_foreach (it, &c.list)
        n += it->op == CHANGE_DEL;
    n = c.lost ? -1 : n;
    changes_fini(&c);
    return n;
}

/* Without a hand-over nobody knows which rows were in memory. */
static void rows_in_memory_end_with_their_program(void **state)
{
    struct relay r;
    struct interest vms = {0}, tasks = {0}, named = {0}, mixed = {0};
    const char *refs[2];

    relay_init(&r);
    struct task_rec *mine = txn_insert_soft(r.b.t, CLASS_TASK);

    refs[0] = mine->self;
    refs[1] = make_vm(&r.b, "stays");
    commit_ok(&r.b);
    vms.class_all[CLASS_VM] = tasks.class_all[CLASS_TASK] = true;
    named.class_some[CLASS_TASK] = true;
    named.refs.v = refs;
    named.refs.n = 1;
    mixed = named;
    mixed.class_some[CLASS_VM] = true;
    mixed.refs.n = 2;
    interest_sort(&mixed);
    struct token seen = store_now(r.b.store);

    assert_int_equal(ended(&r, &seen, &tasks), 0);
    relay_close(&r, false);
    relay_open(&r, false);
    struct token now = store_now(r.b.store), start = {0};

    assert_int_equal(ended(&r, &seen, &vms), 0);
    assert_int_equal(ended(&r, &seen, &tasks), -1);
    assert_int_equal(ended(&r, &seen, &mixed), -1);
    named.refs.v = (const char *[]){mine->self};
    assert_int_equal(ended(&r, &seen, &named), 1);
    assert_int_equal(ended(&r, &now, &named), 0);
    assert_int_equal(ended(&r, &now, &tasks), 0);
    assert_int_equal(ended(&r, &start, &tasks), 0);
    relay_fini(&r);
}

/* ---- noted rows ---- */

static void noting_init(struct relay *r)
{
    relay_init(r);
    relay_close(r, false);
    r->soft_rows = xasprintf("%s/soft", r->dir);
    relay_open(r, false);
}

static void another_run(struct relay *r)
{
    relay_close(r, false);
    json_decref(TAKE_PTR(r->soft));
    relay_open(r, false);
}

static const char *soft_task(struct relay *r)
{
    const char *ref = ((struct task_rec *)txn_insert_soft(r->b.t, CLASS_TASK))->self;

    commit_ok(&r->b);
    return ref;
}

static void delete_task(struct relay *r, const char *ref)
{
    assert_null(txn_delete(r->b.t, CLASS_TASK, ref));
    commit_ok(&r->b);
}

static int tasks_ended(struct relay *r, const struct token *since)
{
    struct interest tasks = {0};

    tasks.class_all[CLASS_TASK] = true;
    return ended(r, since, &tasks);
}

static void noted_rows_are_told_of_to_every_later_run(void **state)
{
    struct relay r;

    noting_init(&r);
    struct token start = store_now(r.b.store);

    soft_task(&r); /* ends with the run */
    const char *during = soft_task(&r), *before = soft_task(&r);

    delete_task(&r, before);
    struct token seen = store_now(r.b.store);

    soft_task(&r); /* never seen by that listener */
    delete_task(&r, soft_task(&r));
    delete_task(&r, during);
    struct token late = store_now(r.b.store);

    for (int run = 0; run < 3; run++) {
        another_run(&r);
        assert_int_equal(tasks_ended(&r, &start), 0);
        assert_int_equal(tasks_ended(&r, &seen), 2);
        assert_int_equal(tasks_ended(&r, &late), 2);
        struct token now = store_now(r.b.store);

        assert_int_equal(tasks_ended(&r, &now), 0);
        soft_task(&r);
    }
    relay_fini(&r);
}

/* Told by the run that deletes it, though the database knew it only after the listener did. */
static void rows_that_became_hard_live_on(void **state)
{
    struct relay r;

    noting_init(&r);
    const char *task = arena_strdup(&r.b.a, soft_task(&r));
    struct token seen = store_now(r.b.store);

    struct task_rec *rec;

    assert_null(txn_edit_task(r.b.t, task, &rec));
    txn_harden(r.b.t, CLASS_TASK, task);
    commit_ok(&r.b);
    another_run(&r);
    assert_int_equal(tasks_ended(&r, &seen), 0);
    delete_task(&r, task);
    assert_int_equal(tasks_ended(&r, &seen), 1);
    another_run(&r);
    assert_int_equal(tasks_ended(&r, &seen), 1);
    relay_fini(&r);
}

static void rows_that_were_handed_over_live_on(void **state)
{
    struct relay r;

    noting_init(&r);
    const char *task = arena_strdup(&r.b.a, soft_task(&r));
    struct token seen = store_now(r.b.store);

    relay_close(&r, true);
    relay_open(&r, false);
    assert_int_equal(tasks_ended(&r, &seen), 0);
    soft_task(&r);
    struct token later = store_now(r.b.store);

    delete_task(&r, task);
    assert_int_equal(tasks_ended(&r, &seen), 1);
    another_run(&r);
    assert_int_equal(tasks_ended(&r, &seen), 1);
    assert_int_equal(tasks_ended(&r, &later), 2);
    relay_fini(&r);
}

static void make_and_delete(struct relay *r, int n)
{
    const char *refs[1000];

    for (; n > 0; n -= 1000) {
        for (int i = 0; i < MIN(n, 1000); i++)
            refs[i] = ((struct task_rec *)txn_insert_soft(r->b.t, CLASS_TASK))->self;
        assert_null(txn_commit(r->b.t, &bed_info));
        txn_free(r->b.t);
        r->b.t = txn_new(r->b.store, &r->b.a);
        for (int i = 0; i < MIN(n, 1000); i++)
            assert_null(txn_delete(r->b.t, CLASS_TASK, refs[i]));
        commit_ok(&r->b);
    }
}

static void notes_have_an_end(void **state)
{
    struct relay r;

    noting_init(&r);
    struct token first = store_now(r.b.store);

    make_and_delete(&r, 5000);
    struct token second = store_now(r.b.store);

    make_and_delete(&r, 16000);
    another_run(&r);
    assert_int_equal(tasks_ended(&r, &first), -1);
    assert_int_equal(tasks_ended(&r, &second), 0);
    relay_fini(&r);
}

static void write_file(const char *path, off_t at, const char *bytes)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0 && pwrite(fd, bytes, strlen(bytes), at) == (ssize_t)strlen(bytes));
    close(fd);
}

/* Of another machine's life, or no such file: nothing is known, and nothing breaks. */
static void notes_that_are_none_begin_anew(void **state)
{
    static const struct {
        off_t at;
        const char *bytes;
    } damage[] = {{0, "something else"}, {16384u * 10, "\xff\xff\xff\xff"}, {0, NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
        struct relay r;

        noting_init(&r);
        soft_task(&r);
        struct token seen = store_now(r.b.store);

        relay_close(&r, false);
        if (damage[i].bytes)
            write_file(r.soft_rows, damage[i].at, damage[i].bytes);
        else
            assert_int_equal(truncate(r.soft_rows, 100), 0);
        relay_open(&r, false);
        int n = tasks_ended(&r, &seen);

        assert_true(i == 1 ? n >= 0 : n == -1);
        struct token now = store_now(r.b.store);

        another_run(&r);
        assert_int_equal(tasks_ended(&r, &now), 0);
        relay_fini(&r);
    }
}

static void a_program_goes_on_where_another_stopped(void **state)
{
    struct relay r;

    relay_init(&r);
    const char *lost = make_vm(&r.b, "deleted");

    make_vm(&r.b, "kept");
    const char *session = txn_new_session(r.b.t)->self;
    struct task_rec *row = txn_insert_soft(r.b.t, CLASS_TASK), *gone = NULL;
    const char *task = row->self;

    row->name_label = "soft";
    gone = txn_insert_soft(r.b.t, CLASS_TASK);
    commit_ok(&r.b);
    struct token before = store_now(r.b.store);

    assert_null(txn_delete_task(r.b.t, gone->self));
    assert_null(txn_delete_vm(r.b.t, lost));
    commit_ok(&r.b);
    int seen = told(&r, &before);
    struct token after = store_now(r.b.store);

    relay_close(&r, true);
    relay_open(&r, false);
    assert_int_equal(told(&r, &after), 0);
    assert_int_equal(told(&r, &before), seen);
    assert_non_null(txn_find_session(r.b.t, session));
    assert_string_equal(txn_find_task(r.b.t, task)->name_label, "soft");
    assert_null(txn_edit_task(r.b.t, task, &row));
    row->progress = 0.25;
    commit_ok(&r.b);
    assert_int_equal(told(&r, &after), 10);
    after = store_now(r.b.store);
    /* Another build of the program: every row may look different. */
    relay_close(&r, true);
    relay_open(&r, true);
    assert_int_equal(told(&r, &after) % 10, 0);
    assert_true(told(&r, &after) > 20 && told(&r, &after) < 100);
    assert_true(txn_find_task(r.b.t, task)->progress == 0.25);
    relay_fini(&r);
}

/* It took the place for a moment and changed rows, but never served: listeners hear of that from
 * the next one. */
static void what_a_failed_successor_did_is_told(void **state)
{
    struct relay r;

    relay_init(&r);
    const char *changed = make_vm(&r.b, "changed"), *deleted = make_vm(&r.b, "deleted");

    make_vm(&r.b, "same");
    commit_ok(&r.b);
    struct token before = store_now(r.b.store);
    struct vm_rec *vm;

    relay_close(&r, true);
    relay_open(&r, false);
    assert_null(txn_edit_vm(r.b.t, changed, &vm));
    vm->name_label = "other";
    assert_null(txn_delete_vm(r.b.t, deleted));
    make_vm(&r.b, "new");
    commit_ok(&r.b);
    relay_close(&r, false);
    relay_open(&r, false);
    assert_int_equal(told(&r, &before), 100 + 10 + 1);
    assert_string_equal(txn_find_vm(r.b.t, changed)->name_label, "other");
    relay_fini(&r);
}

static void a_call_this_program_does_not_know_fails_its_task(void **state)
{
    struct bed *b = *state;
    struct daemon d = {.store = b->store};
    struct task_rec *row = txn_new_task(b->t);
    const char *ref = row->self;

    row->status = TASK_STATUS_TYPE_PENDING;
    commit_ok(b);
    _cleanup_json_ json_t *left = json_pack("{s:[{s:s, s:[], s:s}]}", "calls", "method",
                                            "VM.from_the_future", "params", "task", ref);

    left_run(&d, left);
    _cleanup_version_ struct version *v = store_find(b->store, CLASS_TASK, ref);
    const struct task_rec *now = v->rec;

    assert_int_equal(now->status, TASK_STATUS_TYPE_FAILURE);
    assert_string_equal(now->error_info.v[0], "MESSAGE_METHOD_UNKNOWN");
    assert_string_equal(now->error_info.v[1], "VM.from_the_future");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_memory_end_with_their_program),
        cmocka_unit_test(noted_rows_are_told_of_to_every_later_run),
        cmocka_unit_test(rows_that_became_hard_live_on),
        cmocka_unit_test(rows_that_were_handed_over_live_on),
        cmocka_unit_test(notes_have_an_end),
        cmocka_unit_test(notes_that_are_none_begin_anew),
        cmocka_unit_test(a_program_goes_on_where_another_stopped),
        cmocka_unit_test(what_a_failed_successor_did_is_told),
        cmocka_unit_test_setup_teardown(a_call_this_program_does_not_know_fails_its_task, bed_setup,
                                        bed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
