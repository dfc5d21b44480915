/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waiting for a condition with a limit, by the clock of mono_us. The condition needs no attribute
 * for that. */

#include "base/world.h"

#include <pthread.h>

/* Lock held. False: deadline_us (mono_us) has come. True: woken, perhaps for nothing. */
static inline bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t deadline_us)
{
    const struct timespec ts = {.tv_sec = deadline_us / SECOND_US,
                                .tv_nsec = deadline_us % SECOND_US * 1000};

    return pthread_cond_clockwait(c, lock, CLOCK_MONOTONIC, &ts) == 0;
}

/* False: it was not to be had before deadline_us. */
static inline bool mutex_lock_until(pthread_mutex_t *lock, int64_t deadline_us)
{
#ifdef __SANITIZE_THREAD__ /* gcc 12's knows nothing of pthread_mutex_clocklock */
    const struct timespec pause = {.tv_nsec = 1000000};

    while (pthread_mutex_trylock(lock) != 0) {
        if (mono_us() >= deadline_us)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
#else
    const struct timespec ts = {.tv_sec = deadline_us / SECOND_US,
                                .tv_nsec = deadline_us % SECOND_US * 1000};

    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &ts) == 0;
#endif
}
