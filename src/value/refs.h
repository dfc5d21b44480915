/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* References within values: one for another, wherever they stand. Pure functions. */

#include "value/value.h"

struct ref_mapping {
    /* What takes the place of a reference to a class (0 = of no class in particular). The text must
     * live as long as the value. */
    const char *(*fn)(void *ctx, unsigned class_id, const char *ref);
    void *ctx;
    bool drop_null; /* members of sets and maps that became the null reference go */
};

/* The value itself is changed; arrays in it may be shared, so new ones are made in the arena. */
void value_map_refs(struct arena *a, const struct type *t, void *p, const struct ref_mapping *m);
void record_map_refs(struct arena *a, const struct struct_info *si, void *rec,
                     const struct ref_mapping *m);
