/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Operations on values described by a struct type or struct struct_info: zero, deep copy, compare,
 * and one-block records. Pure functions; any thread.
 */

#include "base/arena.h"
#include "value/type.h"

/* Most fields a record may have; the generator refuses more. */
#define RECORD_MAX_FIELDS 256

struct field_mask {
    uint64_t w[RECORD_MAX_FIELDS / 64];
};

static inline bool field_mask_has(const struct field_mask *m, int field)
{
    return m->w[field / 64] >> (field % 64) & 1;
}

static inline void field_mask_add(struct field_mask *m, int field)
{
    m->w[field / 64] |= (uint64_t)1 << (field % 64);
}

bool field_mask_empty(const struct field_mask *m);

/* The zero value: "", REF_NULL, 0, empty, the first enum value, absent. */
void value_zero(const struct type *t, void *p);
/* Whether it is that; never for floats, enums, records and opaque JSON. */
bool value_is_zero(const struct type *t, const void *p);
/* Deep copy; dst's memory is the arena's. */
void value_copy(struct arena *a, const struct type *t, void *dst, const void *src);
/* Sets and maps are equal if they hold the same in the same order; opaque JSON by content. */
bool value_equal(const struct type *t, const void *a, const void *b);

/* A fresh record with the defaults of its class or argument list, in the arena. What the defaults
 * point to is shared and constant. */
void *record_new(struct arena *a, const struct struct_info *si);
/* Deep copy, with the `self` text of class records (has_self). */
void *record_copy(struct arena *a, const struct struct_info *si, const void *src);
/*
 * Deep copy into one malloc block: `header` bytes (zeroed, aligned to 16) for the caller, then the
 * record, then all it points to. *ret_record points into the block. ret_size may be NULL. Freed
 * with free(). No opaque JSON (K_ANY) inside: its owner could go first.
 */
void *record_flatten(const struct struct_info *si, const void *src, size_t header,
                     void **ret_record, size_t *ret_size);
/* Bytes that a value takes beside its own place: texts, elements, what those point to. */
size_t value_extent(const struct type *t, const void *p);
/* The fields whose values differ; `self` is not looked at. */
struct field_mask record_diff(const struct struct_info *si, const void *a, const void *b);

static inline const void *field_at(const struct field *f, const void *record)
{
    return (const char *)record + f->offset;
}

static inline void *field_at_mut(const struct field *f, void *record)
{
    return (char *)record + f->offset;
}

/* Index of a field by wire name / by column name, -1 = none. */
int field_find(const struct struct_info *si, const char *name);
/* Shallow copy of the fields that both have, by wire name (a constructor's into its class). */
void record_take(const struct struct_info *si, void *rec, const struct struct_info *from_si,
                 const void *from);
int field_find_column(const struct struct_info *si, const char *column);

/* Convenience for maps and sets of strings. */
const char *map_string_find(const struct map *m, const char *key); /* NULL = absent */
bool set_string_has(const struct set *s, const char *value);
