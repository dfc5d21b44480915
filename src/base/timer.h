/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Timers as a binary heap. The owner of a `struct timers` (usually a poller) asks when the next
 * one is due and runs those that are. One thread. Times are mono_us().
 *
 * A timer is embedded in what it wakes. Starting a started timer moves it; a timer that has fired
 * or was stopped may be started again, also from its own function.
 */

#include "base/vec.h"

#include <stdint.h>

struct timer {
    int64_t due_us;
    size_t slot; /* place in the heap + 1, 0 = not started */
    void (*fn)(struct timer *t);
};

struct timers {
    struct VEC(struct timer *) heap;
};

#define TIMER_NEVER INT64_MAX

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts); /* started timers are forgotten, not run */

void timer_start(struct timers *ts, struct timer *t, int64_t due_us);
void timer_stop(struct timers *ts, struct timer *t);

static inline bool timer_is_started(const struct timer *t)
{
    return t->slot != 0;
}

/* When the first timer is due; TIMER_NEVER without timers. */
int64_t timers_next(const struct timers *ts);
/* Runs what is due at `now_us`; a timer started meanwhile for the past runs in the next pass. */
void timers_run(struct timers *ts, int64_t now_us);
