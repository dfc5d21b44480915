/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a body: a fresh transaction each time, again after a conflict, later after a park or while
 * another operation is in the way. job_end.c answers.
 */
#include "rpc/job.h"

#include "base/limit.h"
#include "base/workers.h"
#include "base/world.h"
#include "gen/messages.h"
#include "gen/roles.h"
#include "rpc/begin.h"
#include "rpc/builtin.h"
#include "task/callers.h"
#include "task/engine.h"
#include "task/tally.h"
#include "value/json.h"

#include <assert.h>

#define CONTENTION_WAIT_US (2 * 3600 * SECOND_US)

struct error *call_park(struct call *c, const bool classes_of_interest[CLASS_MAX],
                        int64_t deadline_us)
{
    c->parked = true;
    c->park_deadline_us = deadline_us;
    memcpy(c->park_classes, classes_of_interest, sizeof(c->park_classes));
    c->park_only = NULL;
    return NULL;
}

struct error *call_park_for(struct call *c, const struct interest *of_interest, int64_t deadline_us)
{
    bool any[CLASS_MAX];

    for (int i = 0; i < CLASS_MAX; i++)
        any[i] = of_interest->class_all[i] || of_interest->class_some[i];
    call_park(c, any, deadline_us);
    c->park_only = of_interest;
    return NULL;
}

static void run(void *arg)
{
    job_run(arg);
}

void job_queue(struct job *j)
{
    if (workers_run(j->call.daemon->workers, run, j))
        return;
    job_finish(j, err_too_many_pending_tasks(), NULL, 0);
}

#define BIG_LIST 256

bool job_runs_here(const struct job *j)
{
    const struct message *m = j->call.msg;

    if (m->body)
        return (m->flags & MSG_READ) || ((m->flags & MSG_PARK) && !j->call.much);
    bool list = m->kind == MSG_GET_ALL_RECORDS || m->kind == MSG_GET_ALL_RECORDS_WHERE ||
                m->kind == MSG_GET_ALL_WHERE;

    return generic_is_read(m) &&
           !(list && store_count(j->call.daemon->store, m->class_id) > BIG_LIST);
}

/* What only looks goes back to its connection's thread, which answers as well. */
static void job_wake(struct waiter *w, bool timed_out)
{
    struct job *j = container_of(w, struct job, waiter);

    j->call.timed_out = timed_out;
    if (j->rq && job_runs_here(j))
        http_run(j->rq, run, j);
    else
        job_queue(j);
}

static void leave_parked(struct waiter *w)
{
    job_leave(container_of(w, struct job, waiter));
}

/* Who wakes it has been said. */
static void await(struct job *j, const bool of_interest[CLASS_MAX], const struct interest *only,
                  int64_t deadline, uint64_t seen)
{
    memcpy(j->waiter.classes, of_interest, sizeof(j->waiter.classes));
    j->waiter.only = only;
    j->waiter.deadline_us = deadline;
    j->waiter.leave = leave_parked;
    if (!waiting_add(j->call.daemon->waiting, &j->waiter, seen))
        job_leave(j);
}

static void park(struct job *j, const bool of_interest[CLASS_MAX], const struct interest *only,
                 int64_t deadline, uint64_t seen)
{
    j->waiter.wake = job_wake;
    j->call.timed_out = false;
    await(j, of_interest, only, deadline, seen);
}

/* ---- callers with a limit ---- */

/* It may have ended meanwhile. */
static struct error *check_session(const struct job *j)
{
    _cleanup_session_ struct session *session =
        j->session ? sessions_find(j->call.daemon->sessions, j->session->ref) : NULL;

    return session || !j->session ? NULL : err_session_invalid(j->session->ref);
}

/* Its turn, or another limit, or nobody waits for the answer any more. */
static void wake_permitted(struct waiter *w, bool timed_out)
{
    struct job *j = container_of(w, struct job, waiter);
    bool gone = j->rq && http_is_gone(j->rq);

    if (!timed_out && !gone && job_waits(j))
        return;
    permit_fini(&j->permit);
    struct error *e = gone ? err_internal_error("the client is gone") : check_session(j);

    if (e)
        job_finish(j, e, NULL, 0);
    else
        job_queue(j);
}

