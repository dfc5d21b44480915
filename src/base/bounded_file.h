/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A file to which other programs append, and which cannot grow beyond BOUNDED_FILE_ROOM bytes even
 * if nobody is left to watch: no limit of a process and no quota holds for one file of many, but
 * each file system knows a largest size. Shortly before that the contents begin, with nothing but a
 * hole in front; who goes on appending is refused (EFBIG).
 *
 * Threads: anybody may read while others append.
 */

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

/* The contents begin at a multiple of this. */
#define BOUNDED_FILE_ROOM (1ll << 20)

/* Before others open it for appending; one that is there is kept. */
_must_check_ struct error *bounded_file_make(const char *path);
/* Where the contents of an open one begin. */
off_t bounded_file_start(int fd);
/* Forgets the contents: the next byte appended is the first again. */
bool bounded_file_cut(int fd);
/* The last bytes of the contents, at most max of them, added to ret. */
_must_check_ struct error *bounded_file_tail(const char *path, size_t max, struct str *ret);
