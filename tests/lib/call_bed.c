/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/call_bed.h"

#include "api/plans.h"
#include "base/mem.h"
#include "rpc/begin.h"
#include "task/waiting.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct commit_info info = {.who = "tester", .task = "", .call = "test"};

void assert_ok(struct error *e)
{
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        fail_msg("%s", text);
    }
}

void assert_fails(struct error *e, const char *code)
{
    assert_non_null(e);
    assert_string_equal(e->code ? e->code : "none", code);
    error_free(e);
}

void call_bed_init(struct call_bed *b)
{
    struct db *db;

    *b = (struct call_bed){0};
    arena_init(&b->a);
    assert_ok(db_mem_open(&db));
    assert_ok(store_open(db, NULL, &b->d.store));
    assert_ok(workers_new("test", 2, 10, &b->d.workers));
    assert_ok(workers_new("transfer", 2, 10, &b->d.transfers));
    assert_ok(waiting_new(b->d.store, &b->d.waiting));
    b->d.engine = engine_new(&b->d, plan_types);
}

void call_bed_fini(struct call_bed *b)
{
    engine_free(b->d.engine);
    waiting_free(b->d.waiting);
    workers_free(b->d.workers);
    workers_free(b->d.transfers);
    store_close(b->d.store);
    arena_fini(&b->a);
}

void call_bed_commit(struct txn *t)
{
    assert_ok(txn_commit(t, &info));
    txn_free(t);
}

static void on_done(void *ctx, const struct error *error, json_t *result)
{
    struct call_outcome *o = ctx;

    pthread_mutex_lock(&o->lock);
    o->over = true;
    if (error)
        o->error = error_api_v(error->code ? error->code : "system",
                               (const char *const *)error->params, error->n_params);
    pthread_cond_signal(&o->ended);
    pthread_mutex_unlock(&o->lock);
}

struct error *call_await(struct call_outcome *o)
{
    pthread_mutex_lock(&o->lock);
    while (!o->over)
        pthread_cond_wait(&o->ended, &o->lock);
    pthread_mutex_unlock(&o->lock);
    return o->error;
}

struct error *call_begin(struct call_bed *b, enum msg_id id, const void *args, void *ret,
                         struct call_outcome *o)
{
    struct txn *t = txn_new(b->d.store, &b->a);

    *o =
        (struct call_outcome){.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    b->c = (struct call){.daemon = &b->d,
                         .arena = &b->a,
                         .txn = t,
                         .msg = &messages[id],
                         .session = "",
                         .user = "tester",
                         .task = "",
                         .roles = b->roles,
                         .superuser = !b->roles};
    struct error *e = messages[id].body(&b->c, args, ret);

    if (!e && b->c.plan)
        plan_seal(b->c.plan, t, NULL);
    if (!e && txn_has_writes(t))
        e = txn_commit(t, &info);
    txn_free(t);
    if (e && b->c.plan)
        plan_discard(b->c.plan);
    else if (!e && b->c.plan)
        engine_start(b->d.engine, b->c.plan, on_done, o);
    else
        o->over = true;
    return e;
}

struct error *call_run(struct call_bed *b, enum msg_id id, const void *args)
{
    struct call_outcome o;
    const char *ret = NULL;
    struct error *e = call_begin(b, id, args, (void *)&ret, &o);

    return e ? e : call_await(&o);
}

const void *call_bed_row(struct call_bed *b, enum class_id class_id, const char *ref)
{
    struct version *v = store_find(b->d.store, class_id, ref);

    if (!v)
        return NULL;
    arena_on_end(&b->a, (void (*)(void *))version_unref, v);
    return v->rec;
}
