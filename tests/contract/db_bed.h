/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of db.h share: a folder for their files, content as text, short commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/vec.h"
#include "db/db.h"

/* Group fixtures: a folder for new_path, removed with all in it. */
int make_dir(void **state);
int remove_dir(void **state);
/* Of a file that does not exist yet; the caller frees. */
char *new_path(void);
const char *test_dir(void);

void assert_ok(struct error *e);
/* The error is there and its text has the part; frees it. */
void assert_error(struct error *e, const char *part);

struct dump {
    struct VEC(char *) lines;
    uint64_t generation;
};

struct error *dump_row(void *ctx, const char *class_name, const char *ref, uint64_t generation,
                       uint64_t created, const char *json, size_t json_len);
struct error *dump_tombstone(void *ctx, const char *class_name, const char *ref,
                             uint64_t generation, uint64_t created);
/* All that a load reports: "at GENERATION", then a sorted line for each row ("CLASS REF GENERATION
 * CREATED JSON") and each tombstone ("~CLASS REF GENERATION CREATED"). */
char *dump_text(struct db *db);
int by_text(const void *a, const void *b);

struct db_row put(const char *ref, uint64_t expect, uint64_t created, const char *json);
struct db_row gone(const char *ref, uint64_t expect, uint64_t created);
struct db_commit commit_of(uint64_t generation, const struct db_row *rows, size_t n);
struct error *try_row(struct db *db, uint64_t generation, struct db_row row);
void commit_row(struct db *db, uint64_t generation, struct db_row row);
