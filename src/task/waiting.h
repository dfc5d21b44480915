/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Waiting without a thread: a call or a plan is woken when a publication touches a class it is
 * interested in, or when its time is up. Used by parked calls (event.from, contention) and by
 * plans that wait for a guest.
 *
 * No wake-up is lost: note waiting_seq() before looking at the store, and give it to waiting_add;
 * if something of interest was published in between, the waiter is woken at once.
 */

#include "base/error.h"
#include "base/list.h"
#include "gen/classes.h"

#include <stdint.h>

struct interest;
struct store;
struct waiting;

struct waiter {
    bool classes[CLASS_MAX];
    /* NULL, or: of these classes what it names, so that a listener to one object sleeps through the
     * changes of others. It may be woken for others all the same. Kept by the owner. */
    const struct interest *only;
    int64_t deadline_us; /* mono_us */
    /* Runs once on the waiting thread, which it must not block; the waiter may be freed or added
     * again in it. */
    void (*wake)(struct waiter *w, bool timed_out);
    /* Instead, on the thread of waiting_stop: nothing will be published any more. */
    void (*leave)(struct waiter *w);
    struct list link;
    bool due, timed_out, kicked; /* the module's; all zero at first */
};

_must_check_ struct error *waiting_new(struct store *store, struct waiting **ret);
/* Ends the thread and lets every waiter leave, also those that were due. NULL is accepted. */
void waiting_stop(struct waiting *w);
/* Stops; before store_close. */
void waiting_free(struct waiting *w);

/* Of those who wait because others are in their way there are at most CONTENDERS_MAX. False: there
 * are too many; else waiting_leave when the wait is over, however it ended. */
#define CONTENDERS_MAX 100
bool waiting_enter(struct waiting *w);
void waiting_leave(struct waiting *w);

uint64_t waiting_seq(struct waiting *w);
/* Was that class touched since? */
bool waiting_touched(struct waiting *w, enum class_id class_id, uint64_t seen_seq);
/* False: stopped, the waiter stays the caller's. Else it may be woken, and freed, at once. */
_must_check_ bool waiting_add(struct waiting *w, struct waiter *waiter, uint64_t seen_seq);
/* True: it was waiting and its wake will not run. */
bool waiting_remove(struct waiting *w, struct waiter *waiter);
/* Wakes it now, as if something of interest had happened; one that does not wait yet, as soon as it
 * does. */
void waiting_kick(struct waiting *w, struct waiter *waiter);
