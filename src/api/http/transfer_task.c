/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The task of a transfer: progress, cancel, end. While this program has the store they are commits;
 * once another has taken over, questions to it.
 */
#include "api/http/transfer_task.h"

#include "api/http/transfers.h"
#include "base/log.h"
#include "base/world.h"
#include "gen/class/task_txn.h"
#include "gen/errors.h"
#include "proto/client.h"
#include "rpc/task_notes.h"
#include "task/task_row.h"
#include "value/json.h"

#define PROGRESS_EVERY_US 200000

/* True: the store is ours until the transfer leaves. One that begins is inside all the time. */
bool transfer_enter(struct transfer *t)
{
    return t->beginning || transfers_enter(t->daemon->under_way);
}

void transfer_leave(struct transfer *t)
{
    if (!t->beginning)
        transfers_exit(t->daemon->under_way);
}

struct rows {
    struct transfer *t;
    struct error *(*fill)(struct transfer *t, struct txn *x, void *arg);
    void *arg;
};

static struct error *fill_rows(void *ctx, struct txn *x)
{
    const struct rows *r = ctx;

    return r->fill(r->t, x, r->arg);
}

static struct error *commit_task(struct transfer *t,
                                 struct error *(*fill)(struct transfer *t, struct txn *x,
                                                       void *arg),
                                 void *arg)
{
    const struct commit_info info = {.who = t->user, .task = t->task, .call = t->realm};
    struct rows r = {t, fill, arg};

    return txn_run(t->daemon->store, &info, fill_rows, &r);
}

static struct error *too_late(void)
{
    return err_internal_error("another program has taken over meanwhile: send it again");
}

struct error *transfer_commit(struct transfer *t, struct error *(*fill)(void *ctx, struct txn *x),
                              void *ctx)
{
    const struct commit_info info = {
        .who = t->user, .task = t->task, .call = t->realm, .bounded = true};

    if (!transfer_enter(t))
        return too_late();
    struct error *e = txn_run(t->daemon->store, &info, fill, ctx);

    transfer_leave(t);
    return e;
}

struct error *transfer_try(struct transfer *t, struct error *(*fill)(void *ctx, struct txn *x),
                           void *ctx)
{
    if (!transfer_enter(t))
        return too_late();
    struct txn *x = txn_new(t->daemon->store, &t->arena);
    struct error *e = fill(ctx, x);

    txn_free(x);
    transfer_leave(t);
    return e;
}

static struct error *fill_new_task(struct transfer *t, struct txn *x, void *arg)
{
    struct task_rec *row = txn_insert_soft(x, CLASS_TASK);

    task_row_begin(row, t->daemon, t->realm);
    row->session = t->session ? t->session->ref : REF_NULL;
    row->session_user = t->user;
    task_notes_add(x, row, t->rq);
    t->task = arena_strdup(&t->arena, row->self);
    return NULL;
}

struct error *transfer_task_new(struct transfer *t)
{
    t->own_task = true;
    return commit_task(t, fill_new_task, NULL);
}

static struct error *fill_discard(struct transfer *t, struct txn *x, void *arg)
{
    return txn_find_task(x, t->task) ? txn_delete_task(x, t->task) : NULL;
}

/* One that the client made waits for the transfer that is to come. */
void transfer_task_discard(struct transfer *t)
{
    if (t->own_task && !str_empty(t->task))
        log_and_free(LOG_WARNING, commit_task(t, fill_discard, NULL), "cannot discard a task");
}

static struct error *fill_progress(struct transfer *t, struct txn *x, void *arg)
{
    struct task_rec *row;

    if (!txn_find_task(x, t->task))
        return NULL;
    TRY(txn_edit_task(x, t->task, &row));
    if (task_row_is_cancelled(row))
        return err_task_cancelled(t->task);
    row->progress = *(double *)arg;
    return NULL;
}

static struct error *progress_here(struct transfer *t, void *done)
{
    return commit_task(t, fill_progress, done);
}

static struct error *check_here(struct transfer *t, void *arg)
{
    _cleanup_version_ struct version *v = store_find(t->daemon->store, CLASS_TASK, t->task);

    return v && task_row_is_cancelled(v->rec) ? err_task_cancelled(t->task) : NULL;
}

struct outcome {
    const struct error *why;
    json_t *result;
};

static struct error *fill_end(struct transfer *t, struct txn *x, void *arg)
{
    const struct outcome *o = arg;
    struct task_rec *row;

    if (!txn_find_task(x, t->task))
        return NULL;
    TRY(txn_edit_task(x, t->task, &row));
    task_row_end(row, txn_arena(x), o->why, o->result);
    return NULL;
}

static struct error *end_here(struct transfer *t, void *outcome)
{
    return commit_task(t, fill_end, outcome);
}

static struct error *close_here(struct transfer *t, void *handle)
{
    const struct host_vdi_nbd_close_args args = {.handle = handle};

    return hostd_vdi_nbd_close(t->daemon->hostd, &args, &t->arena, NULL);
}

/* Elsewhere. */

static json_t *question(const struct transfer *t, const char *what)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "do", what, "task", t->task, "user", t->user, "realm",
                     t->realm);
}

