/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs plans. A plan is in exactly one of three places: a worker runs its steps, a waiter will wake
 * it, or its row waits for the daemon to start again.
 */
#include "base/log.h"
#include "base/test_point.h"
#include "base/workers.h"
#include "base/world.h"
#include "proto/client.h"
#include "task/callers.h"
#include "task/plan_priv.h"
#include "task/task_row.h"
#include "value/json.h"

#include <errno.h>
#include <unistd.h>

#define PROGRESS_EVERY_US 200000
#define FULL_POOL_WAIT_US 10000
#define RETRY_US          SECOND_US /* what hostd or the disk cannot do now */
#define PATIENT_RETRIES   5         /* before a waiting call hears that a step cannot be noted */

struct engine {
    struct daemon *daemon;
    const struct plan_type *const *types;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct list plans;
    size_t running;
    size_t waiting;
    size_t failed;
    bool ending;
};

static void engine_run(void *arg);

static bool is_ending(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool ending = e->ending;

    pthread_mutex_unlock(&e->lock);
    return ending;
}

bool plan_is_left(const struct plan *p)
{
    return is_ending(p->daemon->engine);
}

static void at_point(struct plan *p, const char *point)
{
    int i = p->step;
    const char *step = i >= 0 && i < p->type->n_steps ? p->type->steps[i].name : "end";

    test_point(p->type->name, step, point);
}

void plan_type_points(const struct plan_type *type, void *ctx,
                      void (*each)(void *ctx, const char *step, const char *point))
{
    for (int i = 0; i < type->n_steps; i++) {
        const struct plan_step *s = &type->steps[i];

        if (s->act)
            each(ctx, s->name, "act");
        if (i == type->n_steps - 1)
            each(ctx, s->name, "end");
        else if (s->record)
            each(ctx, s->name, "record");
        each(ctx, s->name, "turn");
        each(ctx, s->name, "undo");
        if (s->undo || s->unrecord)
            each(ctx, s->name, "unrecord");
    }
    each(ctx, "end", "end");
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
    struct engine *e = p->daemon->engine;

    log_end(p, why);
    if (why) {
        pthread_mutex_lock(&e->lock);
        e->failed++;
        pthread_mutex_unlock(&e->lock);
    }
    forget(p);
    if (p->done)
        p->done(p->done_ctx, why, why ? NULL : plan_json(p, "result"));
    plan_free(p);
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

/* The plan goes on where it is after a while, on another worker. */
static void run_later(struct plan *p, int64_t us)
{
    struct engine *e = p->daemon->engine;

    pthread_mutex_lock(&e->lock);
    memset(p->waiter.classes, 0, sizeof(p->waiter.classes));
    p->waiter.deadline_us = mono_us() + us;
    bool waits = !e->ending && wait_locked(e, p, UINT64_MAX);

    pthread_mutex_unlock(&e->lock);
    if (!waits)
        leave(p);
}

static void begin_undo(struct plan *p, struct error *why)
{
    p->why = error_to_api(why);
    p->undoing = true;
    plan_set_json(p, "error", error_to_json(p->why));
    log_and_free(LOG_ERROR, commit_rows(p, "turn", store_position), "%s: cannot note its failure",
                 p->label);
}

/* The disk took back a commit that the plan cannot do without. It is full, most likely. */
static bool is_refused(const struct error *e)
{
    return e && !e->code;
}

/* A call that waits hears why it does not end; a task tells it when the plan has ended. */
static void tell_early(struct plan *p, const struct error *why)
{
    if (p->done && p->transient) {
        p->done(p->done_ctx, why, NULL);
        p->done = NULL;
    }
}

/* The rows of a step, when they can be written: undo may be done again before. */
static struct error *undo_rows(struct plan *p, const struct plan_step *s)
{
    if (!s || !(s->unrecord || s->undo))
        return NULL;
    struct error *e = commit_rows(p, "unrecord", fill_unrecord);

    if (is_refused(e))
        return e;
    log_and_free(LOG_ERROR, e, "%s: cannot take back the rows of step \"%s\"", p->label, s->name);
    return NULL;
}

/* False: the plan sleeps, or was left. */
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
    if (e && !hostd_is_away(e)) {
        log_and_free(LOG_ERROR, e, "%s: cannot undo step \"%s\"", p->label, s->name);
        e = NULL;
    }
    if (!e)
        e = undo_rows(p, s);
    if (e) {
        log_and_free(LOG_WARNING, e, "%s: step \"%s\" cannot be undone yet", p->label, s->name);
        tell_early(p, p->why);
        run_later(p, RETRY_US);
        return false;
    }
    p->step--;
    if (p->step >= 0 && p->type->steps[p->step].keeps)
        p->step = -1;
    return true;
}

