/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Transactions of our own inside the daemon, on a handful of rows that they create, change and
 * delete depending on what they find: everything a body of a call may do to the store, at a rate
 * that no call reaches.
 */

#include "simulation/random.h"

/* In every life of the daemon from now on, `n` threads, `commits` commits each. */
void bodies_start(struct chance *chance, unsigned n, unsigned commits);
void bodies_end(void);
/* The daemon stops in order: its threads end, and it waits for that. */
void bodies_leave(void);
void bodies_killed(void);
