/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much calls of clients may bring into the store, and that nothing else is held up by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/message/post.h"
#include "gen/class/VM_txn.h"
#include "gen/class/task_txn.h"
#include "lib/store_bed.h"
#include "rpc/builtin.h"

static struct error *client_commit(struct bed *b)
{
    const struct commit_info client = {.who = "c", .task = "", .call = "test", .bounded = true};
    struct error *e = txn_commit(b->t, &client);

    begin(b);
    return e;
}

static void client_commit_fails(struct bed *b, const char *code)
{
    _cleanup_error_ struct error *e = client_commit(b);

    assert_true(error_is(e, code));
}

static const char *long_name(struct bed *b, size_t n)
{
    char *text = arena_alloc(&b->a, n + 1);

    memset(text, 'x', n);
    text[n] = 0;
    return text;
}

static void rename_vm(struct bed *b, const char *ref, size_t n)
{
    struct vm_rec *vm;

    assert_null(txn_edit_vm(b->t, ref, &vm));
    vm->name_label = long_name(b, n);
}

static void clients_are_bounded_in_rows(void **state)
{
    struct bed *b = *state;

    store_set_limits(
        b->store, &(struct store_limits){
                      .class_rows = 2, .task_rows = 1, .object_bytes = 1 << 20, .bytes = 1 << 30});
    const char *first = make_vm(b, "1");

    make_vm(b, "2");
    assert_null(client_commit(b));
    make_vm(b, "3");
    client_commit_fails(b, "VALUE_NOT_SUPPORTED");
    txn_new_task(b->t);
    assert_null(client_commit(b));
    txn_new_task(b->t);
    client_commit_fails(b, "TOO_MANY_PENDING_TASKS");
    rename_vm(b, first, 10);
    assert_null(client_commit(b));
    make_vm(b, "4"); /* of the daemon itself */
    commit_ok(b);
    assert_int_equal(store_count(b->store, CLASS_VM), 3);
    assert_null(txn_delete(b->t, CLASS_VM, first));
    assert_null(client_commit(b));
}

static void clients_are_bounded_in_bytes(void **state)
{
    struct bed *b = *state;
    const char *first = make_vm(b, "1"), *second = make_vm(b, "2");

    commit_ok(b);
    store_set_limits(
        b->store, &(struct store_limits){.class_rows = 9, .object_bytes = 100000, .bytes = 220000});
    rename_vm(b, first, 90000);
    assert_null(client_commit(b));
    rename_vm(b, first, 1200000);
    client_commit_fails(b, "VALUE_NOT_SUPPORTED");
    rename_vm(b, first, 200000); /* the daemon itself may */
    commit_ok(b);
    rename_vm(b, first, 150000); /* smaller, if not small */
    assert_null(client_commit(b));
    rename_vm(b, second, 90000);
    client_commit_fails(b, "OUT_OF_SPACE");
    rename_vm(b, first, 1);
    assert_null(client_commit(b));
    rename_vm(b, second, 90000);
    assert_null(client_commit(b));
    /* What is refused takes nothing, what is gone takes nothing any more. */
    for (int i = 0; i < 10; i++) {
        rename_vm(b, first, 90000);
        assert_null(client_commit(b));
        rename_vm(b, first, 110000);
        client_commit_fails(b, "VALUE_NOT_SUPPORTED");
        rename_vm(b, first, 1);
        assert_null(client_commit(b));
    }
    assert_null(txn_delete(b->t, CLASS_VM, second));
    assert_null(client_commit(b));
}

static void async_calls_are_bounded(void **state)
{
    struct bed *b = *state;
    struct daemon d = {.store = b->store, .host_ref = REF_NULL};
    const struct message m = {.name = "VM.start"};
    const struct http_request rq = {0};
    struct job j = {
        .call = {.daemon = &d, .arena = &b->a, .msg = &m, .session = "", .user = "c", .task = ""}};

    store_set_limits(b->store, &(struct store_limits){
                                   .task_rows = 2, .object_bytes = 1 << 20, .bytes = 1 << 30});
    assert_null(async_task(&j, &rq));
    assert_null(async_task(&j, &rq));
    _cleanup_error_ struct error *e = async_task(&j, &rq);

    assert_true(error_is(e, "TOO_MANY_PENDING_TASKS"));
}

/* ---- lists whose oldest rows go ---- */

static void post(struct bed *b, int i)
{
    const struct message_text text = {
        .name = "NEWS",
        .priority = 5,
        .cls = CLS_VM,
        .uuid = "",
        .body = arena_printf(&b->a, "%d", i),
    };

    assert_null(message_post(b->t, &text, NULL));
}

/* Newest and oldest of those kept, by their texts. */
static void kept_messages(struct bed *b, int *ret_oldest, int *ret_newest)
{
    const struct message_rec *const *all;
    size_t n = txn_all_message(b->t, &all);

    *ret_oldest = INT32_MAX;
    *ret_newest = 0;
    for (size_t i = 0; i < n; i++) {
        int k = atoi(all[i]->body);

        *ret_oldest = k < *ret_oldest ? k : *ret_oldest;
        *ret_newest = k > *ret_newest ? k : *ret_newest;
    }
}

static void the_oldest_messages_go(void **state)
{
    struct bed *b = *state;
    int oldest, newest;

    for (int i = 0; i < MESSAGES_MAX; i++) {
        post(b, i);
        if (i % 500 == 499)
            commit_ok(b);
    }
    assert_int_equal(store_count(b->store, CLASS_MESSAGE), MESSAGES_MAX);
    for (int i = MESSAGES_MAX; i < MESSAGES_MAX + 150; i++) {
        post(b, i);
        commit_ok(b);
        assert_true(store_count(b->store, CLASS_MESSAGE) <= MESSAGES_MAX);
    }
    kept_messages(b, &oldest, &newest);
    assert_int_equal(newest, MESSAGES_MAX + 149);
    assert_int_equal(store_count(b->store, CLASS_MESSAGE), newest - oldest + 1);
}

/* ---- deletions that listeners can still be told of ---- */

static void delete_many(struct bed *b, int n)
{
    while (n > 0) {
        const int now = n < 1000 ? n : 1000;
        const char *refs[1000];

        for (int i = 0; i < now; i++)
            refs[i] = ((struct task_rec *)txn_insert_soft(b->t, CLASS_TASK))->self;
        assert_null(txn_commit(b->t, &(struct commit_info){.who = "", .task = "", .call = "test"}));
        txn_free(b->t);
        b->t = txn_new(b->store, &b->a);
        for (int i = 0; i < now; i++)
            assert_null(txn_delete(b->t, CLASS_TASK, refs[i]));
        commit_ok(b);
        n -= now;
    }
}

static bool is_lost(struct bed *b, const struct token *since)
{
    struct interest tasks = {0};
    struct changes c;

    tasks.class_all[CLASS_TASK] = true;
    store_changes(b->store, &tasks, since, &c);
    bool lost = c.lost;

    changes_fini(&c);
    return lost;
}

static void deletions_are_forgotten(void **state)
{
    struct bed *b = *state;

    delete_many(b, 1);
    struct token first = store_now(b->store);

    delete_many(b, DB_TOMBSTONES_MAX);
    assert_false(is_lost(b, &first));
    struct token second = store_now(b->store);

    delete_many(b, 1);
    assert_true(is_lost(b, &first));
    assert_false(is_lost(b, &second));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(clients_are_bounded_in_rows), T(clients_are_bounded_in_bytes), T(async_calls_are_bounded),
        T(the_oldest_messages_go),      T(deletions_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
