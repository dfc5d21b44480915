/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commits that no thread waits for: told once, after the disk has them, in order, whoever flushes;
 * told of its failure; refused at once where others would wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/class/VM_txn.h"
#include "gen/class/task_txn.h"
#include "gen/derive.h"
#include "lib/store_bed.h"
#include "model/view.h"

#include <errno.h>
#include <pthread.h>

#define NOTHING(name)                                                                              \
    void derive_##name##_allowed_operations(const struct view *v, struct arena *a,                 \
                                            const struct name##_rec *rec, struct set_enum *ret)    \
    {                                                                                              \
    }
NOTHING(vm)
NOTHING(sr)
NOTHING(vbd)
NOTHING(vdi)
NOTHING(vif)
NOTHING(host)
NOTHING(network)
NOTHING(vm_appliance)
NOTHING(pool)
NOTHING(task)

/* ---- a disk with a door ---- */

struct door_db {
    struct db db;
    struct db *under;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    bool refuses;
    unsigned n_waiting;
};

static struct error *door_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    return db_load(container_of(db, struct door_db, db)->under, l, ret_generation);
}

static struct error *door_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    struct door_db *d = container_of(db, struct door_db, db);

    pthread_mutex_lock(&d->lock);
    d->n_waiting++;
    pthread_cond_broadcast(&d->changed);
    while (!d->open)
        pthread_cond_wait(&d->changed, &d->lock);
    d->n_waiting--;
    bool refuses = d->refuses;

    d->refuses = false;
    pthread_mutex_unlock(&d->lock);
    return refuses ? error_errno(EIO, "refused") : db_commit(d->under, commits, n);
}

static void door_close(struct db *db)
{
    struct door_db *d = container_of(db, struct door_db, db);

    db_close(d->under);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
    free(d);
}

static const struct db_ops door_ops = {
    .name = "door", .load = door_load, .commit = door_commit, .close = door_close};

static void set_door(struct door_db *d, bool open, bool refuses)
{
    pthread_mutex_lock(&d->lock);
    d->open = open;
    d->refuses = refuses;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

/* A flush stands before the door. */
static void await_flush(struct door_db *d)
{
    pthread_mutex_lock(&d->lock);
    while (!d->n_waiting)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

struct room {
    struct bed b;
    struct door_db *door;
};

static int room_setup(void **state)
{
    struct room *r = xnew(struct room);
    struct door_db *d = r->door = xnew(struct door_db);

    d->db.ops = &door_ops;
    d->open = true;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    assert_null(db_mem_open(&d->under));
    arena_init(&r->b.a);
    assert_null(store_open(&d->db, NULL, &r->b.store));
    assert_null(store_start(r->b.store));
    begin(&r->b);
    *state = r;
    return 0;
}

static int room_teardown(void **state)
{
    struct room *r = *state;

    txn_free(r->b.t);
    store_close(r->b.store);
    arena_fini(&r->b.a);
    free(r);
    return 0;
}

/* ---- who is told ---- */

struct told {
    struct commit_later later;
    unsigned n;
    unsigned place; /* among all that were told */
    struct error *e;
};

static atomic_uint n_told;

static void note_told(struct commit_later *l, struct error *e)
{
    struct told *t = container_of(l, struct told, later);

    t->e = e;
    t->n++;
    t->place = atomic_fetch_add(&n_told, 1);
}

static struct told told_new(void)
{
    atomic_store(&n_told, 0);
    return (struct told){.later.done = note_told};
}

/* True: it will be told. */
static bool commit_later(struct bed *b, struct told *t)
{
    bool later;

    assert_null(txn_commit_later(b->t, &bed_info, &t->later, &later));
    begin(b);
    return later;
}

static bool is_there(struct bed *b, const char *ref)
{
    _cleanup_version_ struct version *v = store_find(b->store, CLASS_VM, ref);

    return v != NULL;
}

/* ---- tests ---- */

static void nobody_is_told_before_the_disk_has_it(void **state)
{
    struct room *r = *state;
    struct told first = told_new(), second = first;
    const char *one = make_vm(&r->b, "one"), *two;

    set_door(r->door, false, false);
    assert_true(commit_later(&r->b, &first));
    await_flush(r->door);
    two = make_vm(&r->b, "two");
    assert_true(commit_later(&r->b, &second));
    assert_int_equal(atomic_load(&n_told), 0);
    assert_false(is_there(&r->b, one));
    set_door(r->door, true, false);
    store_settle(r->b.store);
    assert_int_equal(first.n, 1);
    assert_int_equal(second.n, 1);
    assert_int_equal(first.place, 0);
    assert_null(first.e);
    assert_null(second.e);
    assert_true(is_there(&r->b, one) && is_there(&r->b, two));
}

static void what_a_refusing_disk_takes_along_may_be_tried_again(void **state)
{
    struct room *r = *state;
    struct told first = told_new(), second = first;
    const char *one = make_vm(&r->b, "one"), *two;

    set_door(r->door, false, true);
    assert_true(commit_later(&r->b, &first));
    await_flush(r->door);
    two = make_vm(&r->b, "two");
    assert_true(commit_later(&r->b, &second));
    set_door(r->door, true, true);
    store_settle(r->b.store);
    assert_int_equal(first.n + second.n, 2);
    assert_int_equal(first.e->errnum, EIO);
    assert_true(error_is(second.e, DB_CONFLICT));
    assert_false(is_there(&r->b, one) || is_there(&r->b, two));
    error_free(first.e);
    error_free(second.e);
    one = make_vm(&r->b, "again");
    commit_ok(&r->b);
    assert_true(is_there(&r->b, one));
}

static void soft_changes_wait_only_for_what_is_on_its_way(void **state)
{
    struct room *r = *state;
    struct told hard = told_new(), soft = hard, none = hard;
    struct task_rec *task = txn_insert_soft(r->b.t, CLASS_TASK);

    assert_false(commit_later(&r->b, &soft));
    assert_int_equal(store_count(r->b.store, CLASS_TASK), 1);
    assert_null(txn_edit_task(r->b.t, task->self, &task));
    assert_false(commit_later(&r->b, &none)); /* nothing changed */
    set_door(r->door, false, false);
    make_vm(&r->b, "one");
    assert_true(commit_later(&r->b, &hard));
    await_flush(r->door);
    txn_insert_soft(r->b.t, CLASS_TASK);
    assert_true(commit_later(&r->b, &soft));
    assert_int_equal(store_count(r->b.store, CLASS_TASK), 1);
    set_door(r->door, true, false);
    store_settle(r->b.store);
    assert_int_equal(soft.n, 1);
    assert_int_equal(soft.place, 1);
    assert_int_equal(store_count(r->b.store, CLASS_TASK), 2);
}

static void *take_turn(void *store)
{
    store_take_turn(store);
    return NULL;
}

static void the_turn_of_another_is_a_conflict(void **state)
{
    struct room *r = *state;
    struct told t = told_new();
    bool later = true;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, take_turn, r->b.store), 0);
    pthread_join(thread, NULL);
    make_vm(&r->b, "one");
    struct error *e = txn_commit_later(r->b.t, &bed_info, &t.later, &later);

    assert_true(error_is(e, DB_CONFLICT));
    assert_false(later);
    error_free(e);
    store_settle(r->b.store);
    assert_int_equal(t.n, 0);
}

