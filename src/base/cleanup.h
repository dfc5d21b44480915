/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Scope-bound clean-up and hand-over of locals (GNU attributes), and small language helpers.
 * `_cleanup_(f)` runs f(&local) when the local leaves its scope; TAKE_PTR/TAKE_FD hand the value
 * to someone else and disarm the clean-up.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* clang 14 calls a local that only waits for its clean-up unused. */
#define _cleanup_(f)         __attribute__((cleanup(f), unused))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _must_check_         __attribute__((warn_unused_result))
#define _unused_             __attribute__((unused))
#define _noreturn_           __attribute__((noreturn))
#define _nonnull_            __attribute__((nonnull))
#define _malloc_             __attribute__((malloc, returns_nonnull, warn_unused_result))

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))

#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int take_ = (fd);                                                                          \
        (fd) = -1;                                                                                 \
        take_;                                                                                     \
    })

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

/* Closes and forgets; keeps errno, accepts -1. */
void cleanup_close(int *fd);
void cleanup_fclose(FILE **f);
void cleanup_closedir(DIR **d);

#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)
