/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: transactions, conflicts, references, inverse and derived fields, the feed of changes,
 * failure of the disk. The derive functions are this file's own, so that it sees what they are
 * asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/session_txn.h"
#include "gen/class/task_txn.h"
#include "gen/derive.h"
#include "lib/store_bed.h"
#include "model/view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static int vm_derivations;

void derive_vm_allowed_operations(const struct view *v, struct arena *a, const struct vm_rec *vm,
                                  struct set_enum *ret)
{
    int *ops = arena_array(a, int, 2);
    size_t n = 0;

    vm_derivations++;
    ops[n++] = vm->power_state == VM_POWER_STATE_HALTED ? VM_OPERATIONS_START
                                                        : VM_OPERATIONS_HARD_SHUTDOWN;
    /* A look through two hops: any disk that is reset on boot forbids nothing but is shown. */
    for (size_t i = 0; i < vm->inv.VBDs.n; i++) {
        const struct vbd_rec *vbd = view_find(v, CLASS_VBD, vm->inv.VBDs.v[i]);
        const struct vdi_rec *vdi = vbd ? view_find(v, CLASS_VDI, vbd->VDI) : NULL;

        if (vdi && vdi->on_boot == ON_BOOT_RESET && n == 1)
            ops[n++] = VM_OPERATIONS_SUSPEND;
    }
    *ret = (struct set_enum){.n = n, .v = ops};
}

#define NOTHING(name, type)                                                                        \
    void derive_##name##_allowed_operations(const struct view *v, struct arena *a,                 \
                                            const struct type *rec, struct set_enum *ret)          \
    {                                                                                              \
    }
NOTHING(sr, sr_rec)
NOTHING(vbd, vbd_rec)
NOTHING(vdi, vdi_rec)
NOTHING(vif, vif_rec)
NOTHING(host, host_rec)
NOTHING(network, network_rec)
NOTHING(vm_appliance, vm_appliance_rec)
NOTHING(pool, pool_rec)
NOTHING(task, task_rec)

static void commit_fails(struct bed *b, const char *code)
{
    struct error *e = txn_commit(b->t, &bed_info);

    assert_true(error_is(e, code));
    error_free(e);
    begin(b);
}

static const struct vm_rec *vm_now(struct bed *b, const char *ref)
{
    struct version *v = store_find(b->store, CLASS_VM, ref);

    if (!v)
        return NULL;
    arena_on_end(&b->a, (void (*)(void *))version_unref, v);
    return v->rec;
}

static void a_commit_is_seen_whole(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "one");

    assert_null(vm_now(b, ref));
    commit_ok(b);
    const struct vm_rec *vm = vm_now(b, ref);

    assert_string_equal(vm->name_label, "one");
    assert_string_equal(vm->self, ref);
    assert_int_equal(vm->inv.allowed_operations.n, 1);
    assert_int_equal(vm->inv.allowed_operations.v[0], VM_OPERATIONS_START);
    struct version *by_uuid = store_find_uuid(b->store, CLASS_VM, vm->uuid);

    assert_string_equal(version_ref_text(by_uuid), ref);
    version_unref(by_uuid);
}

static void readers_keep_their_version(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "old");
    struct vm_rec *vm;

    commit_ok(b);
    const struct vm_rec *before = vm_now(b, ref);

    assert_null(txn_edit_vm(b->t, ref, &vm));
    vm->name_label = "new";
    commit_ok(b);
    assert_string_equal(before->name_label, "old");
    assert_string_equal(vm_now(b, ref)->name_label, "new");
}

static void conflicting_writers_cannot_both_commit(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "x");
    struct vm_rec *vm, *other;

    commit_ok(b);
    struct txn *t2 = txn_new(b->store, &b->a);

    assert_null(txn_edit_vm(b->t, ref, &vm));
    assert_null(txn_edit_vm(t2, ref, &other));
    vm->name_label = "mine";
    other->name_description = "theirs";
    assert_null(txn_commit(t2, &bed_info));
    txn_free(t2);
    commit_fails(b, DB_CONFLICT);
    assert_string_equal(vm_now(b, ref)->name_label, "x");
    assert_string_equal(vm_now(b, ref)->name_description, "theirs");
}

