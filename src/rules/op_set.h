/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sets of operations as bit masks, shared by the rules of all classes. Every operations enum has
 * fewer than 64 values.
 */

#include "base/arena.h"
#include "base/error.h"
#include "gen/types.h"

typedef uint64_t op_mask;

#define OP(op) ((op_mask)1 << (op))

/* Leaves a check that says no; the error is only made if someone wants to know. */
#define REFUSE(ret_why, make_error)                                                                \
    do {                                                                                           \
        if (ret_why)                                                                               \
            *(ret_why) = (make_error);                                                             \
        return false;                                                                              \
    } while (0)

/* The operations under way in a current_operations map. */
op_mask ops_current(const struct map_string_enum *current);

/* OTHER_OPERATION_IN_PROGRESS naming those of the current operations that are in `of`; several are
 * written "{a,b}". */
_malloc_ struct error *err_busy(const char *class_name, const char *ref,
                                const struct map_string_enum *current, op_mask of,
                                const struct enum_info *names);

/* A mask as the value of an allowed_operations field, in the order of the enum. */
void ops_to_set(struct arena *a, op_mask ops, struct set_enum *ret);
