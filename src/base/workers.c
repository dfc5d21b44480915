/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/workers.h"

#include "base/mem.h"
#include "base/wait.h"

#include <assert.h>
#include <pthread.h>

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct workers {
    char name[11];
    unsigned max_threads;

    pthread_mutex_t lock; /* rank: leaf */
    pthread_cond_t work;
    pthread_cond_t settled; /* nothing is queued, nobody works */
    struct job *ring;       /* `slots` of them: who waits for a thread that starts is there too */
    unsigned slots;
    unsigned head; /* oldest job */
    unsigned queued;
    unsigned running; /* jobs */
    unsigned idle;    /* threads that wait */
    unsigned n_threads;
    pthread_t *threads;
    bool ending;
};

struct error *workers_new(const char *name, unsigned max_threads, unsigned max_queue,
                          struct workers **ret)
{
    assert(max_threads && max_queue);
    struct workers *w = xnew(struct workers);

    snprintf(w->name, sizeof(w->name), "%s", name);
    w->max_threads = max_threads;
    w->slots = max_threads + max_queue;
    w->ring = xnew_array(struct job, w->slots);
    w->threads = xnew_array(pthread_t, max_threads);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->settled, NULL);
    *ret = w;
    return NULL;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->queued && !w->ending) {
            w->idle++;
            if (w->idle == w->n_threads)
                pthread_cond_broadcast(&w->settled);
            pthread_cond_wait(&w->work, &w->lock);
            w->idle--;
        }
        if (!w->queued)
            break;
        struct job job = w->ring[w->head];

        w->head = (w->head + 1) % w->slots;
        w->queued--;
        w->running++;
        pthread_mutex_unlock(&w->lock);
        job.fn(job.arg);
        pthread_mutex_lock(&w->lock);
        w->running--;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* With the lock held. A thread that cannot be started is no failure while others run. */
static bool add_thread(struct workers *w)
{
    char name[16];

    if (w->n_threads == w->max_threads)
        return true;
    if (pthread_create(&w->threads[w->n_threads], NULL, worker_main, w) != 0)
        return w->n_threads > 0;
    snprintf(name, sizeof(name), "%s-%u", w->name, w->n_threads % 1000);
    pthread_setname_np(w->threads[w->n_threads], name);
    w->n_threads++;
    return true;
}

bool workers_run(struct workers *w, void (*fn)(void *arg), void *arg)
{
    bool done = false;

    pthread_mutex_lock(&w->lock);
    if (!w->ending && w->running + w->queued < w->slots && (w->idle > w->queued || add_thread(w))) {
        w->ring[(w->head + w->queued) % w->slots] = (struct job){fn, arg};
        w->queued++;
        pthread_cond_signal(&w->work);
        done = true;
    }
    pthread_mutex_unlock(&w->lock);
    return done;
}

bool workers_settle(struct workers *w, int64_t timeout_us)
{
    const int64_t end = mono_us() + timeout_us;
    bool in_time = true;

    pthread_mutex_lock(&w->lock);
    while ((w->queued || w->idle < w->n_threads) && in_time)
        in_time = cond_wait_until(&w->settled, &w->lock, end);
    bool settled = !w->queued && w->idle == w->n_threads;

    pthread_mutex_unlock(&w->lock);
    return settled;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->n_threads; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->settled);
    pthread_mutex_destroy(&w->lock);
    free(w->ring);
    free(w->threads);
    free(w);
}

struct workers_stats workers_stats(struct workers *w)
{
    struct workers_stats st;

    pthread_mutex_lock(&w->lock);
    st = (struct workers_stats){
        .threads = w->n_threads, .busy = w->n_threads - w->idle, .queued = w->queued};
    pthread_mutex_unlock(&w->lock);
    return st;
}
