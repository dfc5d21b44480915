/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Changing the sets and maps of strings in a record: a new array is made in the arena, the old one
 * may be shared and is left alone. Also the constant maps that rows begin with. Pure.
 */

#include "base/arena.h"
#include "gen/types.h"

/* NULL = absent. */
const char *map_find(const struct map_string_string *m, const char *key);
/* "true" in any case counts; absent = false. */
bool map_is_true(const struct map_string_string *m, const char *key);
/* Adds or replaces. */
void map_set(struct arena *a, struct map_string_string *m, const char *key, const char *value);
void map_remove(struct arena *a, struct map_string_string *m, const char *key);
/* From pairs: {"k", "v", ..., NULL}. */
struct map_string_string map_of(struct arena *a, const char *const *pairs);

bool set_has(const struct set_string *s, const char *value);
void set_add(struct arena *a, struct set_string *s, const char *value);
void set_remove(struct arena *a, struct set_string *s, const char *value);

bool refs_have(const struct set_ref *s, const char *ref);
void refs_add(struct arena *a, struct set_ref *s, const char *ref);
void refs_remove(struct arena *a, struct set_ref *s, const char *ref);

const char *map_find_ref(const struct map_string_ref *m, const char *key);
void map_set_ref(struct arena *a, struct map_string_ref *m, const char *key, const char *ref);
/* All keys that lead to it. */
void map_remove_ref(struct arena *a, struct map_string_ref *m, const char *ref);

/* A reference that points nowhere: "" or OpaqueRef:NULL. */
bool is_null_ref(const char *ref);