bool job_waits(struct job *j)
{
    static const bool of_interest[CLASS_MAX] = {[CLASS_RATE_LIMIT] = true};
    const uint64_t seen = waiting_seq(j->call.daemon->waiting);

    if (!tally_must_wait(j->call.daemon->tally, &j->permit))
        return false;
    j->waiter.wake = wake_permitted;
    await(j, of_interest, NULL, j->permit.at_us, seen);
    return true;
}

void job_gone(void *ctx, struct http_request *rq)
{
    struct job *j = ctx;

    waiting_kick(j->call.daemon->waiting, &j->waiter);
}

/* Waits until the class in the way is touched; an Async call also looks whether it was cancelled.
 */
static bool wait_contended(struct job *j, uint64_t seen)
{
    bool of_interest[CLASS_MAX] = {false};

    if (mono_us() >= j->contention_deadline_us)
        return false;
    /* Its place is kept while it looks again: who came later must not get it. */
    if (!j->contending && !waiting_enter(j->call.daemon->waiting))
        return false;
    j->contending = true;
    of_interest[j->contended] = true;
    of_interest[CLASS_TASK] |= !str_empty(j->call.task);
    park(j, of_interest, NULL, j->contention_deadline_us, seen);
    return true;
}

/* OTHER_OPERATION_IN_PROGRESS [class, ref, ...]: wait for that class. False: answer it. */
static bool contend(struct job *j, const struct error *e, uint64_t seen)
{
    enum class_id class_id = e->n_params ? class_find(e->params[0]) : CLASS_NONE;

    if (!error_is(e, ERR_OTHER_OPERATION_IN_PROGRESS) || j->call.no_wait || class_id == CLASS_NONE)
        return false;
    if (!j->contention_deadline_us)
        j->contention_deadline_us =
            j->call.start_us + limit_of("XENOLITH_CONTENTION_US", CONTENTION_WAIT_US);
    j->contended = class_id;
    j->contended_seq = seen;
    return wait_contended(j, seen);
}

/* Woken by other tasks only: what is in the way is still there. */
static bool still_contended(struct job *j, uint64_t seen)
{
    return j->contended != CLASS_NONE && !j->call.timed_out &&
           !waiting_touched(j->call.daemon->waiting, j->contended, j->contended_seq) &&
           wait_contended(j, seen);
}

#ifdef XENOLITH_TEST_HOOKS
/*
 * For tools/prove-works: the message named in XENOLITH_EMPTY does nothing and succeeds, so that the
 * test which claims to prove it must fail.
 */
static bool is_emptied(const struct message *m)
{
    const char *name = getenv("XENOLITH_EMPTY");

    return name && streq(name, m->name);
}
#else
static bool is_emptied(const struct message *m)
{
    return false;
}
#endif

/* A damaged store refuses commits; what asks the host to change something must not get that far.
 * Of the calls that ask it, those of everybody only look. */
static struct error *check_store(const struct job *j)
{
    const struct message *m = j->call.msg;
    const char *why = m->flags & MSG_SLOW ? store_read_only(j->call.daemon->store) : NULL;

    if (!why || m->flags & MSG_NO_SESSION || m->roles & ROLE_BIT(ROLE_READ_ONLY))
        return NULL;
    return err_operation_not_allowed(why);
}

/* What is refused on purpose is so only with arguments that are right. */
static struct error *check_refs(struct job *j)
{
    const struct struct_info *si = j->call.msg->args;

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        const char *ref =
            f->type->kind == K_REF ? *(const char *const *)field_at(f, j->args) : NULL;

        const void *rec;

        if (ref && *ref && !streq(ref, REF_NULL))
            TRY(txn_read(j->call.txn, f->type->class_id, ref, &rec));
    }
    return NULL;
}

static struct error *refuse(struct job *j)
{
    const char *const *refusal = j->call.msg->refusal;
    int n = 0;

    TRY(check_refs(j));
    while (refusal[n + 1])
        n++;
    return error_api_v(refusal[0], refusal + 1, n);
}

