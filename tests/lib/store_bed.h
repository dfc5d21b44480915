/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A store in memory with one transaction at a time, for tests of the store. One thread. */

#include "model/txn.h"

struct bed {
    struct store *store;
    struct arena a;
    struct txn *t;
};

/* The commits of these functions: not a client's. */
extern const struct commit_info bed_info;

/* For cmocka: *state is a struct bed. */
int bed_setup(void **state);
int bed_teardown(void **state);

/* A fresh transaction; what the last one had and did not commit is dropped. */
void begin(struct bed *b);
/* Commits, which must work, and begins anew. */
void commit_ok(struct bed *b);
/* A new VM's reference, not committed. */
const char *make_vm(struct bed *b, const char *name);
