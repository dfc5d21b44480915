/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine with steps of this file: order, undo, cancel, waiting, and a daemon that ends in the
 * middle and is followed by another one on the same database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/wait.h"
#include "base/workers.h"
#include "gen/class/network_txn.h"
#include "gen/class/task_txn.h"
#include "gen/errors.h"
#include "task/engine.h"
#include "task/plan.h"
#include "task/waiting.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct commit_info info = {.who = "tester", .task = "", .call = "test"};

/* What steps did, one word each, and what they are told to do. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct str did;
    const char *refuse; /* the word that fails */
    const char *hold;   /* the word that waits until released */
    bool holding, released;
} stage = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct error *say(const char *word)
{
    struct error *e = NULL;

    pthread_mutex_lock(&stage.lock);
    str_printf(&stage.did, "%s%s", stage.did.len ? " " : "", word);
    if (stage.hold && streq(stage.hold, word)) {
        stage.holding = true;
        pthread_cond_broadcast(&stage.changed);
        while (!stage.released)
            pthread_cond_wait(&stage.changed, &stage.lock);
    }
    if (stage.refuse && streq(stage.refuse, word))
        e = error_api("MY_ERROR", 1, word);
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
    return e;
}

static struct error *rename_network(struct plan *p, struct txn *t, const char *name)
{
    struct network_rec *n;

    TRY(txn_edit_network(t, plan_str(p, "network"), &n));
    n->name_label = arena_strdup(txn_arena(t), name);
    return NULL;
}

