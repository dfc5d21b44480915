/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* task.cancel and task.destroy. */
#include "api/task/task.h"
#include "base/uuid.h"
#include "gen/msg/task.h"

/* Who asks what, for the map of current operations: the call's task, or a name made up for a call
 * that has none (XenAPI wire rules, DummyRef). */
static const char *asker(const struct call *c)
{
    const char *session = c->session;

    if (*c->task)
        return c->task;
    if (str_starts(session, REF_PREFIX))
        session += strlen(REF_PREFIX);
    return arena_printf(c->arena, "DummyRef:|%s|%s", session, c->msg->name);
}

static void mark(struct call *c, struct task_rec *t, enum task_allowed_operations op)
{
    const struct map_string_enum *old = &t->current_operations;
    const char *key = asker(c);
    const char **k = arena_array(c->arena, const char *, old->n + 1);
    int *v = arena_array(c->arena, int, old->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < old->n; i++) {
        if (streq(old->k[i], key))
            continue;
        k[n] = old->k[i];
        v[n++] = old->v[i];
    }
    k[n] = key;
    v[n++] = (int)op;
    t->current_operations = (struct map_string_enum){.n = n, .k = k, .v = v};
}

/* Does the daemon itself end this task, sooner or later? */
static bool is_ours(const struct task_rec *t)
{
    return *t->plan || str_starts(t->name_label, "Async.");
}

/*
 * A plan hears of it at once. The owner of any other task has to look at current_operations: a
 * client that made the task, or a handler that works on it.
 */
struct error *api_task_cancel(struct call *c, const struct task_cancel_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->task, &t));
    if (task_is_over(t))
        return NULL;
    mark(c, t, TASK_ALLOWED_OPERATIONS_CANCEL);
    c->cancels = a->task;
    return NULL;
}

/* A pending task of ours is only marked: its row goes when the work is done. */
struct error *api_task_destroy(struct call *c, const struct task_destroy_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    if (task_is_over(t) || !is_ours(t))
        return txn_delete_task(c->txn, a->self);
    mark(c, t, TASK_ALLOWED_OPERATIONS_DESTROY);
    return NULL;
}
