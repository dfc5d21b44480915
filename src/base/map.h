/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * struct strmap: hash table from a string to a pointer. Keys are borrowed: the caller keeps them
 * alive as long as the entry (usually the key lies inside the value). Not thread-safe.
 */

#include "base/mem.h"

#include <stdint.h>

struct strmap_slot {
    const char *key; /* NULL = free, STRMAP_GONE = removed */
    uint64_t hash;
    void *value;
};

struct strmap {
    struct strmap_slot *slots;
    size_t n;    /* live entries */
    size_t used; /* live and removed */
    size_t cap;  /* power of two */
};

void strmap_fini(struct strmap *m);
/* Replaces; returns the value that was there or NULL. */
void *strmap_set(struct strmap *m, const char *key, void *value);
void *strmap_find(const struct strmap *m, const char *key);
void *strmap_find_mem(const struct strmap *m, const char *key, size_t len);
void *strmap_remove(struct strmap *m, const char *key);
/* Iterates in no order: start with *pos = 0, ends with NULL. No change while iterating, except
 * removal of the entry just returned. */
void *strmap_next(const struct strmap *m, size_t *pos, const char **ret_key);

uint64_t hash_mem(const void *p, size_t len);
