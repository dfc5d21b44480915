/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs plans. A plan is in exactly one of three places: a worker runs its steps, a waiter will wake
 * it, or its row waits for the daemon to start again.
 */
#include "base/log.h"
#include "base/workers.h"
#include "base/world.h"
#include "task/callers.h"
#include "task/plan_priv.h"
#include "task/task_row.h"

#include <errno.h>
#include <unistd.h>

#define PROGRESS_EVERY_US 200000
#define FULL_POOL_WAIT_US 10000
#define DISK_WAIT_US      SECOND_US

struct engine {
    struct daemon *daemon;
    const struct plan_type *const *types;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct list plans;
    size_t running;
    size_t waiting;
    bool ending;
    void (*hook)(const char *plan, const char *step, const char *point);
};

static void engine_run(void *arg);

static void at_point(struct plan *p, const char *point)
{
    void (*hook)(const char *, const char *, const char *) = p->daemon->engine->hook;
    int i = p->step;

    if (hook)
        hook(p->type->name, i >= 0 && i < p->type->n_steps ? p->type->steps[i].name : "end", point);
}

static bool is_ending(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool ending = e->ending;

    pthread_mutex_unlock(&e->lock);
    return ending;
}

static void forget(struct plan *p);

/* Plans fail with errors of the API only. */
bool engine_is_left(const struct error *error)
{
    return error && !error->code && error->errnum == ESHUTDOWN;
}

/* The daemon ends: the plan stays in its row, from which the next one takes it up. */
static void leave(struct plan *p)
{
    _cleanup_error_ struct error *left = error_errno(ESHUTDOWN, "the daemon ends");

    log_info("%s is left at step %d of %d", p->label, p->step + 1, p->type->n_steps);
    if (p->done)
        p->done(p->done_ctx, left, NULL);
    forget(p);
    plan_free(p);
}

struct rows {
    struct plan *p;
    struct error *(*fill)(struct plan *p, struct txn *t);
};

static struct error *fill_rows(void *ctx, struct txn *t)
{
    const struct rows *r = ctx;

    return r->fill(r->p, t);
}

/* One commit about this plan. */
static struct error *commit_rows(struct plan *p, const char *point,
                                 struct error *(*fill)(struct plan *p, struct txn *t))
{
    const struct commit_info info = {.who = p->user, .task = p->task_ref, .call = p->label};
    struct rows r = {p, fill};

    at_point(p, point);
    return txn_run(p->daemon->store, &info, fill_rows, &r);
}

static struct error *store_position(struct plan *p, struct txn *t)
{
    struct task_rec *row;

    if (!txn_find_task(t, p->task_ref))
        return NULL;
    TRY(txn_edit_task(t, p->task_ref, &row));
    plan_store(p, t, row);
    row->progress = plan_fraction(p);
    return NULL;
}

static struct error *fill_step(struct plan *p, struct txn *t)
{
    TRY(p->type->steps[p->step].record(p, t));
    p->step++;
    struct error *e = store_position(p, t);

    p->step--;
    return e;
}

/* The plan ends: its marks go, and its task tells the outcome or disappears. */
static struct error *fill_end(struct plan *p, struct txn *t, const struct error *why)
{
    struct task_rec *row;

    TRY(plan_unmark_all(p, t));
    const struct task_rec *old = txn_find_task(t, p->task_ref);

    if (!old)
        return NULL;
    if (p->transient || task_row_is_unwanted(old))
        return txn_delete_task(t, p->task_ref);
    TRY(txn_edit_task(t, p->task_ref, &row));
    row->plan = row->plan_state = "";
    row->plan_step = 0;
    task_row_end(row, txn_arena(t), why, plan_json(p, "result"));
    return NULL;
}

/* The last step's rows and the end are one commit. */
static struct error *fill_success(struct plan *p, struct txn *t)
{
    const struct plan_step *last = &p->type->steps[p->type->n_steps - 1];

    if (p->step == p->type->n_steps - 1 && last->record)
        TRY(last->record(p, t));
    return fill_end(p, t, NULL);
}

static struct error *fill_failure(struct plan *p, struct txn *t)
{
    if (p->type->failed)
        TRY(p->type->failed(p, t, p->why));
    return fill_end(p, t, p->why);
}

static struct error *fill_unrecord(struct plan *p, struct txn *t)
{
    const struct plan_step *s = p->step < p->type->n_steps ? &p->type->steps[p->step] : NULL;

    if (s && s->unrecord)
        TRY(s->unrecord(p, t));
    p->step--;
    struct error *e = store_position(p, t);

    p->step++;
    return e;
}

static void forget(struct plan *p)
{
    struct engine *e = p->daemon->engine;

    pthread_mutex_lock(&e->lock);
    list_remove(&p->link);
    e->running--;
    pthread_cond_broadcast(&e->idle);
    pthread_mutex_unlock(&e->lock);
}

