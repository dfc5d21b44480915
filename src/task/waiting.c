/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store's publication watch marks waiters as due (quickly: it runs under the store's lock); one
 * thread wakes those that are due and keeps the deadlines.
 */
#include "task/waiting.h"

#include "base/wait.h"
#include "model/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct store *store;
    struct watch watch;
    struct list waiters;
    struct list due;
    _Atomic uint64_t seq;
    uint64_t class_seq[CLASS_MAX];
    atomic_int contenders;
    int64_t next_us; /* no deadline is earlier */
    bool asleep;     /* the thread, until next_us or a signal */
    bool ending;
};

static void make_due(struct waiting *w, struct waiter *waiter, bool timed_out)
{
    waiter->due = true;
    waiter->timed_out = timed_out;
    list_remove(&waiter->link);
    list_append(&w->due, &waiter->link);
}

static void rouse(struct waiting *w)
{
    if (w->asleep)
        pthread_cond_signal(&w->changed);
    w->asleep = false;
}

static bool is_interested(const struct waiter *waiter, const struct publication *p)
{
    if (waiter->only && p->complete) {
        for (size_t i = 0; i < p->n_objects; i++)
            if (waiter->classes[p->objects[i].class_id] &&
                interest_wants(waiter->only, p->objects[i].class_id, p->objects[i].ref))
                return true;
        return false;
    }
    for (int i = 1; i < CLASS_MAX; i++)
        if (p->classes[i] && waiter->classes[i])
            return true;
    return false;
}

static void on_publication(struct watch *watch, const struct publication *p)
{
    struct waiting *w = container_of(watch, struct waiting, watch);
    struct waiter *it;

    pthread_mutex_lock(&w->lock);
    uint64_t seq = atomic_fetch_add(&w->seq, 1) + 1;

    for (int i = 1; i < CLASS_MAX; i++)
        if (p->classes[i])
            w->class_seq[i] = seq;
    bool any = false;

    list_foreach (it, &w->waiters, link) {
        if (is_interested(it, p)) {
            make_due(w, it, false);
            any = true;
        }
    }
    if (any)
        rouse(w);
    pthread_mutex_unlock(&w->lock);
}

/* Marks what is too late. A walk over all: only when the next deadline has come. */
static void expire(struct waiting *w)
{
    int64_t now = mono_us(), next = now + 3600 * SECOND_US;
    struct waiter *it;

    if (now < w->next_us)
        return;

    list_foreach (it, &w->waiters, link) {
        if (it->deadline_us <= now)
            make_due(w, it, true);
        else
            next = MIN(next, it->deadline_us);
    }
    w->next_us = next;
}

static void *waiting_main(void *arg)
{
    struct waiting *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        expire(w);
        if (list_empty(&w->due)) {
            w->asleep = true;
            cond_wait_until(&w->changed, &w->lock, w->next_us);
            w->asleep = false;
            continue;
        }
        struct waiter *it = list_entry(w->due.next, struct waiter, link);

        list_remove(&it->link);
        it->due = false;
        pthread_mutex_unlock(&w->lock);
        it->wake(it, it->timed_out);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct error *waiting_new(struct store *store, struct waiting **ret)
{
    struct waiting *w = xnew(struct waiting);

    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    list_init(&w->waiters);
    list_init(&w->due);
    w->store = store;
    w->watch.fn = on_publication;
    for (int i = 1; i < CLASS_MAX; i++)
        w->watch.classes[i] = true;
    int r = pthread_create(&w->thread, NULL, waiting_main, w);

    if (r) {
        free(w);
        return error_errno(r, "cannot start a thread");
    }
    store_watch(store, &w->watch);
    *ret = w;
    return NULL;
}

static void leave_all(struct waiting *w, struct list *waiters)
{
    while (!list_empty(waiters)) {
        struct waiter *it = list_entry(waiters->next, struct waiter, link);

        list_remove(&it->link);
        it->due = false;
        pthread_mutex_unlock(&w->lock);
        if (it->leave)
            it->leave(it);
        pthread_mutex_lock(&w->lock);
    }
}

void waiting_stop(struct waiting *w)
{
    if (!w || w->ending) /* by this thread: nobody else ends it */
        return;
    store_unwatch(w->store, &w->watch);
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    rouse(w);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    leave_all(w, &w->due);
    leave_all(w, &w->waiters);
    pthread_mutex_unlock(&w->lock);
}

void waiting_free(struct waiting *w)
{
    if (!w)
        return;
    waiting_stop(w);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}

bool waiting_enter(struct waiting *w)
{
    if (atomic_fetch_add(&w->contenders, 1) < CONTENDERS_MAX)
        return true;
    waiting_leave(w);
    return false;
}

void waiting_leave(struct waiting *w)
{
    atomic_fetch_sub(&w->contenders, 1);
}

uint64_t waiting_seq(struct waiting *w)
{
    return atomic_load(&w->seq);
}

bool waiting_touched(struct waiting *w, enum class_id class_id, uint64_t seen_seq)
{
    pthread_mutex_lock(&w->lock);
    bool touched = w->class_seq[class_id] > seen_seq;

    pthread_mutex_unlock(&w->lock);
    return touched;
}

bool waiting_add(struct waiting *w, struct waiter *waiter, uint64_t seen_seq)
{
    bool missed = false;

    pthread_mutex_lock(&w->lock);
    if (w->ending) {
        pthread_mutex_unlock(&w->lock);
        return false;
    }
    for (int i = 1; i < CLASS_MAX; i++)
        missed |= waiter->classes[i] && w->class_seq[i] > seen_seq;
    list_init(&waiter->link);
    waiter->due = waiter->timed_out = false;
    list_append(&w->waiters, &waiter->link);
    if (missed || waiter->kicked)
        make_due(w, waiter, false);
    waiter->kicked = false;
    if (!list_empty(&w->due) || waiter->deadline_us < w->next_us)
        rouse(w);
    w->next_us = MIN(w->next_us, waiter->deadline_us);
    pthread_mutex_unlock(&w->lock);
    return true;
}

bool waiting_remove(struct waiting *w, struct waiter *waiter)
{
    pthread_mutex_lock(&w->lock);
    bool was = waiter->link.next && !list_empty(&waiter->link);

    if (was)
        list_remove(&waiter->link);
    pthread_mutex_unlock(&w->lock);
    return was;
}

void waiting_kick(struct waiting *w, struct waiter *waiter)
{
    pthread_mutex_lock(&w->lock);
    if (!waiter->link.next || list_empty(&waiter->link)) {
        waiter->kicked = true;
    } else if (!waiter->due) {
        make_due(w, waiter, false);
        rouse(w);
    }
    pthread_mutex_unlock(&w->lock);
}