static void absence_and_membership_are_watched(void **state)
{
    struct bed *b = *state;
    const void *const *all;

    assert_int_equal(txn_all(b->t, CLASS_VM, &all), 0);
    make_vm(b, "first");
    struct txn *t2 = txn_new(b->store, &b->a);
    struct vm_rec *vm = txn_new_vm(t2);

    vm->name_label = "sneaked in";
    assert_null(txn_commit(t2, &bed_info));
    txn_free(t2);
    commit_fails(b, DB_CONFLICT);
    assert_int_equal(store_count(b->store, CLASS_VM), 1);
}

static const char *make_disk(struct bed *b, const char *vm, const char **ret_vdi)
{
    struct sr_rec *sr = txn_new_sr(b->t);
    struct vdi_rec *vdi = txn_new_vdi(b->t);
    struct vbd_rec *vbd = txn_new_vbd(b->t);

    vdi->SR = sr->self;
    vbd->VM = vm;
    vbd->VDI = vdi->self;
    *ret_vdi = vdi->self;
    return vbd->self;
}

static void inverse_sets_follow_references(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "x"), *vdi;

    commit_ok(b);
    const char *vbd = make_disk(b, ref, &vdi);

    commit_ok(b);
    assert_int_equal(vm_now(b, ref)->inv.VBDs.n, 1);
    assert_string_equal(vm_now(b, ref)->inv.VBDs.v[0], vbd);
    assert_null(txn_delete_vbd(b->t, vbd));
    commit_ok(b);
    assert_int_equal(vm_now(b, ref)->inv.VBDs.n, 0);
}

static void an_inverse_read_conflicts_but_a_plain_one_does_not(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "x"), *vdi;
    struct vm_rec *vm;
    const struct vm_rec *seen;

    commit_ok(b);
    struct txn *plain = txn_new(b->store, &b->a), *careful = txn_new(b->store, &b->a);

    assert_null(txn_edit_vm(plain, ref, &vm));
    vm->name_label = "renamed";
    assert_null(txn_vm(careful, ref, &seen));
    assert_int_equal(txn_inv_vm(careful, seen)->VBDs.n, 0);
    txn_new_sr(careful);
    make_disk(b, ref, &vdi);
    commit_ok(b);
    assert_null(txn_commit(plain, &bed_info));
    struct error *e = txn_commit(careful, &bed_info);

    assert_true(error_is(e, DB_CONFLICT));
    error_free(e);
    txn_free(plain);
    txn_free(careful);
    assert_int_equal(vm_now(b, ref)->inv.VBDs.n, 1);
    assert_string_equal(vm_now(b, ref)->name_label, "renamed");
}

static void references_must_lead_somewhere(void **state)
{
    struct bed *b = *state;
    struct vbd_rec *vbd = txn_new_vbd(b->t);

    vbd->VM = "OpaqueRef:nowhere";
    struct error *e = txn_commit(b->t, &bed_info);

    assert_true(error_is(e, "HANDLE_INVALID"));
    assert_string_equal(e->params[0], "VM");
    assert_string_equal(e->params[1], "OpaqueRef:nowhere");
    error_free(e);
    begin(b);
    struct vm_rec *vm = txn_new_vm(b->t);

    vm->affinity = "OpaqueRef:nowhere"; /* the API takes this for "no preference" */
    const char *ref = vm->self;

    commit_ok(b);
    assert_string_equal(vm_now(b, ref)->affinity, REF_NULL);
    assert_int_equal(store_count(b->store, CLASS_VBD), 0);
}

static void deletion_cascades_and_nulls(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "parent"), *vdi;
    struct vm_rec *child = txn_new_vm(b->t);
    const char *child_ref = child->self;

    child->parent = ref;
    child->snapshot_of = ref;
    make_disk(b, ref, &vdi);
    commit_ok(b);
    assert_int_equal(vm_now(b, ref)->inv.snapshots.n, 1);
    assert_null(txn_delete_vm(b->t, ref));
    commit_ok(b);
    assert_int_equal(store_count(b->store, CLASS_VBD), 0);
    assert_int_equal(store_count(b->store, CLASS_VDI), 1);
    assert_string_equal(vm_now(b, child_ref)->parent, REF_NULL);
    assert_string_equal(vm_now(b, child_ref)->snapshot_of, REF_NULL);
}