static void log_end(const struct plan *p, const struct error *why)
{
    long ms = (long)((mono_us() - p->start_us) / 1000);
    _cleanup_free_ char *text = why ? error_string(why) : NULL;

    if (why)
        log_warning("%s by %s failed after %ld ms: %s", p->label, *p->user ? p->user : "daemon", ms,
                    text);
    else
        log_info("%s by %s done in %ld ms", p->label, *p->user ? p->user : "daemon", ms);
}

static void plan_end(struct plan *p, const struct error *why)
{
    log_end(p, why);
    forget(p);
    if (p->done)
        p->done(p->done_ctx, why, why ? NULL : plan_json(p, "result"));
    plan_free(p);
}

static void begin_undo(struct plan *p, struct error *why)
{
    p->why = error_to_api(why);
    p->undoing = true;
    json_t *params = json_array();

    for (int i = 0; i < p->why->n_params; i++)
        json_array_append_new(params, json_string(p->why->params[i]));
    plan_set_json(p, "error",
                  json_pack("{soso}", "code", json_string(p->why->code), "params", params));
    log_and_free(LOG_ERROR, commit_rows(p, "turn", store_position), "%s: cannot note its failure",
                 p->label);
}

/* Lock held, so that engine_free and engine_cancel find either a running plan or a waiter. False:
 * the daemon ends. */
static bool wait_locked(struct engine *e, struct plan *p, uint64_t seen_seq)
{
    if (!waiting_add(e->daemon->waiting, &p->waiter, seen_seq))
        return false;
    e->running--;
    e->waiting++;
    return true;
}

/* A call that waits hears of the failure; a task tells it when the plan has ended. */
static void tell_early(struct plan *p, struct error *e)
{
    _cleanup_error_ struct error *why = error_to_api(e);

    if (p->done && p->transient) {
        p->done(p->done_ctx, p->why ? p->why : why, NULL);
        p->done = NULL;
    }
}

/*
 * The disk took back a commit that the plan cannot do without: it ends the plan, or undoes a step,
 * or notes what was done and cannot be undone. The disk is full, most likely. The plan sleeps and
 * goes on where it is. True: it is not this thread's any more.
 */
static bool try_again(struct plan *p, struct error *e)
{
    struct engine *engine = p->daemon->engine;

    if (!e || e->code)
        return false;
    _cleanup_free_ char *text = error_string(e);

    log_error("%s: waits for the disk: %s", p->label, text);
    tell_early(p, e);
    pthread_mutex_lock(&engine->lock);
    memset(p->waiter.classes, 0, sizeof(p->waiter.classes));
    p->waiter.deadline_us = mono_us() + DISK_WAIT_US;
    bool waits = !engine->ending && wait_locked(engine, p, UINT64_MAX);

    pthread_mutex_unlock(&engine->lock);
    if (!waits)
        leave(p);
    return true;
}

/* False: the plan was left. */
static bool undo_step(struct plan *p)
{
    const struct plan_step *s = p->step < p->type->n_steps ? &p->type->steps[p->step] : NULL;

    at_point(p, "undo");
    struct error *e = s && s->undo ? s->undo(p) : NULL;

    if (e && is_ending(p->daemon->engine)) {
        error_free(e); /* hostd is out of reach; the next daemon does it again */
        leave(p);
        return false;
    }
    log_and_free(LOG_ERROR, e, "%s: cannot undo step \"%s\"", p->label, s ? s->name : "");
    e = s && (s->unrecord || s->undo) ? commit_rows(p, "unrecord", fill_unrecord) : NULL;
    if (try_again(p, e))
        return false;
    log_and_free(LOG_ERROR, e, "%s: cannot take back the rows of step \"%s\"", p->label,
                 s ? s->name : "");
    p->step--;
    return true;
}

static void finish_failure(struct plan *p)
{
    struct error *e = commit_rows(p, "end", fill_failure);

    if (try_again(p, e))
        return;
    log_and_free(LOG_ERROR, e, "%s: cannot write its end", p->label);
    struct error *why = TAKE_PTR(p->why);

    plan_end(p, why);
    error_free(why);
}

/* Hands a running plan to a worker; if none will take it, it looks again soon. */
static void give_to_worker(struct engine *e, struct plan *p)
{
    if (workers_run(e->daemon->workers, engine_run, p))
        return;
    pthread_mutex_lock(&e->lock);
    p->waiter.deadline_us = mono_us() + FULL_POOL_WAIT_US;
    bool waits = wait_locked(e, p, UINT64_MAX);

    pthread_mutex_unlock(&e->lock);
    if (!waits)
        leave(p);
}