static struct error *run_body(struct job *j)
{
    struct call *c = &j->call;

    TRY(check_store(j));
    c->parked = false;
    c->plan = NULL;
    if (c->raw)
        str_clear(c->raw);
    if (is_emptied(c->msg))
        return NULL;
    if (c->msg->refusal)
        return refuse(j);
    if (!c->msg->body)
        return generic_write(j);
    return c->msg->body(c, j->args, j->ret);
}

static struct commit_info commit_info(const struct job *j)
{
    return (struct commit_info){
        .who = j->call.user, .task = j->call.task, .call = j->call.msg->name, .bounded = true};
}

static struct error *commit(struct job *j)
{
    const struct commit_info info = commit_info(j);

    if (j->call.plan)
        plan_seal(j->call.plan, j->call.txn, j->rq);
    return txn_has_writes(j->call.txn) ? txn_commit(j->call.txn, &info) : NULL;
}

static void on_plan_done(void *ctx, const struct error *error, json_t *result)
{
    struct job *j = ctx;
    const struct type *t = j->call.msg->result;
    struct iovec *v = NULL;
    size_t n = 0;
    struct error *e = NULL;

    if (engine_is_left(error)) {
        job_leave(j);
        return;
    }
    if (error)
        e = error_copy(error);
    else if (t && t->kind != K_VOID && result)
        e = value_from_json(j->call.arena, t, result, "result", j->ret);
    if (!e && j->rq)
        result_pieces(j, &v, &n);
    job_finish(j, e, v, n);
}

static struct error *cancelled_meanwhile(struct job *j)
{
    _cleanup_version_ struct version *v = NULL;

    if (!*j->call.task)
        return NULL;
    v = store_find(j->call.daemon->store, CLASS_TASK, j->call.task);
    return v ? async_cancelled(v) : NULL;
}

/* A call may run for hours, each time something changes: what a run that led to nothing took from
 * the arena goes back, unless the body keeps a memo of it. */
static void forget_run(struct job *j, const struct arena_mark *before, const void *memo)
{
    if (j->call.memo == memo)
        arena_rewind(j->call.arena, before);
}

/* Both after a commit: whichever of a cancel and an intent is committed last sees the other. */
static void tell_cancelled(struct job *j)
{
    struct call *c = &j->call;
    struct error *e = c->plan ? cancelled_meanwhile(j) : NULL;

    if (c->cancels)
        engine_cancel(c->daemon->engine, c->cancels);
    if (e)
        engine_cancel(c->daemon->engine, c->task);
    error_free(e);
}

static void start_plan(struct job *j)
{
    struct plan *p = j->call.plan;

    job_stop_contending(j);
    j->plan_task = arena_strdup(j->call.arena, plan_task(p));
    engine_start(j->call.daemon->engine, p, on_plan_done, j);
}

static void park_as_asked(struct job *j, uint64_t seen)
{
    const struct call *c = &j->call;

    job_stop_contending(j);
    park(j, c->park_classes, c->park_only, c->park_deadline_us, seen);
}

/* One run. True: the job is over, parked or handed on; false: run again. */
static bool run_once(struct job *j)
{
    struct call *c = &j->call;
    uint64_t seen = waiting_seq(c->daemon->waiting);
    struct iovec *v = NULL;
    size_t n = 0;
    const struct arena_mark before = arena_mark(c->arena);
    const void *memo = c->memo;
    _cleanup_txn_ struct txn *t = txn_new(c->daemon->store, c->arena);

    c->txn = t;
    struct error *e = cancelled_meanwhile(j);

    if (!e && still_contended(j, seen)) {
        txn_free(TAKE_PTR(t));
        return true;
    }
    if (!e)
        e = run_body(j);
    if (!e && c->parked) {
        txn_free(TAKE_PTR(t));
        forget_run(j, &before, memo);
        park_as_asked(j, seen);
        return true;
    }
    if (!e)
        e = commit(j);
    if (!e)
        tell_cancelled(j);
    if (!e && c->plan) {
        txn_free(TAKE_PTR(t));
        start_plan(j);
        return true;
    }
    if (e && c->plan)
        plan_discard(TAKE_PTR(c->plan));
    if (e && atomic_load(&c->daemon->leaving)) {
        error_free(e); /* most likely hostd was let go */
        txn_free(TAKE_PTR(t));
        job_leave(j);
        return true;
    }
    if (error_is(e, DB_CONFLICT)) {
        error_free(e);
        txn_free(TAKE_PTR(t));
        forget_run(j, &before, memo);
        return false;
    }
    /* Results may lie in versions that the transaction pins; its memory is the request's. */
    if (!e && j->rq)
        result_pieces(j, &v, &n);
    else if (!e)
        async_end(j, NULL);
    txn_free(TAKE_PTR(t));
    if (e)
        forget_run(j, &before, memo);
    if (e && contend(j, e, seen)) {
        error_free(e);
        return true;
    }
    job_finish(j, e, v, n);
    return true;
}

