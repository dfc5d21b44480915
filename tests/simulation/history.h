/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The history checker. It watches every transaction from outside (the linker puts it between bodies
 * and the store, and between the store and the database) and keeps an account of its own, by the
 * content of records:
 *
 *   - serializable: the order in which commits are staged is the witness. Everything a committed
 *     transaction read, absence and membership included, is what the newest commit before it left.
 *   - durable: after a kill or a power cut the database holds exactly the commits up to some point,
 *     whole groups only, and that point is not before the last commit anybody was told of.
 *   - published: what listeners may see at a place of the feed (history_at).
 *
 * A violation ends the run (fail.h).
 */

#include "gen/classes.h"
#include "model/version.h"

/* Soft state and versions begin anew with each life of the daemon. */
void history_daemon_gone(void);

struct history_stats {
    unsigned long commits, laters, reads, absences, scans, conflicts, loads, rows;
};

struct history_stats history_stats(void);

/* ---- what was published ---- */

/* The objects as of a stamp of this life of the daemon, followed by one who only moves on. */
struct published;

/* Which life of the daemon the feed is of (store.h, token.epoch). */
uint64_t published_epoch(void);

struct published *published_new(void);
void published_free(struct published *p);
/* Moves on to the stamp; the references touched on the way are in touched/n until the next call.
 * *ret_all: another life began meanwhile, so that everything may have changed. */
void published_move(struct published *p, uint64_t stamp, const char *const **touched, size_t *n,
                    bool *ret_all);
/* When the first change of the last move was published; SCHED_NEVER = there was none. */
int64_t published_oldest(const struct published *p, const bool classes_wanted[CLASS_MAX]);
struct version *published_find(struct published *p, const char *ref); /* borrowed or NULL */
size_t published_count(struct published *p, const bool classes_wanted[CLASS_MAX]);
/* All references, NULL-terminated; until the next call. */
const char *const *published_refs(struct published *p);
