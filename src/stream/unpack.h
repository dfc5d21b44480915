/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A stream of bytes that may be compressed, by gzip or zstd, as its first bytes say; anything else
 * is taken as it is. How much comes out is the caller's to limit. One thread.
 * Sources: RFC 1952, RFC 8878.
 */

#include "base/error.h"

/* Where the bytes come from: at least one, *ret_n 0 = the end. */
struct unpack_source {
    struct error *(*fn)(void *ctx, void *p, size_t n, size_t *ret_n);
    void *ctx;
};

struct unpack;

struct unpack *unpack_new(const struct unpack_source *source);
void unpack_free(struct unpack *u);
/* As many as are wanted, fewer only at the end. A compressed stream that is broken or cut is an
 * error. */
_must_check_ struct error *unpack_read(struct unpack *u, void *p, size_t n, size_t *ret_n);

static inline void cleanup_unpack(struct unpack **u)
{
    unpack_free(*u);
}

#define _cleanup_unpack_ _cleanup_(cleanup_unpack)