static void deletion_of_something_needed_is_refused(void **state)
{
    struct bed *b = *state;
    const char *vdi;

    make_disk(b, make_vm(b, "x"), &vdi);
    commit_ok(b);
    const struct vdi_rec *rec;

    assert_null(txn_vdi(b->t, vdi, &rec));
    assert_null(txn_delete_sr(b->t, rec->SR));
    struct error *e = txn_commit(b->t, &bed_info);

    assert_non_null(e);
    error_free(e);
    begin(b);
    assert_int_equal(store_count(b->store, CLASS_SR), 1);
}

static void only_what_depends_is_derived(void **state)
{
    struct bed *b = *state;
    const char *refs[50], *vdi = NULL;
    struct vdi_rec *disk;
    struct vm_rec *vm;

    for (int i = 0; i < 50; i++)
        refs[i] = make_vm(b, "many");
    make_disk(b, refs[7], &vdi);
    commit_ok(b);
    vm_derivations = 0;
    assert_null(txn_edit_vdi(b->t, vdi, &disk));
    disk->on_boot = ON_BOOT_RESET;
    commit_ok(b);
    assert_int_equal(vm_derivations, 1);
    assert_int_equal(vm_now(b, refs[7])->inv.allowed_operations.n, 2);
    vm_derivations = 0;
    assert_null(txn_edit_vm(b->t, refs[3], &vm));
    vm->name_label = "a name decides nothing";
    commit_ok(b);
    assert_int_equal(vm_derivations, 0);
}

/* The schema makes allowed_operations of a VM depend on one key of pool.other_config. */
static void one_key_of_the_pool_concerns_every_vm(void **state)
{
    struct bed *b = *state;
    struct pool_rec *pool = txn_new_pool(b->t);
    const char *ref = pool->self;

    for (int i = 0; i < 20; i++)
        make_vm(b, "many");
    commit_ok(b);
    vm_derivations = 0;
    assert_null(txn_edit_pool(b->t, ref, &pool));
    pool->other_config = (struct map_string_string){
        .n = 1, .k = (const char *[]){"some_key"}, .v = (const char *[]){"x"}};
    commit_ok(b);
    assert_int_equal(vm_derivations, 0);
    assert_null(txn_edit_pool(b->t, ref, &pool));
    pool->other_config =
        (struct map_string_string){.n = 2,
                                   .k = (const char *[]){"some_key", "allow_clone_suspended_vm"},
                                   .v = (const char *[]){"x", "true"}};
    commit_ok(b);
    assert_int_equal(vm_derivations, 20);
    vm_derivations = 0;
    assert_null(txn_edit_pool(b->t, ref, &pool));
    pool->other_config.v = (const char *[]){"y", "true"};
    commit_ok(b);
    assert_int_equal(vm_derivations, 0);
    assert_null(txn_edit_pool(b->t, ref, &pool));
    pool->other_config = (struct map_string_string){0};
    commit_ok(b);
    assert_int_equal(vm_derivations, 20);
}

static void uuids_are_unique(void **state)
{
    struct bed *b = *state;
    struct vm_rec *one = txn_new_vm(b->t), *two;
    const char *uuid = one->uuid;

    commit_ok(b);
    two = txn_new_vm(b->t);
    two->uuid = uuid;
    commit_fails(b, "INTERNAL_ERROR");
    assert_int_equal(store_count(b->store, CLASS_VM), 1);
}

static size_t changes_since(struct bed *b, struct token *token, enum change_op op, const char *ref)
{
    struct interest interest = {.class_all[CLASS_VM] = true};
    struct changes c;
    size_t n = 0;

    store_changes(b->store, &interest, token, &c);
    vec_foreach (it, &c.list)
        n += it->op == op && (!ref || streq(it->ref, ref));
    *token = c.now;
    assert_false(c.lost);
    changes_fini(&c);
    return n;
}

