/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Rows of Caller as rules: which programs at which addresses each stands for, and which limit holds
 * for them. A limit (a row of Rate_limit) is a bucket: it holds burst_size tokens and gets
 * fill_rate a second; a call takes one. All callers of a limit share its bucket.
 *
 * A pattern is a text, a beginning with '*' behind it, or "", which is anything. Of several rules
 * that fit, the one that says most decides on the limit; each of them counts.
 *
 * No locking of its own, but for a bucket's `over` and count of references: any thread.
 */

#include "base/vec.h"
#include "model/store.h"

struct bucket {
    atomic_uint refs;
    char *row; /* reference */
    double size, fill;
    double tokens; /* below 0: so many calls wait for theirs */
    int64_t filled_us;
    atomic_bool over; /* the row was changed or is gone: nobody has to wait any more */
};

struct rule {
    char *row; /* reference */
    char *agent, *address;
    struct bucket *bucket; /* counted, NULL = no limit */
    int64_t calls, noted;  /* noted: of them, when this was last asked for (tally_rows_called) */
};

struct rules {
    struct VEC(struct rule) list; /* who says most first */
};

/* Made anew from the rows; counts and buckets of rows that are as they were go on. */
void rules_read(struct rules *r, struct store *store);
void rules_fini(struct rules *r);
bool rule_fits(const struct rule *r, const char *agent, const char *address);
/* It stands for one program at one address. */
bool rule_names_one(const struct rule *r);
/* The text stands for itself alone when it is taken for a pattern. */
bool pattern_is_whole(const char *pattern);

/* Takes a token. Returns when the call may run (mono_us): now, or when there will be one for it and
 * for all who wait already. */
int64_t bucket_take(struct bucket *b, int64_t now);
struct bucket *bucket_ref(struct bucket *b);
void bucket_unref(struct bucket *b); /* NULL is accepted */
