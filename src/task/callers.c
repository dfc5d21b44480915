/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A caller is in the table until both have happened: the plan has ended, its end was asked for. */
#include "task/callers.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>

struct callers {
    pthread_mutex_t lock; /* rank: leaf */
    struct strmap by_task;
};

struct caller {
    struct callers *table;
    char *task;
    bool ended;
    struct error *error;
    json_t *result;
    void (*done)(void *ctx, const struct error *error, json_t *result);
    void *ctx;
};

struct callers *callers_new(void)
{
    struct callers *c = xnew(struct callers);

    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void caller_free(struct caller *k)
{
    error_free(k->error);
    json_decref(k->result);
    free(k->task);
    free(k);
}

void callers_free(struct callers *c)
{
    size_t pos = 0;
    struct caller *k;

    if (!c)
        return;
    while ((k = strmap_next(&c->by_task, &pos, NULL)))
        caller_free(k);
    strmap_fini(&c->by_task);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void callers_expect(struct callers *c, const char *task)
{
    struct caller *k = xnew(struct caller);

    k->table = c;
    k->task = xstrdup(task);
    pthread_mutex_lock(&c->lock);
    if (strmap_find(&c->by_task, task))
        caller_free(k);
    else
        strmap_set(&c->by_task, k->task, k);
    pthread_mutex_unlock(&c->lock);
}

void callers_each_missing(struct callers *c, void (*fn)(void *ctx, const char *task), void *ctx)
{
    size_t pos = 0;
    struct caller *k;

    pthread_mutex_lock(&c->lock);
    while ((k = strmap_next(&c->by_task, &pos, NULL)))
        if (!k->done)
            fn(ctx, k->task);
    pthread_mutex_unlock(&c->lock);
}

struct caller *callers_find(struct callers *c, const char *task)
{
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    struct caller *k = strmap_find(&c->by_task, task);

    pthread_mutex_unlock(&c->lock);
    return k;
}

/* Lock held: both have happened. */
static void take_out(struct caller *k)
{
    strmap_remove(&k->table->by_task, k->task);
}

void caller_done(void *caller, const struct error *error, json_t *result)
{
    struct caller *k = caller;
    struct callers *c = k->table;

    pthread_mutex_lock(&c->lock);
    bool asked = k->done;

    if (asked) {
        take_out(k);
    } else {
        k->ended = true;
        k->error = error_copy(error);
        k->result = json_incref(result);
    }
    pthread_mutex_unlock(&c->lock);
    if (!asked)
        return;
    k->done(k->ctx, error, result);
    caller_free(k);
}

bool callers_ask(struct callers *c, const char *task,
                 void (*done)(void *ctx, const struct error *error, json_t *result), void *ctx)
{
    pthread_mutex_lock(&c->lock);
    struct caller *k = strmap_find(&c->by_task, task);
    bool found = k && !k->done, ended = found && k->ended;

    if (found) {
        k->done = done;
        k->ctx = ctx;
    }
    if (ended)
        take_out(k);
    pthread_mutex_unlock(&c->lock);
    if (ended) {
        done(ctx, k->error, k->result);
        caller_free(k);
    }
    return found;
}
