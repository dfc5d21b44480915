/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What simulated guests do after a while: one thread and a list ordered by time. */
#include "hv/sim/sim.h"

#include "base/mem.h"
#include "base/world.h"

#include <time.h>

static void act_now(struct sim *s, const struct sim_timer *t)
{
    struct sim_domain *d = sim_find(s, t->uuid);

    /* Gone, another run of the same VM, or not running any more: nothing happens. */
    if (d && d->domid == t->domid && d->state == HV_RUNNING)
        sim_guest_acts(s, d, t->act);
}

static void *timers_run(void *arg)
{
    struct sim *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        if (list_empty(&s->timers)) {
            pthread_cond_wait(&s->timers_changed, &s->lock);
            continue;
        }
        struct sim_timer *t = list_entry(s->timers.next, struct sim_timer, link);
        int64_t left = t->due_us - mono_us();

        if (left > 0) {
            struct timespec ts;

            clock_gettime(CLOCK_MONOTONIC, &ts);
            int64_t ns = ts.tv_nsec + left % SECOND_US * 1000;

            ts.tv_sec += left / SECOND_US + ns / 1000000000;
            ts.tv_nsec = ns % 1000000000;
            pthread_cond_timedwait(&s->timers_changed, &s->lock, &ts);
            continue;
        }
        list_remove(&t->link);
        act_now(s, t);
        free(t);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct error *sim_timers_start(struct sim *s)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->timers_changed, &attr);
    pthread_condattr_destroy(&attr);
    int r = pthread_create(&s->timer_thread, NULL, timers_run, s);

    return r ? error_errno(r, "cannot start the simulator's timer thread") : NULL;
}

void sim_timers_stop(struct sim *s)
{
    struct sim_timer *t;

    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->timers_changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->timer_thread, NULL);
    list_foreach (t, &s->timers, link)
        free(t);
    pthread_cond_destroy(&s->timers_changed);
}

void sim_act_later(struct sim *s, struct sim_domain *d, enum sim_act act, int64_t delay_us)
{
    if (delay_us <= 0) {
        sim_guest_acts(s, d, act);
        return;
    }
    struct sim_timer *t = xnew(struct sim_timer), *after;

    t->due_us = mono_us() + delay_us;
    t->domid = d->domid;
    t->act = act;
    snprintf(t->uuid, sizeof(t->uuid), "%s", d->uuid);
    list_foreach (after, &s->timers, link) {
        if (after->due_us > t->due_us)
            break;
    }
    list_insert_before(&after->link, &t->link);
    pthread_cond_signal(&s->timers_changed);
}
