/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/subcall.h"

#include "base/log.h"
#include "base/world.h"
#include "gen/class/task_txn.h"
#include "gen/messages.h"
#include "rpc/call.h"
#include "task/engine.h"
#include "task/task_row.h"
#include "value/json.h"

#include <assert.h>

#define STATE_KEY     "subcalls" /* key -> task */
#define FAILED        ""         /* instead of a task: refused */
#define LOOK_AGAIN_US SECOND_US
#define TRIES         50
#define VALUE_BEGIN   "<value>"
#define VALUE_END     "</value>"

static const char *task_of(struct plan *p, const char *key)
{
    return json_string_value(json_object_get(plan_json(p, STATE_KEY), key));
}

static void note(struct plan *p, const char *key, const char *task)
{
    if (!plan_json(p, STATE_KEY))
        plan_set_json(p, STATE_KEY, json_object());
    json_object_set_new(plan_json(p, STATE_KEY), key, json_string(task));
}

static bool is_pending(const struct task_rec *row)
{
    return row->status == TASK_STATUS_TYPE_PENDING || row->status == TASK_STATUS_TYPE_CANCELLING;
}

/* A task that somebody destroyed had ended, one way or the other. */
enum subcall_state subcall_state(struct plan *p, const char *key)
{
    const char *task = task_of(p, key);
    _cleanup_version_ struct version *v =
        task ? store_find(plan_daemon(p)->store, CLASS_TASK, task) : NULL;
    const struct task_rec *row = v ? v->rec : NULL;

    if (!task)
        return SUBCALL_NONE;
    if (!row)
        return streq(task, FAILED) ? SUBCALL_FAILED : SUBCALL_DONE;
    if (is_pending(row))
        return SUBCALL_RUNS;
    return row->status == TASK_STATUS_TYPE_SUCCESS ? SUBCALL_DONE : SUBCALL_FAILED;
}

static struct task_rec *add_task(struct plan *p, struct txn *t, const struct message *m)
{
    struct task_rec *row = txn_insert_soft(t, CLASS_TASK);

    task_row_begin(row, plan_daemon(p), m->name);
    row->subtask_of = plan_task(p);
    return row;
}

/* A body that needed no plan is done: its answer is a reference or nothing. */
static struct error *end_now(struct call *c, struct task_rec *row, const void *ret)
{
    const struct commit_info info = {.who = "", .task = row->self, .call = c->msg->name};
    const char *const *ref = ret;
    _cleanup_json_ json_t *result =
        c->msg->result->kind == K_REF && *ref ? json_string(*ref) : NULL;

    task_row_end(row, c->arena, NULL, result);
    return txn_commit(c->txn, &info);
}

static struct error *begin_once(struct plan *p, const char *key, const struct message *m,
                                const void *args)
{
    struct daemon *d = plan_daemon(p);
    const char *ret = NULL;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    struct task_rec *row = add_task(p, t, m);
    struct call c = {
        .daemon = d,
        .arena = &a,
        .txn = t,
        .msg = m,
        .session = "",
        .user = "",
        .superuser = true,
        .originator = "",
        .agent = "",
        .task = row->self,
        .no_wait = true,
    };

    TRY(m->body(&c, args, &ret));
    /* In one commit: whoever takes the plan up after a death does not begin the call once more. */
    note(p, key, row->self);
    struct error *e = plan_save(p, t);

    if (e && c.plan)
        plan_discard(c.plan);
    if (!e)
        e = c.plan ? engine_commit(d->engine, t, c.plan, m->name) : end_now(&c, row, &ret);
    if (e)
        json_object_del(plan_json(p, STATE_KEY), key);
    return e;
}

enum subcall_state subcall_begin(struct plan *p, const char *key, const char *message,
                                 const void *args)
{
    const struct message *m = message_find(message, strlen(message));
    struct error *e;
    int tries = 0;

    assert(m && m->body);
    while (error_is(e = begin_once(p, key, m, args), DB_CONFLICT) && tries++ < TRIES)
        error_free(e);
    if (error_is(e, ERR_OTHER_OPERATION_IN_PROGRESS)) {
        error_free(e);
        return SUBCALL_NONE;
    }
    if (e)
        note(p, key, FAILED);
    log_and_free(LOG_WARNING, e, "%s of %s is refused", message, key);
    return subcall_state(p, key);
}

const char *subcall_result(struct plan *p, const char *key)
{
    const char *task = task_of(p, key);
    _cleanup_version_ struct version *v =
        task ? store_find(plan_daemon(p)->store, CLASS_TASK, task) : NULL;
    const struct task_rec *row = v ? v->rec : NULL;
    const char *end = row ? strstr(row->result, VALUE_END) : NULL;

    if (!end || strncmp(row->result, VALUE_BEGIN, strlen(VALUE_BEGIN)) != 0)
        return "";
    const char *from = row->result + strlen(VALUE_BEGIN);

    return arena_memdup0(plan_arena(p), from, (size_t)(end - from));
}

bool subcall_any_runs(struct plan *p)
{
    const char *key;
    json_t *task;

    json_object_foreach (plan_json(p, STATE_KEY), key, task) {
        if (subcall_state(p, key) == SUBCALL_RUNS)
            return true;
    }
    return false;
}

struct error *subcall_wait(struct plan *p)
{
    return plan_wait(p, CLASS_TASK, NULL, mono_us() + LOOK_AGAIN_US);
}

struct error *subcall_cancel_all(struct plan *p)
{
    const char *key;
    json_t *task;

    json_object_foreach (plan_json(p, STATE_KEY), key, task) {
        if (subcall_state(p, key) == SUBCALL_RUNS)
            engine_cancel(plan_daemon(p)->engine, json_string_value(task));
    }
    return NULL;
}

/* By the rows: they know also what an earlier program began. */
struct error *subcall_forget_all(struct plan *p, struct txn *t)
{
    const struct task_rec *own = txn_find_task(t, plan_task(p));
    const struct set_ref *tasks = own ? &txn_inv_task(t, own)->subtasks : NULL;

    for (size_t i = 0; tasks && i < tasks->n; i++) {
        const struct task_rec *row = txn_find_task(t, tasks->v[i]);

        if (row && !is_pending(row))
            TRY(txn_delete_task(t, row->self));
    }
    return NULL;
}
