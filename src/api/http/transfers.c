/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/transfers.h"

#include "base/mem.h"
#include "base/wait.h"
#include "gen/errors.h"
#include "wire/websocket.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>

/* Less than a hand-over waits for transfers that begin. */
#define FREE_WITHIN_US (2 * SECOND_US)

struct transfers {
    struct admission *sources;
    pthread_mutex_t running_lock; /* rank: before those of stream, websocket and waiting */
    struct list running;
    unsigned ended;
    pthread_cond_t one_ended;
    bool stopping;
    unsigned large;
    pthread_cond_t less_large;

    /* Who uses the store and hostd right now, and whether anybody still may. */
    pthread_mutex_t lock; /* rank: leaf */
    pthread_cond_t changed;
    unsigned inside;    /* of them: */
    unsigned beginning; /* transfers without a connection of their own yet */
    bool held;          /* none begins */
    bool left;
    struct transfer_successor next;
};

struct transfers *transfers_new(void)
{
    struct transfers *all = xnew(struct transfers);

    all->sources =
        admission_new(&(struct admission_limits){.max_unix = TRANSFERS_PER_SOURCE,
                                                 .max_tcp = UINT_MAX,
                                                 .max_per_address = TRANSFERS_PER_SOURCE});
    pthread_mutex_init(&all->running_lock, NULL);
    pthread_cond_init(&all->one_ended, NULL);
    pthread_cond_init(&all->less_large, NULL);
    list_init(&all->running);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    return all;
}

void transfers_free(struct transfers *all)
{
    if (!all)
        return;
    admission_free(all->sources);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    pthread_cond_destroy(&all->less_large);
    pthread_cond_destroy(&all->one_ended);
    pthread_mutex_destroy(&all->running_lock);
    free(all);
}

bool transfers_admit(struct transfers *all, const char *address, struct ticket *ret)
{
    return admission_enter(all->sources, address, ret);
}

/* ---- under way ---- */

void transfers_add(struct transfer *t)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    list_append(&all->running, &t->link);
    pthread_mutex_unlock(&all->running_lock);
}

void transfers_remove(struct transfer *t)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    list_remove(&t->link);
    all->ended++;
    pthread_cond_broadcast(&all->one_ended);
    pthread_mutex_unlock(&all->running_lock);
}

void transfers_set_disk(struct transfer *t, const char *vdi, const char *handle)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    t->vdi = vdi;
    t->handle = handle;
    pthread_mutex_unlock(&all->running_lock);
}

bool transfers_set_console(struct transfer *t, const char *console, bool alone)
{
    struct transfers *all = t->daemon->under_way;
    const struct transfer *other;
    bool taken = false;

    pthread_mutex_lock(&all->running_lock);
    list_foreach (other, &all->running, link)
        taken |= alone && other->console && streq(other->console, console);
    if (!taken)
        t->console = console;
    pthread_mutex_unlock(&all->running_lock);
    return !taken;
}

static unsigned count_ended(struct transfers *all)
{
    pthread_mutex_lock(&all->running_lock);
    unsigned ended = all->ended;

    pthread_mutex_unlock(&all->running_lock);
    return ended;
}

static bool has_locked(const struct transfers *all, const char *vdi)
{
    const struct transfer *t;

    list_foreach (t, &all->running, link)
        if (t->vdi && streq(t->vdi, vdi))
            return true;
    return false;
}

/* True: one has ended since they were counted. False: none has that VDI, or time is up. */
static bool await_end(struct transfers *all, const char *vdi, unsigned ended, int64_t deadline_us)
{
    pthread_mutex_lock(&all->running_lock);
    while (all->ended == ended && !all->stopping && has_locked(all, vdi) &&
           cond_wait_until(&all->one_ended, &all->running_lock, deadline_us))
        ;
    bool one = all->ended != ended && !all->stopping && mono_us() < deadline_us;

    pthread_mutex_unlock(&all->running_lock);
    return one;
}

struct error *transfers_retry(struct transfers *all, const char *vdi,
                              struct error *(*fn)(void *ctx), void *ctx)
{
    int64_t deadline = mono_us() + FREE_WITHIN_US;

    for (;;) {
        unsigned ended = count_ended(all);
        struct error *e = fn(ctx);

        if (!error_is(e, ERR_VDI_IN_USE) || !await_end(all, vdi, ended, deadline))
            return e;
        error_free(e);
    }
}

