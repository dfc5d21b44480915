/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything that is left to chance in a simulation, from its seed (SplitMix64). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t chance_below(struct chance *c, uint64_t n)
{
    return n ? chance_next(c) % n : 0;
}

/* True in `n` of `of` cases. */
static inline bool chance_in(struct chance *c, unsigned n, unsigned of)
{
    return n && chance_below(c, of) < n;
}

static inline int64_t chance_between(struct chance *c, int64_t from, int64_t to)
{
    return from + (int64_t)chance_below(c, (uint64_t)(to - from) + 1);
}