static void the_feed_tells_each_change_once(void **state)
{
    struct bed *b = *state;
    struct token token = {0};
    const char *ref = make_vm(b, "x"), *vdi;
    struct vm_rec *vm;
    char text[TOKEN_TEXT_MAX];
    struct token parsed;

    commit_ok(b);
    assert_int_equal(changes_since(b, &token, CHANGE_ADD, ref), 1);
    assert_int_equal(changes_since(b, &token, CHANGE_ADD, NULL), 0);
    assert_null(txn_edit_vm(b->t, ref, &vm));
    vm->name_label = "y";
    commit_ok(b);
    make_disk(b, ref, &vdi);
    commit_ok(b);
    assert_int_equal(changes_since(b, &token, CHANGE_MOD, ref), 1);
    assert_null(txn_delete_vm(b->t, ref));
    commit_ok(b);
    assert_int_equal(changes_since(b, &token, CHANGE_DEL, ref), 1);
    assert_int_equal(changes_since(b, &token, CHANGE_DEL, NULL), 0);
    token_print(&token, text);
    assert_true(token_parse(text, &parsed));
    assert_memory_equal(&parsed, &token, sizeof(token));
    assert_false(token_parse("1,2", &parsed));
}

static void a_restart_keeps_hard_rows_and_forgets_soft_ones(void **state)
{
    char path[] = "/tmp/xenolith-model-XXXXXX";
    struct bed b = {0};
    struct db *db;

    assert_non_null(mkdtemp(path));
    _cleanup_free_ char *file = xasprintf("%s/db", path);

    arena_init(&b.a);
    assert_null(db_sqlite_open(file, &db));
    assert_null(store_open(db, NULL, &b.store));
    begin(&b);
    const char *vdi, *ref = make_vm(&b, "kept"), *vbd = make_disk(&b, ref, &vdi);

    txn_new_session(b.t);
    txn_insert_soft(b.t, CLASS_TASK);
    struct task_rec *hard = txn_new_task(b.t);
    const char *task = hard->self;

    hard->progress = 0.5;
    commit_ok(&b);
    struct token before = store_now(b.store);

    assert_null(txn_delete_vbd(b.t, vbd));
    commit_ok(&b);
    txn_free(b.t);
    b.t = NULL;
    store_close(b.store);
    assert_null(db_sqlite_open(file, &db));
    assert_null(store_open(db, NULL, &b.store));
    begin(&b);
    assert_string_equal(vm_now(&b, ref)->name_label, "kept");
    assert_int_equal(vm_now(&b, ref)->inv.allowed_operations.n, 1);
    assert_int_equal(store_count(b.store, CLASS_SESSION), 0);
    assert_int_equal(store_count(b.store, CLASS_TASK), 1);
    struct version *t = store_find(b.store, CLASS_TASK, task);

    assert_true(((const struct task_rec *)t->rec)->progress == 0);
    version_unref(t);
    struct interest interest = {.class_all[CLASS_VBD] = true, .class_all[CLASS_VM] = true};
    struct changes c;

    store_changes(b.store, &interest, &before, &c);
    size_t deleted = 0;

    vec_foreach (it, &c.list)
        deleted += it->op == CHANGE_DEL && streq(it->ref, vbd);
    assert_int_equal(deleted, 1);
    changes_fini(&c);
    txn_free(b.t);
    store_close(b.store);
    arena_fini(&b.a);
    unlink(file);
    rmdir(path);
}

static void a_refusing_disk_undoes_everything(void **state)
{
    struct bed b = {0};
    struct db *db;

    arena_init(&b.a);
    assert_null(db_mem_open(&db));
    assert_null(store_open(db_fault_new(db, 2, false), NULL, &b.store));
    begin(&b);
    const char *ref = make_vm(&b, "first"), *vdi;
    struct vm_rec *vm;

    commit_ok(&b);
    assert_null(txn_edit_vm(b.t, ref, &vm));
    vm->name_label = "lost";
    make_disk(&b, ref, &vdi);
    struct error *e = txn_commit(b.t, &bed_info);

    assert_non_null(e);
    error_free(e);
    begin(&b);
    assert_string_equal(vm_now(&b, ref)->name_label, "first");
    assert_int_equal(vm_now(&b, ref)->inv.VBDs.n, 0);
    assert_int_equal(store_count(b.store, CLASS_VBD), 0);
    assert_null(txn_edit_vm(b.t, ref, &vm));
    vm->name_label = "works again";
    commit_ok(&b);
    assert_string_equal(vm_now(&b, ref)->name_label, "works again");
    txn_free(b.t);
    store_close(b.store);
    arena_fini(&b.a);
}

