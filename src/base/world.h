/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The outside world as a table: clock and randomness come through here, so that a test can own
 * them and a run replays from a seed. Disk, child programs and the other daemon have contracts of
 * their own (db.h, spawn.h, hostd client) that such a test replaces in the same way.
 * Any thread. The table is set once, before threads start.
 */

#include "base/cleanup.h"

#include <stdint.h>

struct world {
    int64_t (*now_us)(void);  /* wall clock, microseconds since 1970 */
    int64_t (*mono_us)(void); /* never goes back, microseconds since some start */
    void (*random)(void *p, size_t n);
};

extern const struct world *world;
extern const struct world world_real;

static inline int64_t now_us(void)
{
    return world->now_us();
}

static inline int64_t now_s(void)
{
    return world->now_us() / 1000000;
}

/* "20260131T120000Z", for names of files. The caller frees. */
char *now_for_names(void);

static inline int64_t mono_us(void)
{
    return world->mono_us();
}

#define SECOND_US 1000000ll
