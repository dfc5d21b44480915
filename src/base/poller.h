/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A poller is one thread that waits for descriptors (epoll), timers and work posted by other
 * threads, and calls short functions that never block. Waiting connections, parked calls and
 * clocks live here; anything slow goes to workers (base/workers.h).
 *
 * Threads: poller_post and poller_stop from any thread; all else from the poller's own thread, or
 * before it starts. Posted work runs after the current batch of events, in order, so freeing an
 * object by posted work is safe against events of the same batch that still name it.
 */

#include "base/error.h"
#include "base/timer.h"

#include <stdint.h>
#include <sys/epoll.h>

struct poller;

/* Embedded in what owns the descriptor. */
struct poller_source {
    int fd;
    void (*fn)(struct poller_source *source, uint32_t events); /* EPOLL* bits */
};

/* Embedded in what is to be done; not to be touched between posting and its call. */
struct poller_work {
    struct poller_work *next;
    void (*fn)(struct poller_work *work);
};

_must_check_ struct error *poller_new(struct poller **ret);
/* After its thread has ended. Work posted and not run is forgotten. */
void poller_free(struct poller *p);

/* Starts a thread named `name` (at most 15 characters), or runs in the calling thread. */
_must_check_ struct error *poller_start(struct poller *p, const char *name);
void poller_run(struct poller *p);
/* Asks the loop to end, which runs what is posted before it does; poller_join waits for the thread
 * of poller_start. A stopped poller's poller_run runs what was posted since, and returns. */
void poller_stop(struct poller *p);
void poller_join(struct poller *p);

_must_check_ struct error *poller_add(struct poller *p, struct poller_source *s, uint32_t events);
_must_check_ struct error *poller_change(struct poller *p, struct poller_source *s,
                                         uint32_t events);
/* Forgets the descriptor (any thread; the caller makes sure that no event of the running batch
 * still needs the source). Does not close it. */
void poller_remove(struct poller *p, struct poller_source *s);

void poller_post(struct poller *p, struct poller_work *work);

struct timers *poller_timers(struct poller *p);
/* Clock read once per wake-up: cheap, at most one batch old. */
int64_t poller_now(const struct poller *p);
/* Is the calling thread this poller's? */
bool poller_is_current(const struct poller *p);

static inline void cleanup_poller(struct poller **p)
{
    if (*p)
        poller_free(*p);
}

#define _cleanup_poller_ _cleanup_(cleanup_poller)
