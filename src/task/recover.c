/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a restart: plans are found in the rows of their tasks and go on where they were. */
#include "base/log.h"
#include "base/vec.h"
#include "task/callers.h"
#include "task/plan_priv.h"
#include "task/task_row.h"
#include "value/json.h"

/* A plan of a row, as it was when the daemon ended. NULL: the row cannot be understood. */
static struct plan *plan_revive(struct engine *e, const struct task_rec *row)
{
    const struct plan_type *type = engine_find_type(e, row->plan);
    json_t *state = json_loads(row->plan_state, 0, NULL);

    if (!type || !json_is_object(state) || row->plan_step < -1 || row->plan_step > type->n_steps) {
        json_decref(state);
        return NULL;
    }
    struct plan *p = plan_new(engine_daemon(e), type);

    json_decref(p->state);
    p->state = state;
    p->task_ref = xstrdup(row->self);
    p->label = xstrdup(row->name_label);
    p->user = xstrdup(row->session_user);
    p->step = (int)row->plan_step;
    p->transient = plan_bool(p, "transient");
    atomic_init(&p->cancelled, task_row_is_cancelled(row)); /* by a program that handed over */
    p->undoing = plan_bool(p, "undoing");
    if (p->undoing)
        p->why = error_from_json(plan_json(p, "error"));
    if (p->undoing && !p->why)
        p->why = error_api("INTERNAL_ERROR", 0);
    return p;
}

static struct error *fill_lost(struct txn *t, const char *ref)
{
    struct task_rec *row;
    _cleanup_error_ struct error *why =
        error_api("INTERNAL_ERROR", 1, "the daemon was restarted and cannot continue this task");

    TRY(txn_edit_task(t, ref, &row));
    row->plan = row->plan_state = "";
    task_row_end(row, txn_arena(t), why, NULL);
    return NULL;
}

/* A plan that goes on, or a task that nobody works for any more. */
struct recovery {
    struct plan *plan; /* NULL: such a task */
    const char *task;
};

static struct error *fill_recovery(void *ctx, struct txn *t)
{
    const struct recovery *r = ctx;

    return r->plan ? plan_remark_all(r->plan, t) : fill_lost(t, r->task);
}

struct revived VEC(struct plan *);

static struct error *revive_row(struct engine *e, const struct task_rec *row, struct revived *list)
{
    const struct commit_info info = {.who = "", .task = row->self, .call = "recover"};
    struct plan *p = *row->plan ? plan_revive(e, row) : NULL;
    struct recovery r = {.plan = p, .task = row->self};
    struct error *err = txn_run(engine_daemon(e)->store, &info, fill_recovery, &r);

    if (err)
        plan_free(p);
    else if (p)
        vec_add(list, p);
    return err;
}

static void go_on(struct engine *e, struct plan *p)
{
    struct caller *caller = callers_find(engine_daemon(e)->callers, p->task_ref);

    log_info("%s goes on at step %d of %d", p->label, p->step + 1, p->type->n_steps);
    engine_start(e, p, caller ? caller_done : NULL, caller);
}

/* None goes on before all have their marks: a plan may begin others, on objects of those. */
static struct error *recover(struct engine *e, bool orphans)
{
    struct version_list tasks;
    struct revived list = {0};
    struct error *err = NULL;

    store_all(engine_daemon(e)->store, CLASS_TASK, &tasks);
    for (size_t i = 0; i < tasks.n && !err; i++) {
        const struct task_rec *row = tasks.v[i]->rec;

        if (row->status == TASK_STATUS_TYPE_PENDING && (orphans || *row->plan))
            err = revive_row(e, row, &list);
    }
    vec_foreach (p, &list) {
        if (err)
            plan_free(*p);
        else
            go_on(e, *p);
    }
    vec_fini(&list);
    version_list_fini(&tasks);
    return err;
}

struct error *engine_recover(struct engine *e)
{
    return recover(e, true);
}

struct error *engine_take_over(struct engine *e)
{
    return recover(e, false);
}