bool transfers_enter_large(struct transfers *all)
{
    int64_t deadline = mono_us() + FREE_WITHIN_US;

    pthread_mutex_lock(&all->running_lock);
    while (all->large >= TRANSFERS_LARGE_MAX && !all->stopping &&
           cond_wait_until(&all->less_large, &all->running_lock, deadline))
        ;
    bool free = all->large < TRANSFERS_LARGE_MAX;

    all->large += free;
    pthread_mutex_unlock(&all->running_lock);
    return free;
}

void transfers_leave_large(struct transfers *all)
{
    pthread_mutex_lock(&all->running_lock);
    all->large--;
    pthread_cond_signal(&all->less_large);
    pthread_mutex_unlock(&all->running_lock);
}

void transfers_set_stream(struct transfer *t, struct stream *stream)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    t->stream = stream;
    if (all->stopping)
        stream_cancel(stream);
    pthread_mutex_unlock(&all->running_lock);
}

void transfers_set_web(struct transfer *t, struct websocket *web)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    t->web = web;
    if (web && all->stopping)
        websocket_cancel(web);
    pthread_mutex_unlock(&all->running_lock);
}

bool transfers_refuse_late(struct transfer *t, struct error *e)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    bool delayed = !all->stopping &&
                   waiting_add(t->daemon->waiting, &t->late, waiting_seq(t->daemon->waiting));

    if (delayed)
        t->refusal = e; /* whoever was woken meanwhile waits for the lock */
    pthread_mutex_unlock(&all->running_lock);
    return delayed;
}

struct error *transfers_take_refusal(struct transfer *t)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->running_lock);
    struct error *e = TAKE_PTR(t->refusal);

    pthread_mutex_unlock(&all->running_lock);
    return e;
}

void transfers_cancel(struct transfers *all)
{
    struct transfer *t;

    pthread_mutex_lock(&all->running_lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->one_ended);
    pthread_cond_broadcast(&all->less_large);
    list_foreach (t, &all->running, link) {
        if (t->refusal)
            waiting_kick(t->daemon->waiting, &t->late);
        if (t->stream)
            stream_cancel(t->stream);
        if (t->web)
            websocket_cancel(t->web);
    }
    pthread_mutex_unlock(&all->running_lock);
}

/* ---- who may use store and hostd ---- */

static bool enter_locked(struct transfers *all)
{
    bool may = !all->left;

    all->inside += may;
    return may;
}

bool transfers_enter(struct transfers *all)
{
    pthread_mutex_lock(&all->lock);
    bool may = enter_locked(all);

    pthread_mutex_unlock(&all->lock);
    return may;
}

void transfers_exit(struct transfers *all)
{
    pthread_mutex_lock(&all->lock);
    all->inside--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

bool transfer_begin(struct transfer *t)
{
    struct transfers *all = t->daemon->under_way;

    pthread_mutex_lock(&all->lock);
    while (all->held && !all->left)
        pthread_cond_wait(&all->changed, &all->lock);
    t->beginning = enter_locked(all);
    all->beginning += t->beginning;
    pthread_mutex_unlock(&all->lock);
    return t->beginning;
}

void transfer_begun(struct transfer *t)
{
    struct transfers *all = t->daemon->under_way;

    if (!t->beginning)
        return;
    t->beginning = false;
    pthread_mutex_lock(&all->lock);
    all->beginning--;
    pthread_mutex_unlock(&all->lock);
    transfers_exit(all);
}

void transfers_hold(struct transfers *all, int64_t timeout_us)
{
    int64_t end = mono_us() + timeout_us;

    pthread_mutex_lock(&all->lock);
    all->held = true;
    while (all->beginning && cond_wait_until(&all->changed, &all->lock, end))
        ;
    pthread_mutex_unlock(&all->lock);
}

void transfers_leave(struct transfers *all, const struct transfer_successor *next)
{
    pthread_mutex_lock(&all->lock);
    all->next = *next;
    all->left = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

bool transfers_are_left(struct transfers *all)
{
    pthread_mutex_lock(&all->lock);
    bool left = all->left;

    pthread_mutex_unlock(&all->lock);
    return left;
}

const struct transfer_successor *transfers_next(const struct transfers *all)
{
    return &all->next;
}

json_t *transfers_held(struct transfers *all)
{
    json_t *list = json_array();
    const struct transfer *t;

    pthread_mutex_lock(&all->running_lock);
    list_foreach (t, &all->running, link)
        json_array_append_new(list,
                              json_pack("{s:s, s:s*, s:s, s:s}", "task", t->task ?: "", "handle",
                                        t->handle, "user", t->user ?: "", "realm", t->realm));
    pthread_mutex_unlock(&all->running_lock);
    return list;
}

void transfers_await_left(struct transfers *all)
{
    pthread_mutex_lock(&all->lock);
    while (all->inside)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}
