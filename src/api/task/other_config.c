/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other_config of a task: explicit calls in the XenAPI, since only its owner may change it. */
#include "api/common/lists.h"
#include "api/task/task.h"
#include "gen/msg/task.h"

struct error *api_task_add_to_other_config(struct call *c,
                                           const struct task_add_to_other_config_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    if (map_find(&t->other_config, a->key))
        return err_map_duplicate_key("task", "other_config", a->self, a->key);
    map_set(c->arena, &t->other_config, a->key, a->value);
    return NULL;
}

struct error *api_task_remove_from_other_config(struct call *c,
                                                const struct task_remove_from_other_config_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    map_remove(c->arena, &t->other_config, a->key);
    return NULL;
}

struct error *api_task_set_other_config(struct call *c, const struct task_set_other_config_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    t->other_config = a->value;
    return NULL;
}
