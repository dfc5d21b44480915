/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "auth/guesses.h"

#include "base/map.h"
#include "base/world.h"

#include <pthread.h>

/* A bucket as a time: when it will be full again. One that is full is forgotten. */
struct source {
    int64_t full_us;
    char address[];
};

struct guesses {
    pthread_mutex_t lock;
    struct strmap sources;
    int64_t every_us;
    size_t sweep_at; /* how many there are before full ones are looked for */
};

#define SWEEP_MIN 64

struct guesses *guesses_new(int64_t every_us)
{
    struct guesses *g = xnew(struct guesses);

    pthread_mutex_init(&g->lock, NULL);
    g->every_us = every_us;
    g->sweep_at = SWEEP_MIN;
    return g;
}

void guesses_free(struct guesses *g)
{
    struct source *s;
    size_t pos = 0;

    if (!g)
        return;
    while ((s = strmap_next(&g->sources, &pos, NULL)))
        free(s);
    strmap_fini(&g->sources);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static void sweep(struct guesses *g, int64_t now)
{
    struct source *s;
    size_t pos = 0;

    if (g->sources.n < g->sweep_at)
        return;
    while ((s = strmap_next(&g->sources, &pos, NULL))) {
        if (s->full_us > now)
            continue;
        strmap_remove(&g->sources, s->address);
        free(s);
    }
    g->sweep_at = MAX((size_t)SWEEP_MIN, g->sources.n * 2);
}

static struct source *get_source(struct guesses *g, const char *address, int64_t now)
{
    struct source *s = strmap_find(&g->sources, address);

    if (s)
        return s;
    sweep(g, now);
    size_t len = strlen(address);

    s = xcalloc(1, sizeof(*s) + len + 1);
    memcpy(s->address, address, len);
    strmap_set(&g->sources, s->address, s);
    return s;
}

/* Lock held. When there is a try: it is full that many tries after it was empty. */
static int64_t available(const struct guesses *g, const struct source *s, int64_t now)
{
    return MAX(now, s->full_us - (GUESSES_AT_ONCE - 1) * g->every_us);
}

/* 0 = at once. */
static int64_t take(struct guesses *g, const char *address, bool wait)
{
    const int64_t now = mono_us();

    if (!g->every_us)
        return 0;
    pthread_mutex_lock(&g->lock);
    struct source *s = get_source(g, address, now);
    const int64_t at = available(g, s, now);

    if (at == now || wait)
        s->full_us = MAX(s->full_us, now) + g->every_us;
    pthread_mutex_unlock(&g->lock);
    return at == now ? 0 : at;
}

int64_t guess_take(struct guesses *g, const char *source)
{
    return take(g, source, true);
}

bool guess_take_now(struct guesses *g, const char *source)
{
    return !take(g, source, false);
}

void guess_right(struct guesses *g, const char *source)
{
    pthread_mutex_lock(&g->lock);
    struct source *s = strmap_find(&g->sources, source);

    if (s)
        s->full_us -= g->every_us;
    pthread_mutex_unlock(&g->lock);
}