/* True: the plan waits and is not this thread's any more. */
static bool go_to_sleep(struct plan *p)
{
    struct engine *e = p->daemon->engine;

    if (!p->wait_asked)
        return false;
    p->wait_asked = false;
    pthread_mutex_lock(&e->lock);
    bool waits = !e->ending && wait_locked(e, p, p->seen_seq);

    pthread_mutex_unlock(&e->lock);
    if (!waits)
        leave(p);
    return true;
}

/* True: the plan is to go on. */
static bool stop_waiting(struct plan *p)
{
    struct engine *e = p->daemon->engine;

    pthread_mutex_lock(&e->lock);
    e->waiting--;
    e->running++;
    bool go_on = !e->ending;

    pthread_mutex_unlock(&e->lock);
    return go_on;
}

static void plan_wake(struct waiter *w, bool timed_out)
{
    struct plan *p = container_of(w, struct plan, waiter);

    if (stop_waiting(p))
        give_to_worker(p->daemon->engine, p);
    else
        leave(p);
}

static void plan_leave(struct waiter *w)
{
    struct plan *p = container_of(w, struct plan, waiter);

    stop_waiting(p);
    leave(p);
}

/* One step forward. False: the plan sleeps, or has ended. */
static bool advance(struct plan *p)
{
    const struct plan_step *s = &p->type->steps[p->step];
    struct error *e = NULL;

    if (plan_is_cancelled(p) && !p->type->no_cancel) {
        begin_undo(p, plan_cancelled(p));
        return true;
    }
    if (s->act) {
        at_point(p, "act");
        p->seen_seq = waiting_seq(p->daemon->waiting);
        e = s->act(p);
        if (!e && go_to_sleep(p))
            return false;
        if (e && is_ending(p->daemon->engine)) {
            error_free(e); /* most likely hostd was let go; acts can be repeated */
            leave(p);
            return false;
        }
    }
    if (!e) {
        bool last = p->step == p->type->n_steps - 1;

        if (last)
            e = commit_rows(p, "end", fill_success);
        else if (s->record)
            e = commit_rows(p, "record", fill_step);
        if (s->act && !s->undo && try_again(p, e))
            return false;
        if (!e && last) {
            plan_end(p, NULL);
            return false;
        }
    }
    if (e) {
        begin_undo(p, e);
        return true;
    }
    p->step_progress = 0;
    p->step++;
    return true;
}

static void engine_run(void *arg)
{
    struct plan *p = arg;

    for (;;) {
        if (is_ending(p->daemon->engine)) {
            leave(p);
            return;
        }
        if (!p->undoing) {
            if (!advance(p))
                return;
        } else if (p->step >= 0) {
            if (!undo_step(p))
                return;
        } else {
            finish_failure(p);
            return;
        }
    }
}

void engine_expect(struct engine *e, struct plan *p)
{
    pthread_mutex_lock(&e->lock);
    list_append(&e->plans, &p->link);
    pthread_mutex_unlock(&e->lock);
}

void engine_unexpect(struct engine *e, struct plan *p)
{
    pthread_mutex_lock(&e->lock);
    list_remove(&p->link);
    pthread_mutex_unlock(&e->lock);
}

void engine_start(struct engine *e, struct plan *p,
                  void (*done)(void *ctx, const struct error *error, json_t *result), void *ctx)
{
    p->row = NULL;
    p->done = done;
    p->done_ctx = ctx;
    p->waiter.wake = plan_wake;
    p->waiter.leave = plan_leave;
    pthread_mutex_lock(&e->lock);
    if (list_empty(&p->link))
        list_append(&e->plans, &p->link); /* found by engine_recover */
    e->running++;
    pthread_mutex_unlock(&e->lock);
    give_to_worker(e, p);
}

struct error *engine_commit(struct engine *e, struct txn *t, struct plan *p, const char *call)
{
    const struct commit_info info = {.who = "", .task = p->task_ref, .call = call};

    plan_store(p, t, p->row);
    struct error *err = txn_commit(t, &info);

    if (err) {
        plan_discard(p);
        return err;
    }
    engine_start(e, p, NULL, NULL);
    return NULL;
}

bool engine_cancel(struct engine *e, const char *task_ref)
{
    struct plan *p;
    bool found = false;

    pthread_mutex_lock(&e->lock);
    list_foreach (p, &e->plans, link) {
        if (!streq(p->task_ref, task_ref))
            continue;
        atomic_store(&p->cancelled, true);
        if (!p->type->no_cancel)
            waiting_kick(e->daemon->waiting, &p->waiter);
        found = true;
    }
    pthread_mutex_unlock(&e->lock);
    return found;
}

static struct error *fill_progress(struct plan *p, struct txn *t)
{
    struct task_rec *row;

    if (!txn_find_task(t, p->task_ref))
        return NULL;
    TRY(txn_edit_task(t, p->task_ref, &row));
    row->progress = plan_fraction(p);
    return NULL;
}

