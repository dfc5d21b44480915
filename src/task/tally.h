/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How many calls there were: of each message, with the time they took, and of each caller, which is
 * a program by its own word (the header user-agent) at an address. Kept in memory by one daemon;
 * the one after it begins anew. At most TALLY_CALLERS are known, those of the latest calls.
 *
 * Any thread; one lock, held for a look-up.
 */

#include "base/arena.h"

#define TALLY_CALLERS  128
#define TALLY_TEXT_MAX 256 /* longest name of a program kept */

struct tally;

struct tally_caller {
    const char *agent;   /* "" = it told none */
    const char *address; /* "" = local */
    int64_t calls;
};

struct tally_message {
    int64_t calls;
    int64_t us; /* all of them together, from the request to the answer */
};

/* messages: how many kinds there are; they are counted by index. */
struct tally *tally_new(size_t messages);
void tally_free(struct tally *t);

/* t may be NULL: nobody counts. */
void tally_came(struct tally *t, const char *agent, const char *address);
void tally_ended(struct tally *t, size_t message, int64_t us);

/* Copies, the latest caller first; from a. */
size_t tally_callers(struct tally *t, struct arena *a, struct tally_caller **ret);
/* n of them, as many as there are. */
struct tally_message *tally_messages(struct tally *t, struct arena *a, size_t n);
