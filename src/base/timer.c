/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/timer.h"

#include <assert.h>

static void place(struct timers *ts, size_t i, struct timer *t)
{
    ts->heap.v[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct timers *ts, size_t i, struct timer *t)
{
    while (i) {
        size_t parent = (i - 1) / 2;

        if (ts->heap.v[parent]->due_us <= t->due_us)
            break;
        place(ts, i, ts->heap.v[parent]);
        i = parent;
    }
    place(ts, i, t);
}

static void sift_down(struct timers *ts, size_t i, struct timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= ts->heap.n)
            break;
        if (child + 1 < ts->heap.n && ts->heap.v[child + 1]->due_us < ts->heap.v[child]->due_us)
            child++;
        if (t->due_us <= ts->heap.v[child]->due_us)
            break;
        place(ts, i, ts->heap.v[child]);
        i = child;
    }
    place(ts, i, t);
}

void timers_init(struct timers *ts)
{
    *ts = (struct timers){0};
}

void timers_fini(struct timers *ts)
{
    vec_foreach (t, &ts->heap)
        (*t)->slot = 0;
    vec_fini(&ts->heap);
}

void timer_start(struct timers *ts, struct timer *t, int64_t due_us)
{
    assert(t->fn);
    if (t->slot)
        timer_stop(ts, t);
    t->due_us = due_us;
    vec_add(&ts->heap, t);
    sift_up(ts, ts->heap.n - 1, t);
}

void timer_stop(struct timers *ts, struct timer *t)
{
    if (!t->slot)
        return;
    size_t i = t->slot - 1;

    assert(i < ts->heap.n && ts->heap.v[i] == t);
    struct timer *last = ts->heap.v[--ts->heap.n];

    t->slot = 0;
    if (last == t)
        return;
    if (i && last->due_us < ts->heap.v[(i - 1) / 2]->due_us)
        sift_up(ts, i, last);
    else
        sift_down(ts, i, last);
}

int64_t timers_next(const struct timers *ts)
{
    return ts->heap.n ? ts->heap.v[0]->due_us : TIMER_NEVER;
}

void timers_run(struct timers *ts, int64_t now_us)
{
    /* A function may start timers for the past again; as many as there are now bound the pass. */
    for (size_t left = ts->heap.n; left && timers_next(ts) <= now_us; left--) {
        struct timer *t = ts->heap.v[0];

        timer_stop(ts, t);
        t->fn(t);
    }
}