static void finish_failure(struct plan *p)
{
    struct error *e = commit_rows(p, "end", fill_failure);

    if (is_refused(e)) {
        log_and_free(LOG_WARNING, e, "%s: cannot write its end yet", p->label);
        tell_early(p, p->why);
        run_later(p, RETRY_US);
        return;
    }
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
    run_later(p, FULL_POOL_WAIT_US);
}

static bool takes_cancel(const struct plan *p)
{
    if (p->type->no_cancel)
        return false;
    for (int i = 0; i <= p->step && i < p->type->n_steps; i++)
        if (p->type->steps[i].keeps)
            return false;
    return true;
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

    /* Cancelled during the act, when there was no waiter to be woken. */
    if (waits && plan_is_cancelled(p) && takes_cancel(p))
        waiting_kick(p->daemon->waiting, &p->waiter);
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

/*
 * What is done can neither be noted nor taken back: the plan stays where it is until the store
 * takes the rows. Most often that is soon; a call that waits longer hears of it.
 */
static void note_later(struct plan *p, struct error *e)
{
    _cleanup_error_ struct error *why = error_to_api(
        error_prepend(e, "step \"%s\" is done and is noted as soon as the store takes it",
                      p->type->steps[p->step].name));
    _cleanup_free_ char *text = error_string(why);

    log_warning("%s: %s", p->label, text);
    if (++p->refusals > PATIENT_RETRIES)
        tell_early(p, why);
    run_later(p, RETRY_US);
}

/* Behind the act: its rows. False: the plan sleeps, or has ended. */
static bool write_step(struct plan *p)
{
    const struct plan_step *s = &p->type->steps[p->step];
    bool last = p->step == p->type->n_steps - 1;
    struct error *e = NULL;

    if (last)
        e = commit_rows(p, "end", fill_success);
    else if (s->record)
        e = commit_rows(p, "record", fill_step);
    if (!e && last) {
        plan_end(p, NULL);
        return false;
    }
    if (is_refused(e) && (s->keeps || (s->act && !s->undo))) {
        note_later(p, e);
        return false;
    }
    if (e) {
        begin_undo(p, e);
        return true;
    }
    p->step_progress = 0;
    p->refusals = 0;
    p->step++;
    return true;
}

/* One step forward. False: the plan sleeps, or has ended. */
static bool advance(struct plan *p)
{
    const struct plan_step *s = &p->type->steps[p->step];
    struct error *e = NULL;

    if (plan_is_cancelled(p) && takes_cancel(p)) {
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
    if (!e && test_point(p->type->name, s->name, "fail"))
        e = error_text("step \"%s\" was told to fail", s->name);
    if (e) {
        begin_undo(p, e);
        return true;
    }
    return write_step(p);
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

struct error *engine_commit_for(struct engine *e, struct txn *t, struct plan *p, const char *call,
                                void (*done)(void *ctx, const struct error *error, json_t *result),
                                void *ctx)
{
    const struct commit_info info = {.who = "", .task = p->task_ref, .call = call};

    plan_store(p, t, p->row);
    struct error *err = txn_commit(t, &info);

    if (err) {
        plan_discard(p);
        return err;
    }
    engine_start(e, p, done, ctx);
    return NULL;
}

struct error *engine_commit(struct engine *e, struct txn *t, struct plan *p, const char *call)
{
    return engine_commit_for(e, t, p, call, NULL, NULL);
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

struct engine_stats engine_stats(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct engine_stats s = {.running = e->running, .waiting = e->waiting, .failed = e->failed};

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

const struct plan_type *engine_find_type(const struct engine *e, const char *name)
{
    for (size_t i = 0; e->types[i]; i++)
        if (streq(e->types[i]->name, name))
            return e->types[i];
    return NULL;
}

struct daemon *engine_daemon(const struct engine *e)
{
    return e->daemon;
}