void job_run(struct job *j)
{
    if (atomic_load(&j->call.daemon->leaving)) {
        job_leave(j);
        return;
    }
    if (j->rq && http_is_gone(j->rq) && (j->call.msg->flags & MSG_PARK)) {
        job_finish(j, err_internal_error("the client is gone"), NULL, 0);
        return;
    }
    if (!j->call.msg->body && generic_is_read(j->call.msg)) {
        struct iovec *v = NULL;
        size_t n = 0;
        struct error *e = generic_read(j, &v, &n);

        job_finish(j, e, v, n);
        return;
    }
    struct store *s = j->call.daemon->store; /* the job may be gone after its last run */
    int conflicts = 0;

    while (!run_once(j)) {
        if (++conflicts == CONFLICTS_BEFORE_TURN)
            store_take_turn(s);
    }
    if (conflicts >= CONFLICTS_BEFORE_TURN)
        store_give_turn(s);
}

/* ---- a call that waits for its commit without a thread ---- */

bool job_writes_here(const struct job *j)
{
    const struct message *m = j->call.msg;
    const bool one_object =
        m->kind == MSG_CREATE || m->kind == MSG_DESTROY || m->kind >= MSG_SET_FIELD;

    return j->rq && one_object && !m->refusal && (!m->body || (m->flags & MSG_WRITE));
}

/* The commit is durable, or there is an error. */
static void end_write(struct job *j, struct error *e)
{
    if (e && atomic_load(&j->call.daemon->leaving)) {
        error_free(e);
        job_leave(j);
    } else if (error_is(e, DB_CONFLICT)) {
        error_free(e);
        job_queue(j);
    } else {
        job_finish(j, e, j->answer, j->n_answer);
    }
}

static void after_commit(void *arg)
{
    struct job *j = arg;

    end_write(j, TAKE_PTR(j->commit_error));
}

static void on_committed(struct commit_later *l, struct error *e)
{
    struct job *j = container_of(l, struct job, later);

    j->commit_error = e;
    http_run(j->rq, after_commit, j);
}

void job_write_here(struct job *j)
{
    struct call *c = &j->call;
    const struct commit_info info = commit_info(j);
    const uint64_t seen = waiting_seq(c->daemon->waiting);
    bool later = false;
    _cleanup_txn_ struct txn *t = txn_new(c->daemon->store, c->arena);

    c->txn = t;
    struct error *e = run_body(j);

    assert(!c->plan && !c->parked && !c->cancels);
    /* Results may lie in versions that the transaction pins. */
    if (!e)
        result_pieces(j, &j->answer, &j->n_answer);
    j->later.done = on_committed;
    if (!e && txn_has_writes(t))
        e = txn_commit_later(t, &info, &j->later, &later);
    txn_free(TAKE_PTR(t)); /* the answer is this thread's: the job is still there */
    if (later)
        return;
    if (e && contend(j, e, seen))
        error_free(e);
    else
        end_write(j, e);
}

void job_resume(struct job *j)
{
    j->plan_task = j->rq->resume;
    if (!callers_ask(j->call.daemon->callers, j->plan_task, on_plan_done, j))
        job_finish(j, err_internal_error("nothing is known of the end of this call"), NULL, 0);
}
