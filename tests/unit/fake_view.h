/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A view made by hand: the rules are linked with this instead of the model. */

#include "base/error.h"
#include "gen/types.h"
#include "model/view.h"

#define FAKE_ROWS_MAX 64

struct fake_row {
    enum class_id class_id;
    const void *rec; /* its first member is the reference */
};

struct view {
    struct fake_row rows[FAKE_ROWS_MAX];
    size_t n;
};

/* Adds a row; rec must live as long as the view. */
void fake_add(struct view *v, enum class_id class_id, const void *rec);

/* Literals for the typed sets and maps. */
#define REFS(...)                                                                                  \
    (struct set_ref)                                                                               \
    {                                                                                              \
        sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *const[])              \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define CONFIG(key, value)                                                                         \
    (struct map_string_string)                                                                     \
    {                                                                                              \
        1, (const char *const[]){key}, (const char *const[])                                       \
        {                                                                                          \
            value                                                                                  \
        }                                                                                          \
    }
#define BUSY(task, op)                                                                             \
    (struct map_string_enum)                                                                       \
    {                                                                                              \
        1, (const char *const[]){task}, (const int[])                                              \
        {                                                                                          \
            op                                                                                     \
        }                                                                                          \
    }

/* Checks code and parameters (joined by "|") of an error and frees it. NULL code = no error. */
#define assert_refusal(e, code, params)                                                            \
    fake_assert_refusal((e), (code), (params), __FILE__, __LINE__)
void fake_assert_refusal(struct error *e, const char *code, const char *params, const char *file,
                         int line);
/* The names in an allowed_operations value, joined by blanks, in a buffer reused by each call. */
const char *fake_names(const struct set_enum *ops, const struct enum_info *names);
