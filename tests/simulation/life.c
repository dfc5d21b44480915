/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/life.h"

#include "base/mem.h"
#include "base/world.h"

#define PATIENCE_US (600 * SECOND_US)

static void *life_main(void *arg)
{
    struct life *l = arg;
    struct error *e = l->start(l->ctx);

    if (e)
        l->failure = error_string(e);
    error_free(e);
    l->ready = !l->failure;
    while (l->ready && !l->told)
        sched_block(l, SCHED_NEVER, "a signal");
    l->ready = false;
    l->stop(l->ctx);
    l->ended = true;
    sched_wake_all(l);
    return NULL;
}

void life_begin(struct life *l, const char *name, struct error *(*start)(void *ctx),
                void (*stop)(void *ctx), void *ctx)
{
    free(l->failure);
    *l = (struct life){.begun = true, .start = start, .stop = stop, .ctx = ctx};
    l->group = sched_group_new(name);
    sched_release(sched_spawn(l->group, name, life_main, l));
}

bool life_goes_on(const struct life *l)
{
    return l->begun && !l->ended && !sched_is_dead(l->group);
}

bool life_end(struct life *l)
{
    const int group = l->group; /* it may be followed by the next life before we look */
    int64_t end = sched_now_us() + PATIENCE_US;

    l->told = true;
    sched_wake_all(l);
    while (l->group == group && life_goes_on(l))
        if (!sched_block(l, end, "a program to end"))
            return false;
    return true;
}
