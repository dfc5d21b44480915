/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A database file and its write-ahead log as bytes, read without SQLite and without locks: to see
 * what SQLite would pass over in silence, to copy the two while another program writes to them, and
 * to save rows from files that SQLite will not open.
 *
 * Formats: SQLite's "Database File Format" (version 3 files, pages and records), section 4 for the
 * write-ahead log.
 *
 * SQLite uses a log up to its last complete commit and takes everything behind the first frame with
 * a wrong checksum for what a power cut left. Only the last commit can have been cut off, since
 * each is flushed before the next is written. Frames of a further commit behind a broken one
 * therefore mean damage, and answered commits that would be lost; `lost` says so.
 *
 * An image holds both files in memory. It may be read by any number of threads.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdint.h>

struct wal_frame {
    uint32_t page; /* number, from 1 */
    bool ours;     /* of the present round of the log */
    bool sound;    /* its checksum continues the one before it */
    bool commits;  /* the last one of a commit */
    const unsigned char *data;
};

struct db_image {
    struct str file;
    struct str wal;
    uint32_t page_size;
    struct VEC(struct wal_frame) frames;
    char *lost;                   /* commits that SQLite would pass over: why. NULL = none */
    const unsigned char **newest; /* by page number - 1; NULL = of the file */
    uint32_t n_pages;
};

/* One moment of the two files, also while they are written to. No file, no log: ENOENT. */
_must_check_ struct error *db_image_read(const char *path, struct db_image *ret);
void db_image_fini(struct db_image *img);
/* The newest state of a page, NULL where the files end before. Beside what SQLite would use, this
 * is also of commits behind a broken one. */
const unsigned char *db_image_page(const struct db_image *img, uint32_t number);
/* Writes the two as they were read, durably, for the owner alone; existing ones are replaced. */
_must_check_ struct error *db_image_write(const struct db_image *img, const char *path);

#define _cleanup_db_image_ _cleanup_(db_image_fini)

/* One column of a record. Text and blobs lie in the record. */
enum column_kind { COLUMN_NULL, COLUMN_INT, COLUMN_TEXT, COLUMN_OTHER };
struct column {
    enum column_kind kind;
    int64_t i;
    const char *text;
    size_t len;
};

#define RECORD_COLUMNS_MAX 12

struct page_entry {
    bool index; /* a key of an index, not a row of a table */
    int64_t rowid;
    int n; /* columns, at most RECORD_COLUMNS_MAX */
    struct column columns[RECORD_COLUMNS_MAX];
};

/*
 * Gives every entry of a page that can be made out. A page that holds none, or is broken, gives
 * none or fewer: false = its structure is not that of a page of rows or keys.
 */
bool db_image_entries(const struct db_image *img, uint32_t number, void *ctx,
                      void (*fn)(void *ctx, const struct page_entry *e));
/* Pages on the list of free ones, as far as it can be followed, are marked (by number - 1). */
void db_image_free_pages(const struct db_image *img, bool *marks);
