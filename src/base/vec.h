/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Typed vectors: `struct VEC(int) v = {0}; vec_add(&v, 3); vec_foreach(x, &v) use(*x);`
 * Elements move when the vector grows. vec_fini frees the array, not what elements point to.
 */

#include "base/mem.h"

#define VEC(type)                                                                                  \
    {                                                                                              \
        type *v;                                                                                   \
        size_t n;                                                                                  \
        size_t cap;                                                                                \
    }

#define vec_reserve(vec, count)                                                                    \
    do {                                                                                           \
        if ((vec)->cap < (count)) {                                                                \
            (vec)->cap = MAX((size_t)(count), (vec)->cap * 2 + 4);                                 \
            (vec)->v = xrealloc((vec)->v, (vec)->cap, sizeof(*(vec)->v));                          \
        }                                                                                          \
    } while (0)

#define vec_add(vec, ...)                                                                          \
    do {                                                                                           \
        vec_reserve((vec), (vec)->n + 1);                                                          \
        (vec)->v[(vec)->n++] = (__VA_ARGS__);                                                      \
    } while (0)

/* Order is not kept. */
#define vec_remove_fast(vec, index)                                                                \
    do {                                                                                           \
        (vec)->v[index] = (vec)->v[--(vec)->n];                                                    \
    } while (0)

#define vec_foreach(it, vec)                                                                       \
    for (__typeof__(&*(vec)->v) it = (vec)->v; it && it < (vec)->v + (vec)->n; it++)

#define vec_fini(vec)                                                                              \
    do {                                                                                           \
        free((vec)->v);                                                                            \
        (vec)->v = NULL;                                                                           \
        (vec)->n = (vec)->cap = 0;                                                                 \
    } while (0)
