/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Calls are counted: of each message, with the time they took; of each caller, which is a program
 * by its own word (the header user-agent) at an address; and for each row of Caller that stands for
 * it. Where a row has a limit (Rate_limit), this also says when a call may run.
 *
 * Kept in memory by one daemon; the one after it begins anew. At most TALLY_CALLERS callers are
 * known, those of the latest calls.
 *
 * Any thread. Messages are counted without a lock; callers under one, held for a look-up.
 */

#include "base/arena.h"

#define TALLY_CALLERS  128
#define TALLY_TEXT_MAX 256 /* longest name of a program kept */

struct bucket;
struct store;
struct tally;

struct tally_caller {
    const char *agent;   /* "" = it told none */
    const char *address; /* "" = local */
    int64_t calls;
    bool has_row; /* a row of Caller stands for it, perhaps for others as well */
};

struct tally_message {
    int64_t calls;
    int64_t us; /* all of them together, from the request to the answer */
};

struct tally_row {
    const char *ref; /* of class Caller */
    int64_t calls;
};

/* Leave for a call to run. */
struct permit {
    struct bucket *bucket; /* counted, NULL = it need not wait */
    int64_t at_us;         /* mono_us */
};

/* messages: how many kinds there are; they are counted by index. */
struct tally *tally_new(size_t messages, struct store *store);
/* Before store_close: it counts on, with the rows as they were. NULL is accepted. */
void tally_stop(struct tally *t);
void tally_free(struct tally *t);

/* t may be NULL: nobody counts. is_known: it has a session. */
void tally_came(struct tally *t, const char *agent, const char *address, bool is_known,
                struct permit *ret);
void tally_ended(struct tally *t, size_t message, int64_t us);

/* Must the call still wait? Asks for limits that were changed meanwhile: who waits because of such
 * a one goes. */
bool tally_must_wait(struct tally *t, const struct permit *p);
void permit_fini(struct permit *p);

/* Copies, the latest caller first; from a. */
size_t tally_callers(struct tally *t, struct arena *a, struct tally_caller **ret);
/* Those without a row for them alone that called, with a session, since this was last asked. */
size_t tally_new_callers(struct tally *t, struct arena *a, struct tally_caller **ret);
/* n of them, as many as there are. */
struct tally_message *tally_messages(struct tally *t, struct arena *a, size_t n);
/* Of each row of Caller, in no order. */
size_t tally_rows(struct tally *t, struct arena *a, struct tally_row **ret);
/* References of the rows whose callers called since this was last asked. */
size_t tally_rows_called(struct tally *t, struct arena *a, const char ***ret);
