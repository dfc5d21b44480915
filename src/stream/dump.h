/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A database of the XenAPI as XML, as /pool/xmldbdump gives and takes it. Pure.
 *
 *     <database><manifest><pair key="schema_major_vsn" value="5"/> ...</manifest>
 *     <table name="VM"><row ref="OpaqueRef:..." __ctime="12" __mtime="34" uuid="..." .../></table>
 *
 * Columns are those of filters (model/filter.h), values those of model/stored_form.h with their
 * white space written as %. %t %n %r and a percent sign as %%. Fields that are the other end of a
 * relation are not in it. Source: the database of XenAPI servers.
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "gen/classes.h"

/* Of the data model in schema/. */
#define DUMP_SCHEMA_MAJOR 5
#define DUMP_SCHEMA_MINOR 909

/* What is read at most: text, memory it becomes, rows of a table. */
#define DUMP_MAX        (256ll << 20)
#define DUMP_MEMORY_MAX (1ull << 30)
#define DUMP_ROWS_MAX   200000

struct dump_manifest {
    int64_t schema_major;
    int64_t schema_minor;
    int64_t generation;
};

struct dump_row {
    enum class_id class_id;
    const char *ref;
    void *rec;
};

struct dump {
    struct dump_manifest manifest;
    struct VEC(struct dump_row) rows; /* in the order of the text */
};

/* The memory of the rows themselves is the arena's. */
void dump_fini(struct dump *d);

/* ---- writing ---- */

void dump_begin(struct str *out, const struct dump_manifest *m);
void dump_table(struct str *out, enum class_id class_id);
/* created, modified: generations */
void dump_row(struct str *out, enum class_id class_id, const char *ref, const void *rec,
              uint64_t created, uint64_t modified);
void dump_table_end(struct str *out);
void dump_end(struct str *out);

/* ---- reading ---- */

struct dump_reader;

/*
 * Rows of the wanted classes; of the others, of unknown ones, of columns that are unknown or
 * computed nothing is looked at. Columns that are missing have their defaults. wanted and ret live
 * as long as the reader.
 */
struct dump_reader *dump_reader_new(struct arena *a, const bool wanted[CLASS_MAX],
                                    struct dump *ret);
void dump_reader_free(struct dump_reader *r);
/* The next piece of the text. INVALID_VALUE [where, what is wrong]; nothing more is to be read
 * then.
 */
_must_check_ struct error *dump_reader_feed(struct dump_reader *r, const char *text, size_t n);
/* That was all of it. */
_must_check_ struct error *dump_reader_end(struct dump_reader *r);

static inline void cleanup_dump_reader(struct dump_reader **r)
{
    dump_reader_free(*r);
}

#define _cleanup_dump_reader_ _cleanup_(cleanup_dump_reader)
