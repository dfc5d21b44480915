/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Masks of operations and the error that names who is in the way. */
#include "rules/op_set.h"

#include "base/str.h"
#include "gen/errors.h"

op_mask ops_current(const struct map_string_enum *current)
{
    op_mask ops = 0;

    for (size_t i = 0; i < current->n; i++)
        ops |= OP(current->v[i]);
    return ops;
}

static void add_one(struct str *list, const char *text)
{
    if (list->len)
        str_add_char(list, ',');
    str_add(list, text);
}

struct error *err_busy(const char *class_name, const char *ref,
                       const struct map_string_enum *current, op_mask of,
                       const struct enum_info *names)
{
    _cleanup_str_ struct str ops = STR_INIT;
    _cleanup_str_ struct str tasks = STR_INIT;
    _cleanup_str_ struct str all_ops = STR_INIT;
    _cleanup_str_ struct str all_tasks = STR_INIT;
    size_t n = 0;

    for (size_t i = 0; i < current->n; i++) {
        if (!(of & OP(current->v[i])))
            continue;
        add_one(&ops, names->names[current->v[i]]);
        add_one(&tasks, current->k[i]);
        n++;
    }
    if (n == 1)
        return err_other_operation_in_progress(class_name, ref, str_cstr(&ops), str_cstr(&tasks));
    str_printf(&all_ops, "{%s}", str_cstr(&ops));
    str_printf(&all_tasks, "{%s}", str_cstr(&tasks));
    return err_other_operation_in_progress(class_name, ref, str_cstr(&all_ops),
                                           str_cstr(&all_tasks));
}

void ops_to_set(struct arena *a, op_mask ops, struct set_enum *ret)
{
    size_t n = (size_t)__builtin_popcountll(ops);
    int *v = n ? arena_array(a, int, n) : NULL;
    size_t i = 0;

    for (op_mask left = ops; left; left &= left - 1)
        v[i++] = __builtin_ctzll(left);
    *ret = (struct set_enum){n, v};
}
