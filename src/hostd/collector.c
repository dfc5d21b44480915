/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/collector.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/wait.h"
#include "storage/sr.h"

/* Half of what a cheap disk does: guests keep the other half. */
#define BYTES_PER_SECOND (100ll << 20)

struct collector {
    struct storage *storage;
    int64_t pause_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
};

static bool is_stopping(void *arg)
{
    struct collector *c = arg;

    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;

    pthread_mutex_unlock(&c->lock);
    return stopping;
}

static void on_failure(void *arg, const char *sr, struct error *e)
{
    log_and_free(LOG_WARNING, e, "cannot merge images of SR %s", sr);
}

/* False = stop. */
static bool pause_between(struct collector *c)
{
    int64_t until = mono_us() + c->pause_us;

    pthread_mutex_lock(&c->lock);
    while (!c->stopping && cond_wait_until(&c->stop, &c->lock, until))
        ;
    bool go_on = !c->stopping;

    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void *collector_main(void *arg)
{
    struct collector *c = arg;
    const struct sr_collect how = {
        .bytes_per_second = BYTES_PER_SECOND, .cancelled = is_stopping, .arg = c};

    while (pause_between(c))
        sr_collect_all(c->storage, &how, on_failure, c);
    return NULL;
}

struct error *collector_start(struct storage *s, int64_t pause_us, struct collector **ret)
{
    struct collector *c = xnew(struct collector);

    c->storage = s;
    c->pause_us = pause_us;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->stop, NULL);
    int r = pthread_create(&c->thread, NULL, collector_main, c);

    if (r) {
        free(c);
        return error_errno(r, "cannot start the collector thread");
    }
    *ret = c;
    return NULL;
}

void collector_stop(struct collector *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->stop);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->stop);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
