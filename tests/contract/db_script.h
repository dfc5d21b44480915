/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The whole content of the database follows from its generation: commit g touches object g % 37
 * (creates it; else deletes it every fifth time; else changes it) and the object "last".
 */

#include "db/db.h"

#define N_OBJECTS 37

struct script {
    uint64_t generation;
    uint64_t row_gen[N_OBJECTS]; /* 0 = absent */
    uint64_t created[N_OBJECTS];
    char refs[N_OBJECTS][16];
    char json[2][600];
    struct db_row rows[2];
};

/* The next commit; its rows point into the script. */
struct db_commit script_next(struct script *s);
/* The rows, not the tombstones, that follow from a generation, in the form of dump_text. */
char *script_rows(uint64_t generation);
/* Fails the test unless the database holds exactly what follows from its generation, which is
 * between the two. */
void assert_script(struct db *db, uint64_t at_least, uint64_t at_most);
