/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which rows began in memory only, in a file that a killed program leaves behind: the next one can
 * tell listeners of the runs before it which of them are gone. The file is mapped, so a note costs
 * a copy and no system call. What is noted survives the program at any moment, and the machine
 * after an orderly close.
 *
 * Inside of the store; its lock is held for each call.
 */

#include "model/store.h"

struct object;
struct soft_rows;

/* With all rows of the store loaded. A file that is none, or of a machine that went down, begins
 * anew. */
_must_check_ struct error *soft_rows_open(const char *path, struct store *s,
                                          struct soft_rows **ret);
/* NULL is accepted here and below: nothing is noted, nothing is known. */
void soft_rows_close(struct soft_rows *r);

/* A row was published for the first time, in memory only. */
void soft_rows_born(struct soft_rows *r, struct object *o);
/* A row was deleted, whether it is in memory only still or not. */
void soft_rows_gone(struct soft_rows *r, const struct object *o, uint64_t stamp);

/* Is it known what a listener at that place of an earlier run has missed? */
bool soft_rows_know(const struct soft_rows *r, const struct token *since);
/* Calls fn for each row it knew that is gone. Texts live as long as the lock is held. */
void soft_rows_each_gone(const struct soft_rows *r, const struct token *since, void *ctx,
                         void (*fn)(void *ctx, enum class_id class_id, const char *ref));