/* Words of a step: a acts, r records, u undoes, U takes rows back. */
#define STEP(x)                                                                                    \
    static struct error *act_##x(struct plan *p)                                                   \
    {                                                                                              \
        return say("a" #x);                                                                        \
    }                                                                                              \
    static struct error *record_##x(struct plan *p, struct txn *t)                                 \
    {                                                                                              \
        TRY(say("r" #x));                                                                          \
        return rename_network(p, t, "step " #x);                                                   \
    }                                                                                              \
    static struct error *undo_##x(struct plan *p)                                                  \
    {                                                                                              \
        return say("u" #x);                                                                        \
    }                                                                                              \
    static struct error *unrecord_##x(struct plan *p, struct txn *t)                               \
    {                                                                                              \
        TRY(say("U" #x));                                                                          \
        return rename_network(p, t, "before " #x);                                                 \
    }
STEP(1)
STEP(2)
STEP(3)

static const struct plan_step three[] = {
    {"one", 1, act_1, record_1, undo_1, unrecord_1},
    {"two", 1, act_2, record_2, undo_2, unrecord_2},
    {"three", 1, act_3, record_3, undo_3, unrecord_3},
};

static struct error *failed(struct plan *p, struct txn *t, const struct error *why)
{
    return say(why->code);
}

/* Until the network is called "ready". */
static struct error *act_wait(struct plan *p)
{
    struct version *v = store_find(plan_daemon(p)->store, CLASS_NETWORK, plan_str(p, "network"));
    bool ready = streq(((const struct network_rec *)v->rec)->name_label, "ready");

    version_unref(v);
    TRY(say(ready ? "ready" : "wait"));
    return ready ? NULL
                 : plan_wait(p, CLASS_NETWORK, plan_str(p, "network"), mono_us() + 600 * SECOND_US);
}

static struct error *act_look(struct plan *p)
{
    _cleanup_version_ struct version *v =
        store_find(plan_daemon(p)->store, CLASS_NETWORK, plan_str(p, "network"));

    TRY(say(((const struct network_rec *)v->rec)->current_operations.n == 30 ? "all" : "some"));
    return plan_wait(p, CLASS_NETWORK, plan_str(p, "network"), mono_us() + 600 * SECOND_US);
}

static const struct plan_step looks[] = {{.name = "look", .act = act_look}};
static const struct plan_step waits[] = {
    {"one", 1, act_1, record_1, undo_1, unrecord_1},
    {"wait", 1, act_wait, NULL, NULL, NULL},
    {"three", 1, act_3, NULL, undo_3, NULL},
};

static const struct plan_step final[] = {{"one", 1, act_1, record_1, NULL, NULL}};
/* Of the second step there is no way back. */
static const struct plan_step one_way[] = {
    {.name = "one", .act = act_1, .record = record_1, .undo = undo_1, .unrecord = unrecord_1},
    {.name = "two", .act = act_2, .record = record_2, .undo = undo_2, .keeps = true},
    {.name = "three", .act = act_3, .undo = undo_3},
};

static const struct plan_type plan_final = {"final", final, 1, false, NULL};
static const struct plan_type plan_three = {"three", three, 3, false, failed};
static const struct plan_type plan_waits = {"waits", waits, 3, false, NULL};
static const struct plan_type plan_stays = {"stays", waits, 3, true, NULL};
static const struct plan_type plan_one_way = {"one way", one_way, 3, false, failed};
static const struct plan_type plan_looks = {"looks", looks, 1, false, NULL};
static const struct plan_type *const types[] = {&plan_three,   &plan_waits, &plan_stays,
                                                &plan_one_way, &plan_looks, NULL};

struct bed {
    struct daemon d;
    struct arena a;
    char dir[64];
    char *file;
    const char *network;
    const char *task;
};

static void must(struct error *e)
{
    _cleanup_free_ char *text = e ? error_string(e) : NULL;

    error_free(e);
    if (text)
        fail_msg("%s", text);
}

static uint64_t refused_commit; /* the disk is full for that one, counted from wake_up; 0 = none */

static void wake_up(struct bed *b)
{
    struct db *db;

    must(db_sqlite_open(b->file, &db));
    db = db_fault_new(db, refused_commit, false);
    must(store_open(db, NULL, &b->d.store));
    must(workers_new("test", 2, 10, &b->d.workers));
    must(waiting_new(b->d.store, &b->d.waiting));
    b->d.engine = engine_new(&b->d, types);
}

static void shut_down(struct bed *b)
{
    engine_stop(b->d.engine);
    engine_free(b->d.engine);
    waiting_free(b->d.waiting);
    workers_free(b->d.workers);
    store_close(b->d.store);
}

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);

    arena_init(&b->a);
    snprintf(b->dir, sizeof(b->dir), "/tmp/xenolith-engine-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->file = xasprintf("%s/state.db", b->dir);
    b->d.host_ref = b->d.pool_ref = REF_NULL;
    wake_up(b);
    struct txn *t = txn_new(b->d.store, &b->a);
    struct network_rec *n = txn_new_network(t);

    b->network = arena_strdup(&b->a, n->self);
    must(txn_commit(t, &info));
    txn_free(t);
    str_clear(&stage.did);
    stage.refuse = stage.hold = NULL;
    stage.holding = stage.released = false;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    struct bed *b = *state;

    shut_down(b);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        _cleanup_free_ char *path = xasprintf("%s%s", b->file, suffixes[i]);

        unlink(path);
    }
    rmdir(b->dir);
    free(b->file);
    arena_fini(&b->a);
    free(b);
    str_fini(&stage.did);
    stage.did = STR_INIT;
    return 0;
}

static void begin(struct bed *b, const struct plan_type *type)
{
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);
    struct plan *p = plan_begin_internal(&b->d, t, type, "label");

    plan_set_str(p, "network", b->network);
    must(plan_mark(p, t, CLASS_NETWORK, b->network, NETWORK_OPERATIONS_ATTACHING));
    b->task = arena_strdup(&b->a, plan_task(p));
    must(engine_commit(b->d.engine, t, p, "test"));
}

/* Until the steps have said that and nothing later. */
static void await_words(const char *words)
{
    int64_t end = mono_us() + 20 * SECOND_US;

    pthread_mutex_lock(&stage.lock);
    while (!streq(str_cstr(&stage.did), words))
        if (!cond_wait_until(&stage.changed, &stage.lock, end))
            break;
    _cleanup_free_ char *did = xstrdup(str_cstr(&stage.did));

    pthread_mutex_unlock(&stage.lock);
    assert_string_equal(did, words);
}

static void await_idle(struct bed *b)
{
    struct engine_stats s;

    /* The end is not announced to a plan without a caller: look until nothing runs. */
    for (int i = 0; i < 20000; i++) {
        s = engine_stats(b->d.engine);
        if (!s.running && !s.waiting)
            return;
        usleep(1000);
    }
    fail_msg("%zu plans run, %zu wait", s.running, s.waiting);
}

static void await_waiting(struct bed *b, size_t n)
{
    for (int i = 0; i < 20000; i++) {
        if (engine_stats(b->d.engine).waiting == n)
            return;
        usleep(1000);
    }
    fail_msg("not all plans wait");
}

static void release(void)
{
    pthread_mutex_lock(&stage.lock);
    stage.released = true;
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
}

static void await_holding(void)
{
    pthread_mutex_lock(&stage.lock);
    while (!stage.holding)
        pthread_cond_wait(&stage.changed, &stage.lock);
    pthread_mutex_unlock(&stage.lock);
}

static void call_network(struct bed *b, const char *name)
{
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);
    struct network_rec *n;

    must(txn_edit_network(t, b->network, &n));
    n->name_label = name;
    must(txn_commit(t, &info));
}

static void add_network(struct bed *b)
{
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);

    txn_new_network(t);
    must(txn_commit(t, &info));
}

static void assert_end(struct bed *b, const char *name)
{
    await_idle(b);
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);
    const struct network_rec *n;

    must(txn_network(t, b->network, &n));
    assert_string_equal(n->name_label, name);
    assert_int_equal(n->current_operations.n, 0);
}

static void test_success(void **state)
{
    struct bed *b = *state;

    begin(b, &plan_three);
    await_words("a1 r1 a2 r2 a3 r3");
    assert_end(b, "step 3");
}

static void test_failure_is_undone_newest_first(void **state)
{
    struct bed *b = *state;

    stage.refuse = "a3";
    begin(b, &plan_three);
    await_words("a1 r1 a2 r2 a3 u3 U3 u2 U2 u1 U1 MY_ERROR");
    assert_end(b, "before 1");
}

/* The n-th commit after this is refused, the intent being the first. */
static void fill_disk(struct bed *b, uint64_t n)
{
    shut_down(b);
    refused_commit = n;
    wake_up(b);
    refused_commit = 0;
}

static void test_undoing_waits_for_the_disk(void **state)
{
    struct bed *b = *state;

    fill_disk(b, 6); /* intent, r1, r2, turn, U3 */
    stage.refuse = "a3";
    begin(b, &plan_three);
    await_words("a1 r1 a2 r2 a3 u3 U3 u2 U2 u2 U2 u1 U1 MY_ERROR");
    assert_end(b, "before 1");
}

static void test_ending_waits_for_the_disk(void **state)
{
    struct bed *b = *state;

    fill_disk(b, 8);
    stage.refuse = "a3";
    begin(b, &plan_three);
    await_words("a1 r1 a2 r2 a3 u3 U3 u2 U2 u1 U1 MY_ERROR MY_ERROR");
    assert_end(b, "before 1");
}

static void test_what_cannot_be_undone_waits_for_the_disk(void **state)
{
    struct bed *b = *state;

    fill_disk(b, 2);
    begin(b, &plan_final);
    await_words("a1 r1 a1 r1");
    assert_end(b, "step 1");
}

/* What is behind it is undone, it and what is before it stay. */
static void test_failure_behind_a_step_that_keeps(void **state)
{
    struct bed *b = *state;

    stage.refuse = "a3";
    begin(b, &plan_one_way);
    await_words("a1 r1 a2 r2 a3 u3 MY_ERROR");
    assert_end(b, "step 2");
}

static void test_failure_of_a_step_that_keeps(void **state)
{
    struct bed *b = *state;

    stage.refuse = "a2";
    begin(b, &plan_one_way);
    await_words("a1 r1 a2 u2 u1 U1 MY_ERROR");
    assert_end(b, "before 1");
}

static void test_no_cancel_behind_a_step_that_keeps(void **state)
{
    struct bed *b = *state;

    stage.hold = "a2";
    begin(b, &plan_one_way);
    await_holding();
    assert_true(engine_cancel(b->d.engine, b->task));
    release();
    await_words("a1 r1 a2 r2 a3");
    assert_end(b, "step 2");
}

static void test_rows_that_cannot_be_written(void **state)
{
    struct bed *b = *state;

    stage.refuse = "r3"; /* the last step's, part of the end */
    begin(b, &plan_three);
    await_words("a1 r1 a2 r2 a3 r3 u3 U3 u2 U2 u1 U1 MY_ERROR");
    assert_end(b, "before 1");
}

static void test_undo_that_fails_stops_nothing(void **state)
{
    struct bed *b = *state;

    stage.refuse = "u1";
    stage.hold = "a2";
    begin(b, &plan_three);
    await_holding();
    assert_true(engine_cancel(b->d.engine, b->task));
    release();
    await_words("a1 r1 a2 r2 u3 U3 u2 U2 u1 U1 TASK_CANCELLED");
    assert_end(b, "before 1");
}

static void test_waiting(void **state)
{
    struct bed *b = *state;

    begin(b, &plan_waits);
    await_words("a1 r1 wait");
    await_waiting(b, 1);
    call_network(b, "not yet");
    await_words("a1 r1 wait wait");
    await_waiting(b, 1);
    for (int i = 0; i < 10; i++)
        add_network(b); /* of the same class, but not what is waited for */
    call_network(b, "ready");
    await_words("a1 r1 wait wait ready a3");
    assert_end(b, "ready");
}

/* What is waited for comes after the step has looked and before it sleeps. */
static void test_no_wake_is_missed(void **state)
{
    struct bed *b = *state;

    stage.hold = "wait";
    begin(b, &plan_waits);
    await_holding();
    call_network(b, "ready");
    release();
    await_words("a1 r1 wait ready a3");
    assert_end(b, "ready");
}

static void test_cancel_of_a_sleeper(void **state)
{
    struct bed *b = *state;

    begin(b, &plan_waits);
    await_waiting(b, 1);
    assert_true(engine_cancel(b->d.engine, b->task));
    await_words("a1 r1 wait u1 U1");
    assert_end(b, "before 1");
    assert_false(engine_cancel(b->d.engine, b->task));
}

/* The cancel comes during the act that then asks to wait. */
static void test_cancel_just_before_sleep(void **state)
{
    struct bed *b = *state;

    stage.hold = "wait";
    begin(b, &plan_waits);
    await_holding();
    assert_true(engine_cancel(b->d.engine, b->task));
    release();
    await_words("a1 r1 wait u1 U1");
    assert_end(b, "before 1");
}

static void test_some_plans_are_not_cancelled(void **state)
{
    struct bed *b = *state;

    stage.hold = "wait";
    begin(b, &plan_stays);
    await_holding();
    assert_true(engine_cancel(b->d.engine, b->task));
    release();
    await_waiting(b, 1);
    call_network(b, "ready");
    await_words("a1 r1 wait ready a3");
    assert_end(b, "ready");
}

/* Known to cancel from the body on, not only once it runs; a body that is run again begins anew. */
static void test_cancel_between_intent_and_start(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->d.store, &b->a);
    struct plan *p = plan_begin_internal(&b->d, t, &plan_three, "label");

    plan_set_str(p, "network", b->network);
    b->task = arena_strdup(&b->a, plan_task(p));
    assert_true(engine_cancel(b->d.engine, b->task));
    must(engine_commit(b->d.engine, t, p, "test"));
    txn_free(t);
    await_words("u1 U1 TASK_CANCELLED");
    assert_end(b, "before 1");
    t = txn_new(b->d.store, &b->a);
    p = plan_begin_internal(&b->d, t, &plan_three, "label");
    b->task = arena_strdup(&b->a, plan_task(p));
    plan_discard(p);
    txn_free(t);
    assert_false(engine_cancel(b->d.engine, b->task));
}

static void test_end_in_the_middle(void **state)
{
    struct bed *b = *state;

    begin(b, &plan_waits);
    await_waiting(b, 1);
    shut_down(b);
    wake_up(b);
    must(engine_recover(b->d.engine));
    await_words("a1 r1 wait wait");
    await_waiting(b, 1);
    _cleanup_version_ struct version *v = store_find(b->d.store, CLASS_NETWORK, b->network);

    assert_int_equal(((const struct network_rec *)v->rec)->current_operations.n, 1);
    call_network(b, "ready");
    await_words("a1 r1 wait wait ready a3");
    assert_end(b, "ready");
}

/* A plan may begin others: it must see what those that are to go on work on. */
static void test_none_goes_on_before_all_are_marked(void **state)
{
    struct bed *b = *state;

    for (int i = 0; i < 30; i++)
        begin(b, &plan_looks);
    await_waiting(b, 30);
    shut_down(b);
    size_t before = stage.did.len;
    wake_up(b);
    must(engine_recover(b->d.engine));
    await_waiting(b, 30);
    assert_null(strstr(str_cstr(&stage.did) + before, "some"));
}

static void *end_of_daemon(void *arg)
{
    shut_down(arg);
    return NULL;
}

/* A step under way when the daemon ends runs again: its rows were not written. */
static void test_end_during_a_step(void **state)
{
    struct bed *b = *state;
    pthread_t t;

    stage.hold = "a2";
    begin(b, &plan_three);
    await_holding();
    engine_stop(b->d.engine);
    assert_int_equal(pthread_create(&t, NULL, end_of_daemon, b), 0);
    stage.refuse = "a2"; /* hostd is gone: not a failure of the step */
    release();
    pthread_join(t, NULL);
    stage.refuse = stage.hold = NULL;
    wake_up(b);
    must(engine_recover(b->d.engine));
    await_words("a1 r1 a2 a2 r2 a3 r3");
    assert_end(b, "step 3");
}

/* Undoing goes on as undoing, with the error that began it. */
static void test_end_while_undoing(void **state)
{
    struct bed *b = *state;
    pthread_t t;

    stage.refuse = "a3";
    stage.hold = "u2";
    begin(b, &plan_three);
    await_holding();
    engine_stop(b->d.engine);
    assert_int_equal(pthread_create(&t, NULL, end_of_daemon, b), 0);
    stage.refuse = "u2";
    release();
    pthread_join(t, NULL);
    stage.refuse = stage.hold = NULL;
    wake_up(b);
    must(engine_recover(b->d.engine));
    await_words("a1 r1 a2 r2 a3 u3 U3 u2 u2 U2 u1 U1 MY_ERROR");
    assert_end(b, "before 1");
}

/* Others write the same row all the time; nothing of theirs or ours is lost. */
static void *write_often(void *arg)
{
    struct bed *b = arg;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (int i = 0; i < 300; i++) {
        struct txn *t = txn_new(b->d.store, &a);
        struct network_rec *n;
        struct error *e = txn_edit_network(t, b->network, &n);

        if (!e) {
            n->MTU++;
            e = txn_commit(t, &info);
        }
        if (error_is(e, DB_CONFLICT)) {
            error_free(e);
            i--;
        } else {
            must(e);
        }
        txn_free(t);
    }
    return NULL;
}

static void test_conflicts(void **state)
{
    struct bed *b = *state;
    pthread_t t;

    call_network(b, "start");
    struct version *v = store_find(b->d.store, CLASS_NETWORK, b->network);
    int64_t before = ((const struct network_rec *)v->rec)->MTU;

    version_unref(v);
    begin(b, &plan_waits);
    await_waiting(b, 1);
    assert_int_equal(pthread_create(&t, NULL, write_often, b), 0);
    assert_true(engine_cancel(b->d.engine, b->task));
    pthread_join(t, NULL);
    assert_end(b, "before 1");
    v = store_find(b->d.store, CLASS_NETWORK, b->network);
    assert_int_equal(((const struct network_rec *)v->rec)->MTU, before + 300);
    version_unref(v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_success),
        TEST(test_failure_is_undone_newest_first),
        TEST(test_failure_behind_a_step_that_keeps),
        TEST(test_failure_of_a_step_that_keeps),
        TEST(test_no_cancel_behind_a_step_that_keeps),
        TEST(test_rows_that_cannot_be_written),
        TEST(test_undoing_waits_for_the_disk),
        TEST(test_ending_waits_for_the_disk),
        TEST(test_what_cannot_be_undone_waits_for_the_disk),
        TEST(test_undo_that_fails_stops_nothing),
        TEST(test_waiting),
        TEST(test_no_wake_is_missed),
        TEST(test_cancel_of_a_sleeper),
        TEST(test_cancel_just_before_sleep),
        TEST(test_some_plans_are_not_cancelled),
        TEST(test_cancel_between_intent_and_start),
        TEST(test_end_in_the_middle),
        TEST(test_none_goes_on_before_all_are_marked),
        TEST(test_end_during_a_step),
        TEST(test_end_while_undoing),
        TEST(test_conflicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
