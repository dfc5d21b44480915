/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/ticker.h"

#include "base/mem.h"
#include "base/wait.h"

struct ticker {
    int64_t pause_us;
    void (*run)(void *ctx, struct ticker *t);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock; /* rank: leaf */
    pthread_cond_t stop;
    bool stopping;
};

bool ticker_is_stopping(struct ticker *t)
{
    pthread_mutex_lock(&t->lock);
    bool stopping = t->stopping;

    pthread_mutex_unlock(&t->lock);
    return stopping;
}

/* False = stop. */
static bool rest(struct ticker *t)
{
    int64_t until = mono_us() + t->pause_us;

    pthread_mutex_lock(&t->lock);
    while (!t->stopping && cond_wait_until(&t->stop, &t->lock, until))
        ;
    bool go_on = !t->stopping;

    pthread_mutex_unlock(&t->lock);
    return go_on;
}

static void *ticker_main(void *arg)
{
    struct ticker *t = arg;

    while (rest(t))
        t->run(t->ctx, t);
    return NULL;
}

static void ticker_free(struct ticker *t)
{
    pthread_cond_destroy(&t->stop);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct error *ticker_start(int64_t pause_us, void (*run)(void *ctx, struct ticker *t), void *ctx,
                           struct ticker **ret)
{
    struct ticker *t = xnew(struct ticker);

    t->pause_us = pause_us;
    t->run = run;
    t->ctx = ctx;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->stop, NULL);
    int r = pthread_create(&t->thread, NULL, ticker_main, t);

    if (r) {
        ticker_free(t);
        return error_errno(r, "cannot start a thread");
    }
    *ret = t;
    return NULL;
}

void ticker_stop(struct ticker *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->stop);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    ticker_free(t);
}