void plan_progress(struct plan *p, double done)
{
    int64_t now = mono_us();

    p->step_progress = done;
    if (now - p->progress_us < PROGRESS_EVERY_US)
        return;
    p->progress_us = now;
    IGNORE_ERROR(commit_rows(p, "progress", fill_progress));
}

void engine_set_hook(struct engine *e,
                     void (*hook)(const char *plan, const char *step, const char *point))
{
    e->hook = hook;
}

struct engine_stats engine_stats(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct engine_stats s = {.running = e->running, .waiting = e->waiting};

    pthread_mutex_unlock(&e->lock);
    return s;
}

struct engine *engine_new(struct daemon *d, const struct plan_type *const *types)
{
    struct engine *e = xnew(struct engine);

    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->idle, NULL);
    list_init(&e->plans);
    e->daemon = d;
    e->types = types;
    return e;
}

void engine_stop(struct engine *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    pthread_mutex_unlock(&e->lock);
}

/* The lock is not held while a plan's caller is told. */
static struct plan *take_waiting(struct engine *e)
{
    struct plan *p;

    list_foreach (p, &e->plans, link)
        if (waiting_remove(e->daemon->waiting, &p->waiter))
            return p;
    return NULL;
}

void engine_free(struct engine *e)
{
    struct plan *p;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    while ((p = take_waiting(e))) {
        pthread_mutex_unlock(&e->lock);
        plan_leave(&p->waiter);
        pthread_mutex_lock(&e->lock);
    }
    /* A waiter that could not be removed is on its way into plan_wake. */
    while (e->running || e->waiting)
        pthread_cond_wait(&e->idle, &e->lock);
    pthread_mutex_unlock(&e->lock);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->idle);
    free(e);
}

static const struct plan_type *type_find(const struct engine *e, const char *name)
{
    for (size_t i = 0; e->types[i]; i++)
        if (streq(e->types[i]->name, name))
            return e->types[i];
    return NULL;
}

/* A plan of a row, as it was when the daemon ended. NULL: the row cannot be understood. */
static struct plan *plan_revive(struct engine *e, const struct task_rec *row)
{
    const struct plan_type *type = type_find(e, row->plan);
    json_t *state = json_loads(row->plan_state, 0, NULL);

    if (!type || !json_is_object(state) || row->plan_step < -1 || row->plan_step > type->n_steps) {
        json_decref(state);
        return NULL;
    }
    struct plan *p = plan_new(e->daemon, type);

    json_decref(p->state);
    p->state = state;
    p->task_ref = xstrdup(row->self);
    p->label = xstrdup(row->name_label);
    p->user = xstrdup(row->session_user);
    p->step = (int)row->plan_step;
    p->transient = plan_bool(p, "transient");
    atomic_init(&p->cancelled, task_row_is_cancelled(row)); /* by a program that handed over */
    p->undoing = plan_bool(p, "undoing");
    if (p->undoing) {
        const json_t *why = plan_json(p, "error");
        const json_t *params = json_object_get(why, "params");
        const char *code = json_string_value(json_object_get(why, "code"));
        const char *texts[16];
        int n = 0;

        for (size_t i = 0; i < json_array_size(params) && n < 16; i++)
            texts[n++] = json_string_value(json_array_get(params, i));
        p->why = error_api_v(code ? code : "INTERNAL_ERROR", texts, n);
    }
    return p;
}

static struct error *fill_lost(struct engine *e, struct txn *t, const char *ref)
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
static struct error *recover_row(struct engine *e, const struct task_rec *row)
{
    const struct commit_info info = {.who = "", .task = row->self, .call = "recover"};
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(e->daemon->store, &a);
    struct plan *p = *row->plan ? plan_revive(e, row) : NULL;
    struct error *err = p ? plan_remark_all(p, t) : fill_lost(e, t, row->self);

    if (!err)
        err = txn_commit(t, &info);
    if (err) {
        plan_free(p);
        return err;
    }
    if (p) {
        struct caller *caller = callers_find(e->daemon->callers, p->task_ref);

        log_info("%s goes on at step %d of %d", p->label, p->step + 1, p->type->n_steps);
        engine_start(e, p, caller ? caller_done : NULL, caller);
    }
    return NULL;
}

static struct error *recover(struct engine *e, bool orphans)
{
    struct version_list tasks;
    struct error *err = NULL;

    store_all(e->daemon->store, CLASS_TASK, &tasks);
    for (size_t i = 0; i < tasks.n && !err; i++) {
        const struct task_rec *row = tasks.v[i]->rec;

        if (row->status == TASK_STATUS_TYPE_PENDING && (orphans || *row->plan))
            err = recover_row(e, row);
    }
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
