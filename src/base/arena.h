/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An arena holds everything that lives as long as one call (or one other piece of work): values
 * are bumped off growing blocks and freed together. One thread at a time.
 */

#include "base/mem.h"

#include <stdint.h>

struct arena_block;
struct arena_hook;

struct arena {
    struct arena_block *block; /* newest first */
    char *next;
    char *end;
    struct arena_hook *hooks;
    size_t used; /* bytes handed out, for limits */
};

void arena_init(struct arena *a);
/* Runs the hooks in reverse order, then frees everything. The arena may be used again. */
void arena_fini(struct arena *a);

/* Takes back everything handed out since the mark, which must be of this arena and its life; runs
 * the hooks added since. For work that is tried again and again within one arena. */
struct arena_mark {
    struct arena_block *block;
    char *next;
    char *end;
    struct arena_hook *hooks;
    size_t used;
};

struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, const struct arena_mark *m);

/* Aligned to 16, not zeroed / zeroed. */
_malloc_ void *arena_alloc(struct arena *a, size_t size);
_malloc_ void *arena_zalloc(struct arena *a, size_t size);
_malloc_ char *arena_strdup(struct arena *a, const char *s);
_malloc_ char *arena_memdup0(struct arena *a, const char *s, size_t len);
_malloc_ void *arena_memdup(struct arena *a, const void *p, size_t size);
_malloc_ char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);

/* Calls fn(p) when the arena ends: for what is not memory (references, descriptors). */
void arena_on_end(struct arena *a, void (*fn)(void *p), void *p);

#define arena_new(a, type)      ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_zalloc((a), (n) * sizeof(type)))
#define _cleanup_arena_         _cleanup_(arena_fini)
