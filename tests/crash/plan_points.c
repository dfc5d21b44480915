/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints every boundary of every plan, a line each: what the crash test has to meet. Behind a tab
 * the step that must fail on the way, if any. */
#include "api/plans.h"
#include "task/engine.h"

/* The last step that can fail so that this one is undone. */
static const char *fails(const struct plan_type *type, const char *step)
{
    bool seen = false;

    for (int i = 0; i < type->n_steps; i++) {
        seen |= streq(type->steps[i].name, step);
        if (seen && type->steps[i].keeps)
            return type->steps[i].name;
    }
    return type->steps[type->n_steps - 1].name;
}

static void print(void *ctx, const char *step, const char *point)
{
    const struct plan_type *type = ctx;
    bool undoing = streq(point, "undo") || streq(point, "unrecord") || streq(step, "end");

    printf("%s/%s/%s\t%s\n", type->name, step, point,
           streq(point, "turn") ? step
           : undoing            ? fails(type, step)
                                : "");
}

int main(void)
{
    for (size_t i = 0; plan_types[i]; i++)
        plan_type_points(plan_types[i], (void *)(uintptr_t)plan_types[i], print);
    return 0;
}
