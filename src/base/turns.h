/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Turns: a mutual exclusion for each of many things known by name (a VM, an SR). Only those in use
 * take memory. Not recursive, no order among waiters. Any thread; blocks.
 *
 *     _cleanup_turn_ struct held_turn t = turn_take(&vms, uuid);
 */

#include "base/map.h"

#include <pthread.h>

#define TURN_NAME_MAX 63 /* longer names share a turn by their beginning */

struct turn;

struct turns {
    pthread_mutex_t lock;
    struct strmap by_name;
};

struct held_turn {
    struct turns *turns;
    struct turn *turn;
};

void turns_init(struct turns *ts);
/* No turn may be held or awaited. */
void turns_fini(struct turns *ts);
struct held_turn turn_take(struct turns *ts, const char *name);
void turn_give(struct held_turn *h);

#define _cleanup_turn_ _cleanup_(turn_give) _unused_
