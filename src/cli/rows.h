/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Rows of classes as far as a command needs them. First it says which fields of which class it will
 * look at (table_want), then rows are fetched: all of a class in one call, or one by one. Values
 * are slices of the answers, which live as long as the store. One thread.
 */

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "cli/session.h"
#include "cli/skim.h"

struct row {
    const char *ref;
    struct slice v[]; /* by the number table_want gave */
};

struct table {
    const char *cls;
    struct VEC(const char *) wanted;
    struct VEC(struct row *) rows; /* in the order of the server */
    struct strmap by_ref;          /* of the first n_indexed rows */
    size_t n_indexed;
    size_t n_single;  /* rows fetched one by one */
    bool is_loaded;   /* all of them */
    const char *only; /* a filter of the server's: no other rows are fetched; NULL = all */
    struct VEC(struct str) texts;
};

struct store {
    struct client *c;
    struct arena arena;
    struct VEC(struct table *) tables;
};

void store_init(struct store *s, struct client *c);
void store_fini(struct store *s);

/* The table of a class, made at need. The name is borrowed. */
struct table *store_table(struct store *s, const char *cls);
/* Number of a field within rows. The name is borrowed. No row may have been fetched yet, unless
 * the field was wanted before. */
size_t table_want(struct table *t, const char *field);
/* The same for a class that turns up while rows are shown: those that lack the field are fetched
 * again. */
size_t table_want_late(struct table *t, const char *field);
_must_check_ struct error *table_load(struct store *s, struct table *t);
/* All rows of all tables there are, in one round trip; none has been fetched yet. */
_must_check_ struct error *store_load(struct store *s);
/* Fetches one row; HANDLE_INVALID if there is none. */
_must_check_ struct error *table_load_one(struct store *s, struct table *t, const char *ref,
                                          const struct row **ret);
/* A row by reference, fetched at need. NULL: there is no such object. */
_must_check_ struct error *table_find(struct store *s, struct table *t, struct slice ref,
                                      const struct row **ret);
