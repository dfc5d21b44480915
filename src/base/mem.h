/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Allocation that does not fail: running out of memory stops the program. Every program here may
 * be killed at any instruction without losing an answered call, so stopping is the one well-tested
 * answer to exhaustion (docs/decisions/0001-out-of-memory.md). Sizes chosen by a client must be
 * bounded before they get here.
 */

#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

_malloc_ void *xmalloc(size_t size);
_malloc_ void *xcalloc(size_t n, size_t size);
_must_check_ void *xrealloc(void *p, size_t n, size_t size);
_malloc_ char *xstrdup(const char *s);
_malloc_ char *xmemdup0(const char *s, size_t len);
_malloc_ char *xasprintf(const char *fmt, ...) _printf_(1, 2);
_malloc_ char *xvasprintf(const char *fmt, va_list ap) _printf_(1, 0);

#define xnew(type)          ((type *)xcalloc(1, sizeof(type)))
#define xnew_array(type, n) ((type *)xcalloc((n), sizeof(type)))

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static inline bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}