#define WRITERS 8
#define ROUNDS  200

struct counting {
    struct store *store;
    const char *ref;
};

static void *count_up(void *arg)
{
    struct counting *shared = arg;
    const char *ref = shared->ref;

    for (int i = 0; i < ROUNDS; i++) {
        for (;;) {
            _cleanup_arena_ struct arena a;
            struct vm_rec *vm;

            arena_init(&a);
            _cleanup_txn_ struct txn *t = txn_new(shared->store, &a);

            assert_null(txn_edit_vm(t, ref, &vm));
            vm->memory_overhead++;
            struct error *e = txn_commit(t, &bed_info);

            if (!e)
                break;
            assert_true(error_is(e, DB_CONFLICT));
            error_free(e);
        }
    }
    return NULL;
}

static void no_increment_is_lost(void **state)
{
    struct bed *b = *state;
    const char *ref = make_vm(b, "counter");
    struct counting shared = {.store = b->store, .ref = ref};
    pthread_t threads[WRITERS];

    commit_ok(b);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &shared), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(vm_now(b, ref)->memory_overhead, WRITERS * ROUNDS);
}

struct race {
    struct counting shared;
    atomic_bool over;
    atomic_uint rounds; /* of the writer in a tight loop */
    int attempts;       /* of the one that is always too late */
};

static void *write_tightly(void *arg)
{
    struct race *r = arg;

    while (!atomic_load(&r->over)) {
        _cleanup_arena_ struct arena a;
        struct vm_rec *vm;

        arena_init(&a);
        _cleanup_txn_ struct txn *t = txn_new(r->shared.store, &a);

        assert_null(txn_edit_vm(t, r->shared.ref, &vm));
        vm->memory_overhead++;
        error_free(txn_commit(t, &bed_info));
        atomic_fetch_add(&r->rounds, 1);
    }
    return NULL;
}

/* Sees to it that the other was quicker, as long as it can be. */
static struct error *dawdle(void *ctx, struct txn *t)
{
    struct race *r = ctx;
    const struct timespec pause = {.tv_nsec = 1000000};
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, r->shared.ref, &vm));
    vm->name_label = "at last";
    unsigned before = atomic_load(&r->rounds);

    for (int i = 0; i < 50 && atomic_load(&r->rounds) < before + 2; i++)
        nanosleep(&pause, NULL);
    return ++r->attempts < 5 * CONFLICTS_BEFORE_TURN ? NULL : error_text("starved");
}

static void a_tight_writer_starves_nobody(void **state)
{
    struct bed *b = *state;
    struct race r = {.shared = {.store = b->store, .ref = make_vm(b, "wanted")}};
    pthread_t thread;

    commit_ok(b);
    assert_int_equal(pthread_create(&thread, NULL, write_tightly, &r), 0);
    assert_null(txn_run(b->store, &bed_info, dawdle, &r));
    atomic_store(&r.over, true);
    pthread_join(thread, NULL);
    assert_string_equal(vm_now(b, r.shared.ref)->name_label, "at last");
    assert_in_range(r.attempts, CONFLICTS_BEFORE_TURN, CONFLICTS_BEFORE_TURN + 2);
}

int main(void)
{
#define WITH_BED(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        WITH_BED(a_commit_is_seen_whole),
        WITH_BED(readers_keep_their_version),
        WITH_BED(conflicting_writers_cannot_both_commit),
        WITH_BED(absence_and_membership_are_watched),
        WITH_BED(inverse_sets_follow_references),
        WITH_BED(an_inverse_read_conflicts_but_a_plain_one_does_not),
        WITH_BED(references_must_lead_somewhere),
        WITH_BED(deletion_cascades_and_nulls),
        WITH_BED(deletion_of_something_needed_is_refused),
        WITH_BED(only_what_depends_is_derived),
        WITH_BED(one_key_of_the_pool_concerns_every_vm),
        WITH_BED(uuids_are_unique),
        WITH_BED(the_feed_tells_each_change_once),
        cmocka_unit_test(a_restart_keeps_hard_rows_and_forgets_soft_ones),
        cmocka_unit_test(a_refusing_disk_undoes_everything),
        WITH_BED(no_increment_is_lost),
        WITH_BED(a_tight_writer_starves_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