/* Nobody there is no failure of the transfer: only its task is lost. */
static struct error *ask(struct transfer *t, json_t *j)
{
    const struct transfer_successor *next = transfers_next(t->daemon->under_way);
    _cleanup_json_ json_t *answer = next->ask(next->ctx, j);

    return json_is_true(json_object_get(answer, "cancelled")) ? err_task_cancelled(t->task) : NULL;
}

struct error *transfer_progress(struct transfer *t, double done)
{
    int64_t now = mono_us();

    if (str_empty(t->task) || now - t->told_us < PROGRESS_EVERY_US)
        return NULL;
    t->told_us = now;
    if (!transfer_enter(t)) {
        json_t *j = question(t, "progress");

        json_object_set_new(j, "done", json_real(done));
        return ask(t, j);
    }
    struct error *e = progress_here(t, &done);

    transfer_leave(t);
    return e;
}

struct error *transfer_check(struct transfer *t)
{
    if (str_empty(t->task))
        return NULL;
    if (!transfer_enter(t))
        return ask(t, question(t, "check"));
    struct error *e = check_here(t, NULL);

    transfer_leave(t);
    return e;
}

void transfer_task_end(struct transfer *t, const struct error *why)
{
    struct outcome o = {.why = why, .result = t->result};

    if (str_empty(t->task))
        return;
    if (!transfer_enter(t)) {
        json_t *j = question(t, "end");

        if (why)
            json_object_set_new(j, "error", error_to_json(why));
        if (t->result)
            json_object_set(j, "result", t->result);
        IGNORE_ERROR(ask(t, j));
        return;
    }
    log_and_free(LOG_ERROR, end_here(t, &o), "%s: cannot end its task", t->realm);
    transfer_leave(t);
}

void transfer_close_disk(struct transfer *t, const char *handle)
{
    bool here = transfer_enter(t);
    struct error *e = here ? close_here(t, (void *)(uintptr_t)handle) : NULL;

    if (here)
        transfer_leave(t);
    /* hostd was let go meanwhile: the next program asks it. */
    if (!here || (hostd_is_away(e) && transfers_are_left(t->daemon->under_way))) {
        const struct transfer_successor *next = transfers_next(t->daemon->under_way);
        json_t *j = question(t, "close");

        error_free(e);
        json_object_set_new(j, "handle", json_string(handle));
        next->tell(next->ctx, j); /* it is not waited for: the store may wait for us */
        e = NULL;
    }
    log_and_free(LOG_WARNING, e, "cannot close a disk");
}

/* For those elsewhere. */

static struct error *answer(struct transfer *t, const char *what, const json_t *j)
{
    double done = json_number_value(json_object_get(j, "done"));
    const char *handle = json_string_value(json_object_get(j, "handle"));
    const json_t *told = json_object_get(j, "error");
    _cleanup_error_ struct error *why = error_from_json(told);

    if (streq(what, "close"))
        return handle ? close_here(t, (void *)(uintptr_t)handle) : NULL;
    if (streq(what, "progress"))
        return progress_here(t, &done);
    if (streq(what, "check"))
        return check_here(t, NULL);
    if (!streq(what, "end"))
        return error_text("nobody knows what \"%s\" means", what);
    if (told && !why)
        return error_text("an error was told that is none");
    struct outcome o = {.why = why, .result = json_object_get(j, "result")};

    return end_here(t, &o);
}

/* False: somebody speaks another language. */
static bool read_elsewhere(struct daemon *d, const json_t *j, struct transfer *ret)
{
    *ret = (struct transfer){
        .daemon = d,
        .beginning = true,
        .task = json_string_value(json_object_get(j, "task")),
        .user = json_string_value(json_object_get(j, "user")),
        .realm = json_string_value(json_object_get(j, "realm")),
    };
    return ret->task && ret->user && ret->realm;
}

json_t *transfer_answer(struct daemon *d, const json_t *j)
{
    const char *what = json_string_value(json_object_get(j, "do"));
    struct transfer t;

    if (!read_elsewhere(d, j, &t) || !what)
        return json_object();
    arena_init(&t.arena);
    struct error *e = answer(&t, what, j);
    bool cancelled = error_is(e, ERR_TASK_CANCELLED);

    if (cancelled)
        error_free(e);
    else
        log_and_free(LOG_WARNING, e, "%s: cannot %s", t.realm, what);
    arena_fini(&t.arena);
    return json_pack("{s:b}", "cancelled", cancelled);
}

static void lost(struct transfer *t, const char *handle)
{
    _cleanup_error_ struct error *why = err_internal_error("the program that ran it has ended");
    struct outcome o = {.why = why};
    struct error *e = handle ? close_here(t, (void *)(uintptr_t)handle) : NULL;

    log_and_free(LOG_DEBUG, e, "cannot close a disk of a program that has ended");
    if (!str_empty(t->task))
        log_and_free(LOG_WARNING, end_here(t, &o), "%s: cannot end its task", t->realm);
}

void transfers_lost(struct daemon *d, const json_t *held)
{
    const json_t *j;
    size_t i;

    json_array_foreach (held, i, j) {
        struct transfer t;

        if (!read_elsewhere(d, j, &t))
            continue;
        arena_init(&t.arena);
        lost(&t, json_string_value(json_object_get(j, "handle")));
        arena_fini(&t.arena);
    }
}
