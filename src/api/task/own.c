/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks that clients make for work of their own, and report on. */
#include "api/task/task.h"
#include "base/world.h"
#include "gen/class/session.h"
#include "gen/msg/task.h"
#include "gen/roles.h"
#include "task/task_row.h"

#include <math.h>

#define TASKS_OF_A_SESSION 1000

static bool may_touch_any(const struct call *c)
{
    if (c->superuser)
        return true;
    for (int i = 0; i < extra_permissions_n; i++)
        if (streq(extra_permissions[i].name, "task.destroy/any"))
            return (extra_permissions[i].roles & c->roles) != 0;
    return false;
}

struct error *task_edit_owned(struct call *c, const char *ref, struct task_rec **ret)
{
    const struct task_rec *t;

    TRY(txn_task(c->txn, ref, &t));
    if (!streq(t->session_user, c->user) && !may_touch_any(c))
        return error_api(ERR_RBAC_PERMISSION_DENIED, 2, "task.destroy/any",
                         "No permission in user session: the task belongs to somebody else");
    return txn_edit_task(c->txn, ref, ret);
}

/* One session does not fill the table for all. Counted by the way: another one at the same moment
 * is no conflict. */
static struct error *check_number(struct call *c)
{
    _cleanup_version_ struct version *v = store_find(c->daemon->store, CLASS_SESSION, c->session);
    const struct session_rec *session = v ? v->rec : NULL;

    return session && session->inv.tasks.n >= TASKS_OF_A_SESSION ? err_too_many_pending_tasks()
                                                                 : NULL;
}

struct error *api_task_create(struct call *c, const struct task_create_args *a, const char **ret)
{
    TRY(check_number(c));
    struct task_rec *t = (struct task_rec *)txn_insert_soft(c->txn, CLASS_TASK);

    task_row_begin(t, c->daemon, a->label);
    t->name_description = a->description;
    t->session = c->session;
    t->session_user = c->user;
    *ret = t->self;
    return NULL;
}

struct error *api_task_set_status(struct call *c, const struct task_set_status_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    t->status = a->value;
    if (task_is_over(t)) {
        t->finished = now_s();
        t->progress = 1;
    }
    return NULL;
}

struct error *api_task_set_progress(struct call *c, const struct task_set_progress_args *a)
{
    struct task_rec *t;

    if (isnan(a->value))
        return err_invalid_value("progress", "nan");
    TRY(task_edit_owned(c, a->self, &t));
    t->progress = fmin(fmax(a->value, 0), 1);
    return NULL;
}

struct error *api_task_set_result(struct call *c, const struct task_set_result_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    t->result = a->value;
    return NULL;
}

struct error *api_task_set_error_info(struct call *c, const struct task_set_error_info_args *a)
{
    struct task_rec *t;

    TRY(task_edit_owned(c, a->self, &t));
    t->error_info = a->value;
    return NULL;
}
