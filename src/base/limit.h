/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Limits that a test would have to wait for, or to fill: it gives a lower one in the environment.
 * In builds without XENOLITH_TEST_HOOKS they are what they are. Any thread.
 */

#include <stdint.h>
#include <stdlib.h>

/* In the unit of usual. */
static inline int64_t limit_of(const char *name, int64_t usual)
{
#ifdef XENOLITH_TEST_HOOKS
    const char *lower = getenv(name);

    if (lower)
        return strtoll(lower, NULL, 10);
#endif
    return usual;
}
