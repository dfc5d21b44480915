/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread and clock functions of the C library as the programs see them here: the linker puts
 * __wrap_X in the place of X (meson.build lists which). A mutex or a condition keeps its state in
 * its own memory, so that static initializers (all zero) work and nothing need be freed.
 */
#include "simulation/threads.h"
#include "base/cleanup.h"
#include "simulation/sched.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct fake_mutex {
    const struct fiber *owner;
    unsigned waiters;
};

struct fake_cond {
    unsigned waiters;
    clockid_t clock;
};

_Static_assert(sizeof(struct fake_mutex) <= sizeof(pthread_mutex_t), "does not fit");
_Static_assert(sizeof(struct fake_cond) <= sizeof(pthread_cond_t), "does not fit");

static struct fake_mutex *mutex_of(pthread_mutex_t *m)
{
    return (struct fake_mutex *)(void *)m;
}

static struct fake_cond *cond_of(pthread_cond_t *c)
{
    return (struct fake_cond *)(void *)c;
}

/* ---- mutexes ---- */

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    memset(m, 0, sizeof(*m));
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
    assert(!mutex_of(m)->owner && "a mutex in use is destroyed");
    return 0;
}

static void lock(pthread_mutex_t *p)
{
    struct fake_mutex *m = mutex_of(p);

    assert(m->owner != sched_self() && "a mutex is locked twice");
    while (m->owner) {
        m->waiters++;
        sched_block(m, SCHED_NEVER, "a mutex");
        m->waiters--;
    }
    m->owner = sched_self();
}

static void unlock(pthread_mutex_t *p)
{
    struct fake_mutex *m = mutex_of(p);

    assert(m->owner == sched_self() && "a mutex of another thread is unlocked");
    m->owner = NULL;
    if (m->waiters)
        sched_wake_all(m);
}

bool mutex_is_free(pthread_mutex_t *m)
{
    return !mutex_of(m)->owner;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    sched_point();
    lock(m);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    unlock(m);
    sched_point();
    return 0;
}

/* ---- conditions ---- */

int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
    memset(c, 0, sizeof(*c));
    if (attr)
        pthread_condattr_getclock(attr, &cond_of(c)->clock);
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *c)
{
    assert(!cond_of(c)->waiters && "a condition somebody waits for is destroyed");
    return 0;
}

static int wait_until(pthread_cond_t *p, pthread_mutex_t *m, int64_t deadline)
{
    struct fake_cond *c = cond_of(p);
    bool woken = true;

    unlock(m);
    if (sched_spurious()) {
        sched_point();
    } else {
        c->waiters++;
        woken = sched_block(c, deadline, "a condition");
        c->waiters--;
    }
    lock(m);
    return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return wait_until(c, m, SCHED_NEVER);
}

static int64_t sim_time(clockid_t clock, const struct timespec *ts)
{
    int64_t us = (int64_t)ts->tv_sec * 1000000 + (ts->tv_nsec + 999) / 1000;

    return us - (clock == CLOCK_REALTIME ? SIM_EPOCH_US : SIM_MONO_US);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *ts)
{
    return wait_until(c, m, sim_time(cond_of(c)->clock, ts));
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                  const struct timespec *ts)
{
    return wait_until(c, m, sim_time(clock, ts));
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
    if (cond_of(c)->waiters)
        sched_wake_one(c);
    sched_point();
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    if (cond_of(c)->waiters)
        sched_wake_all(c);
    sched_point();
    return 0;
}

/* ---- threads ---- */

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    struct fiber *f = sched_spawn(sched_group(), "thread", fn, arg);

    *ret = (pthread_t)(uintptr_t)f;
    sched_point();
    return 0;
}

static struct fiber *fiber_of(pthread_t t)
{
    return (struct fiber *)(uintptr_t)t;
}

int __wrap_pthread_join(pthread_t t, void **ret)
{
    struct fiber *f = fiber_of(t);

    while (!sched_ended(f, ret))
        sched_block(f, SCHED_NEVER, "the end of a thread");
    sched_release(f);
    return 0;
}

int __wrap_pthread_detach(pthread_t t)
{
    sched_release(fiber_of(t));
    return 0;
}

int __wrap_pthread_setname_np(pthread_t t, const char *name)
{
    sched_name(fiber_of(t), name);
    return 0;
}

pthread_t __wrap_pthread_self(void)
{
    return (pthread_t)(uintptr_t)sched_self();
}

/* ---- time ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    int64_t us = sched_now_us() + (clock == CLOCK_REALTIME ? SIM_EPOCH_US : SIM_MONO_US);

    *ts = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    return 0;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts,
                           struct timespec *left)
{
    assert(!flags);
    sched_sleep((int64_t)ts->tv_sec * 1000000 + ts->tv_nsec / 1000);
    return 0;
}
