/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A bounded pool of threads for straight-line blocking work. Threads start when work waits and
 * none is idle, up to the maximum, and stay. The queue is bounded too: a full pool says so at
 * once, so that the caller can refuse (503) instead of piling up.
 *
 * Threads: workers_run from any thread, workers_free from one that is not a worker.
 */

#include "base/error.h"

#include <stdint.h>

struct workers;

/* max_threads jobs at a time, max_queue more wait. name: prefix of the threads' names, at most 10
 * characters. */
_must_check_ struct error *workers_new(const char *name, unsigned max_threads, unsigned max_queue,
                                       struct workers **ret);
/* Runs what is queued, then ends the threads. */
void workers_free(struct workers *w);

/* Waits until nothing is queued and no thread works, at most timeout_us; false = time is up. */
bool workers_settle(struct workers *w, int64_t timeout_us);

/* Queues fn(arg). False (nothing happens) when the queue is full or the pool is ending. */
_must_check_ bool workers_run(struct workers *w, void (*fn)(void *arg), void *arg);

struct workers_stats {
    unsigned threads;
    unsigned busy;
    unsigned queued;
};

struct workers_stats workers_stats(struct workers *w);