/* ---- many, some of which wait ---- */

#define WRITERS 8
#define ROUNDS  200

struct writer {
    pthread_t thread;
    struct store *store;
    bool waits;
    unsigned accepted;
};

struct counted {
    struct commit_later later;
    atomic_uint *n;
};

static void count_told(struct commit_later *l, struct error *e)
{
    struct counted *c = container_of(l, struct counted, later);

    assert_null(e);
    atomic_fetch_add(c->n, 1);
    free(c);
}

static atomic_uint n_counted;

static void *write_vms(void *arg)
{
    struct writer *w = arg;

    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_arena_ struct arena a;

        arena_init(&a);
        _cleanup_txn_ struct txn *t = txn_new(w->store, &a);
        bool later = false;

        txn_new_vm(t)->name_label = "many";
        if (w->waits) {
            assert_null(txn_commit(t, &bed_info));
            continue;
        }
        struct counted *c = xnew(struct counted);

        *c = (struct counted){{count_told}, &n_counted};
        assert_null(txn_commit_later(t, &bed_info, &c->later, &later));
        assert_true(later);
        w->accepted++;
    }
    return NULL;
}

static void those_who_wait_and_those_who_do_not_share_flushes(void **state)
{
    struct room *r = *state;
    struct writer w[WRITERS];
    unsigned accepted = 0;

    atomic_store(&n_counted, 0);
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.store = r->b.store, .waits = i % 2};
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_vms, &w[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_null(store_maintain(r->b.store)); /* takes the database in between */
        pthread_join(w[i].thread, NULL);
        accepted += w[i].accepted;
    }
    store_settle(r->b.store);
    assert_int_equal(atomic_load(&n_counted), accepted);
    assert_int_equal(store_count(r->b.store, CLASS_VM), WRITERS * ROUNDS);
}

int main(void)
{
#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        IN_ROOM(nobody_is_told_before_the_disk_has_it),
        IN_ROOM(what_a_refusing_disk_takes_along_may_be_tried_again),
        IN_ROOM(soft_changes_wait_only_for_what_is_on_its_way),
        IN_ROOM(the_turn_of_another_is_a_conflict),
        IN_ROOM(those_who_wait_and_those_who_do_not_share_flushes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
