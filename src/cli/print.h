/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What commands print, in the layout that scripts read: records with right-aligned keys and two
 * empty lines behind each, plain lines, and with --minimal values joined by commas in one line.
 * With --json the output is one array: an object for each record, a text for each line.
 * Everything is gathered and written by print_flush.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/front.h"
#include "value/json.h"

struct cell {
    char *key; /* "uuid ( RO)" */
    char *value;
    json_t *typed; /* for --json, NULL = the value as a text; owned */
};

struct record VEC(struct cell);

struct printer {
    struct front *front; /* borrowed; NULL = for `out` alone */
    bool minimal;
    bool json; /* instead: everything in one array, written by print_end */
    json_t *all;
    struct str out;
    struct VEC(char *) groups; /* minimal: one for each table or list, joined in reverse */
    struct str group;          /* minimal: the table under way */
    bool in_table;
    bool has_record;
    bool lacks_cells; /* a record of the table under way is empty */
};

void record_fini(struct record *r);
/* Copies both. */
void record_add(struct record *r, const char *key, const char *value);
/* The same, with what --json shows; takes typed. */
void record_add_typed(struct record *r, const char *key, const char *value, json_t *typed);

void printer_fini(struct printer *p);
/* A table is begun, filled record by record, and ended. */
void print_table(struct printer *p);
void print_record(struct printer *p, const struct record *r);
void print_table_end(struct printer *p);
/* A table of one record. */
void print_one(struct printer *p, const struct record *r);
/* One line each. */
void print_lines(struct printer *p, const char *const *lines, size_t n);
void print_line(struct printer *p, const char *line);
/* A sentence: nothing with --minimal. */
void print_sentence(struct printer *p, const char *fmt, ...) _printf_(2, 3);
/* A line that appears at once and whatever --minimal says: questions, what a dialogue tells. With
 * --json it is no part of the output. */
void print_now(struct printer *p, const char *fmt, ...) _printf_(2, 3);
/* At the end of a command that succeeded: closes the line of --minimal, or the array of --json. */
void print_end(struct printer *p);
/* Writes what was gathered. */
_must_check_ struct error *print_flush(struct printer *p);
