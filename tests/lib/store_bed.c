/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/class/VM_txn.h"
#include "lib/store_bed.h"

const struct commit_info bed_info = {.who = "tester", .task = "", .call = "test"};

void begin(struct bed *b)
{
    txn_free(b->t);
    b->t = txn_new(b->store, &b->a);
}

void commit_ok(struct bed *b)
{
    struct error *e = txn_commit(b->t, &bed_info);

    if (e) {
        _cleanup_free_ char *text = error_string(e);

        fail_msg("%s", text);
    }
    begin(b);
}

int bed_setup(void **state)
{
    struct bed *b = xnew(struct bed);
    struct db *db;

    arena_init(&b->a);
    assert_null(db_mem_open(&db));
    assert_null(store_open(db, NULL, &b->store));
    begin(b);
    *state = b;
    return 0;
}

int bed_teardown(void **state)
{
    struct bed *b = *state;

    txn_free(b->t);
    store_close(b->store);
    arena_fini(&b->a);
    free(b);
    return 0;
}

const char *make_vm(struct bed *b, const char *name)
{
    struct vm_rec *vm = txn_new_vm(b->t);

    vm->name_label = name;
    return vm->self;
}
