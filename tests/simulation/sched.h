/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The threads of the simulated programs are fibers of one real thread. One runs at a time; at every
 * point where it could lose the processor (a lock, a wake-up, a wait, a flush, an answer) the seed
 * decides who goes on. Time is virtual: a step costs a few microseconds, and when nobody can run it
 * jumps to the nearest deadline. When there is none either, that is a deadlock.
 *
 * A group is one life of a program. Killing it means that its fibers never run again; what they
 * held stays held, as with memory that is gone.
 *
 * threads.c puts this beneath the pthread functions that the programs call.
 */

#include "simulation/random.h"

#define SCHED_NEVER INT64_MAX
#define GROUP_WORLD 0 /* clients, checks, the one who kills */
#define GROUP_MAX   64

struct fiber;

struct sched_config {
    uint64_t seed;
    unsigned stay;     /* at a point, go on in (stay - 1) of stay cases; 1 = always draw */
    unsigned spurious; /* of 1000 waits for a condition, how many end for no reason */
};

/* The caller becomes the first fiber, of GROUP_WORLD. */
void sched_init(const struct sched_config *c);

struct fiber *sched_spawn(int group, const char *name, void *(*fn)(void *arg), void *arg);
int sched_group_new(const char *name);
/* Group of the running fiber: what it starts belongs there too. */
int sched_group(void);
void sched_kill(int group);
bool sched_is_dead(int group);
/* Fibers of the group that have not ended. */
size_t sched_count(int group);
void sched_name(struct fiber *f, const char *name);
const char *sched_my_name(void);
unsigned sched_my_id(void);
struct fiber *sched_self(void);

/* Another may go on here. */
void sched_point(void);
/* While held, nobody else runs: for checks that must not disturb. Nests. */
void sched_hold(bool on);
/* Until sched_wake_*(on) or the deadline (false). `why` is shown when all stand still. */
bool sched_block(const void *on, int64_t deadline_us, const char *why);
void sched_wake_one(const void *on); /* any of them */
void sched_wake_all(const void *on);
void sched_sleep(int64_t us);
/* Until that many steps have been made; runs then before all others. One fiber at a time. */
void sched_until_step(uint64_t step);
void sched_hurry(void); /* that step is now */
uint64_t sched_steps(void);
/* NULL while it runs; what it returned is in *ret. */
bool sched_ended(const struct fiber *f, void **ret);
void sched_release(struct fiber *f); /* of an ended fiber, or one nobody will ask about */

int64_t sched_now_us(void); /* since the start of the simulation */
struct chance *sched_chance(void);
bool sched_spurious(void);

/* Every fiber with where it stands, to standard error. */
void sched_dump(void);
void sched_dump_me(void); /* only the running one's */

/* The trace: everything that happened, as a number. Same seed, same number. */
void trace_add(const void *p, size_t n);
void trace_text(const char *text);
uint64_t trace_digest(void);
void trace_to(const char *file); /* the whole of it, too */
