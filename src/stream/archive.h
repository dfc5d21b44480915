/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An archive of files made in memory, as it goes out: tar, plain or compressed, or zip. One thread.
 * Sources: POSIX.1 ustar; PKWARE APPNOTE (zip, without its 64-bit extensions).
 */

#include "base/error.h"

#include <stdint.h>

enum archive_format { ARCHIVE_TAR, ARCHIVE_TAR_GZ, ARCHIVE_TAR_BZ2, ARCHIVE_ZIP };

/* Where the bytes go. */
struct archive_sink {
    struct error *(*fn)(void *ctx, const char *p, size_t n);
    void *ctx;
};

struct archive;

/* mtime: of all files, seconds since 1970. */
struct archive *archive_new(enum archive_format format, int64_t mtime,
                            const struct archive_sink *sink);
void archive_free(struct archive *a);
/* name: at most 100 bytes; n: less than 2 GiB. */
_must_check_ struct error *archive_add(struct archive *a, const char *name, const char *p,
                                       size_t n);
_must_check_ struct error *archive_end(struct archive *a);

static inline void cleanup_archive(struct archive **a)
{
    archive_free(*a);
}

#define _cleanup_archive_ _cleanup_(cleanup_archive)
