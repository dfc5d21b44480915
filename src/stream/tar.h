/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Heads of tar archives, written and read: plain files in the ustar form, which every reader knows.
 * Pure. Source: POSIX.1 pax, "ustar Interchange Format".
 *
 *     head, contents, zeroes up to a whole block; ...; two blocks of zeroes
 */

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

#define TAR_BLOCK    512
#define TAR_NAME_MAX 255

struct tar_member {
    char name[TAR_NAME_MAX + 2];
    int64_t size; /* of the contents, without what fills the last block */
    char type;    /* '0' = a plain file */
};

/* Head of a plain file; name: at most 100 bytes. mtime: seconds since 1970. */
void tar_add_head(struct str *out, const char *name, int64_t size, int64_t mtime);
/* What follows contents of that size. */
void tar_add_padding(struct str *out, int64_t size);
void tar_add_end(struct str *out);
/* All three, for contents in memory. */
void tar_add_file(struct str *out, const char *name, const void *p, size_t n, int64_t mtime);

/* Bytes that fill the last block. */
static inline size_t tar_padding(int64_t size)
{
    return (size_t)(-(uint64_t)size % TAR_BLOCK);
}

/* *ret_end: a block of zeroes, with which archives end. Refuses what is no head (a wrong sum, too),
 * and sizes beyond the 8 GiB of the form. */
_must_check_ struct error *tar_read_head(const unsigned char block[TAR_BLOCK],
                                         struct tar_member *ret, bool *ret_end);
