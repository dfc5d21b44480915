/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/poller.h"

#include "base/mem.h"
#include "base/world.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define BATCH 64

struct poller {
    int epoll_fd;
    int wake_fd;
    struct timers timers;
    int64_t now_us;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;

    pthread_mutex_t lock;      /* rank: leaf; guards the queue */
    struct poller_work *first; /* posted, oldest first */
    struct poller_work **last;
    bool woken; /* the wake descriptor was written since the queue was last emptied */

    bool posted_here; /* by the loop's own thread, which alone touches this */
};

static _Thread_local const struct poller *current;

struct error *poller_new(struct poller **ret)
{
    _cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    _cleanup_close_ int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}; /* data.ptr NULL: the wake descriptor */

    if (epoll_fd < 0 || wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &ev) < 0)
        return error_errno(errno, "cannot make a poller");
    struct poller *p = xnew(struct poller);

    p->epoll_fd = TAKE_FD(epoll_fd);
    p->wake_fd = TAKE_FD(wake_fd);
    p->last = &p->first;
    p->now_us = mono_us();
    timers_init(&p->timers);
    pthread_mutex_init(&p->lock, NULL);
    *ret = p;
    return NULL;
}

void poller_free(struct poller *p)
{
    assert(!p->has_thread);
    timers_fini(&p->timers);
    pthread_mutex_destroy(&p->lock);
    close(p->epoll_fd);
    close(p->wake_fd);
    free(p);
}

static void wake(struct poller *p)
{
    uint64_t one = 1;
    ssize_t n = TEMP_FAILURE_RETRY(write(p->wake_fd, &one, sizeof(one)));

    assert(n == sizeof(one) || errno == EAGAIN);
}

void poller_post(struct poller *p, struct poller_work *work)
{
    bool must_wake = !poller_is_current(p);

    work->next = NULL;
    if (!must_wake)
        p->posted_here = true; /* the loop will not sleep, so it needs no wake-up */
    pthread_mutex_lock(&p->lock);
    *p->last = work;
    p->last = &work->next;
    if (p->woken)
        must_wake = false;
    else
        p->woken = must_wake;
    pthread_mutex_unlock(&p->lock);
    if (must_wake)
        wake(p);
}

/* Runs what was posted up to now. */
static void run_posted(struct poller *p)
{
    pthread_mutex_lock(&p->lock);
    struct poller_work *w = p->first;

    p->first = NULL;
    p->last = &p->first;
    p->woken = false;
    pthread_mutex_unlock(&p->lock);
    p->posted_here = false;
    while (w) {
        struct poller_work *next = w->next;

        w->fn(w);
        w = next;
    }
}

static int timeout_ms(const struct poller *p)
{
    int64_t due = timers_next(&p->timers);

    if (p->posted_here)
        return 0;
    if (due == TIMER_NEVER)
        return -1;
    int64_t left = due - mono_us();

    /* Rounded up: waking early would only spin. */
    return left <= 0 ? 0 : (int)MIN((left + 999) / 1000, 3600 * 1000);
}

void poller_run(struct poller *p)
{
    struct epoll_event events[BATCH];

    current = p;
    while (!atomic_load_explicit(&p->stopping, memory_order_acquire)) {
        run_posted(p);
        int n = epoll_wait(p->epoll_fd, events, BATCH, timeout_ms(p));

        assert(n >= 0 || errno == EINTR);
        p->now_us = mono_us();
        for (int i = 0; i < n; i++) {
            struct poller_source *s = events[i].data.ptr;

            if (s)
                s->fn(s, events[i].events);
        }
        timers_run(&p->timers, p->now_us);
    }
    do
        run_posted(p);
    while (p->posted_here);
    current = NULL;
}

static void *poller_main(void *arg)
{
    poller_run(arg);
    return NULL;
}

struct error *poller_start(struct poller *p, const char *name)
{
    int r = pthread_create(&p->thread, NULL, poller_main, p);

    if (r)
        return error_errno(r, "cannot start a thread");
    p->has_thread = true;
    pthread_setname_np(p->thread, name);
    return NULL;
}

void poller_stop(struct poller *p)
{
    atomic_store_explicit(&p->stopping, true, memory_order_release);
    wake(p);
}

void poller_join(struct poller *p)
{
    if (!p->has_thread)
        return;
    pthread_join(p->thread, NULL);
    p->has_thread = false;
}

static struct error *control(struct poller *p, int op, struct poller_source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (epoll_ctl(p->epoll_fd, op, s->fd, &ev) < 0)
        return error_errno(errno, "cannot poll a descriptor");
    return NULL;
}

struct error *poller_add(struct poller *p, struct poller_source *s, uint32_t events)
{
    return control(p, EPOLL_CTL_ADD, s, events);
}

struct error *poller_change(struct poller *p, struct poller_source *s, uint32_t events)
{
    return control(p, EPOLL_CTL_MOD, s, events);
}

void poller_remove(struct poller *p, struct poller_source *s)
{
    int r = epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);

    assert(r == 0 || errno == ENOENT);
}

struct timers *poller_timers(struct poller *p)
{
    return &p->timers;
}

int64_t poller_now(const struct poller *p)
{
    return p->now_us;
}

bool poller_is_current(const struct poller *p)
{
    return current == p;
}
