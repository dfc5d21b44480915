/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Faults put into the daemon on purpose, beneath the checks, to see that they are found. The linker
 * puts them in the place of single functions; nothing in the daemon knows of them.
 */

#include <stdbool.h>
#include <stddef.h>

struct db;
struct db_commit;
struct error;
struct txn;

/* False: there is none of that name. NULL = none. */
bool mutant_choose(const char *name);
/* A line each: name and what it breaks. */
void mutants_list(void);

/* For the checks, which call these where they stand between anyway. */
void mutant_before_commit(struct txn *t);
void mutant_new_life(void);
bool mutant_drops_tombstone(void);
struct error *mutant_db_commit(struct db *db, const struct db_commit *commits, size_t n);
