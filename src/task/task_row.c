/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/task_row.h"

#include "base/str.h"
#include "base/utf8.h"
#include "base/world.h"
#include "gen/enums.h"
#include "gen/types.h"
#include "model/txn.h"
#include "task/daemon.h"
#include "value/xml.h"

const char *task_result_text(struct arena *a, const json_t *result)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (!result || json_is_null(result))
        return "<value></value>";
    xml_add_value(&text, &type_any, &result);
    return arena_strdup(a, text.s);
}

static bool is_asked(const struct task_rec *row, int operation)
{
    for (size_t i = 0; i < row->current_operations.n; i++)
        if (row->current_operations.v[i] == operation)
            return true;
    return false;
}

bool task_row_is_cancelled(const struct task_rec *row)
{
    return is_asked(row, TASK_ALLOWED_OPERATIONS_CANCEL);
}

bool task_row_is_unwanted(const struct task_rec *row)
{
    return is_asked(row, TASK_ALLOWED_OPERATIONS_DESTROY);
}

void task_row_begin(struct task_rec *row, const struct daemon *d, const char *label)
{
    row->name_label = label;
    row->created = now_s();
    row->type = "<none/>";
    row->status = TASK_STATUS_TYPE_PENDING;
    row->resident_on = d->host_ref;
}

void task_row_end(struct task_rec *row, struct arena *a, const struct error *why,
                  const json_t *result)
{
    if (row->status != TASK_STATUS_TYPE_PENDING && row->status != TASK_STATUS_TYPE_CANCELLING)
        return;
    row->progress = 1;
    row->finished = now_s();
    row->current_operations = (struct map_string_enum){0};
    if (!why) {
        row->status = TASK_STATUS_TYPE_SUCCESS;
        row->result = task_result_text(a, result);
        return;
    }
    row->status =
        error_is(why, "TASK_CANCELLED") ? TASK_STATUS_TYPE_CANCELLED : TASK_STATUS_TYPE_FAILURE;
    const char **info = arena_array(a, const char *, (size_t)why->n_params + 1);

    info[0] = arena_strdup(a, why->code ? why->code : "INTERNAL_ERROR");
    for (int i = 0; i < why->n_params; i++) {
        char *text = arena_strdup(a, why->params[i]);

        utf8_clean(text);
        info[i + 1] = text;
    }
    row->error_info = (struct set_string){.n = (size_t)why->n_params + 1, .v = info};
    row->backtrace =
        arena_printf(a, "((process xenolithd)(filename %s)(line %d))", why->file, why->line);
}

struct finished {
    const char *ref;
    int64_t when;
};

static int by_when(const void *a, const void *b)
{
    const struct finished *x = a, *y = b;

    return x->when < y->when ? -1 : x->when > y->when;
}

struct error *tasks_collect(struct store *s)
{
    const struct commit_info info = {.who = "", .task = "", .call = "collect tasks"};
    _cleanup_arena_ struct arena a;
    const struct task_rec *const *all;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(s, &a);
    size_t n = txn_all(t, CLASS_TASK, (const void *const **)&all), done = 0;
    struct finished *list = arena_array(&a, struct finished, n);

    for (size_t i = 0; i < n; i++)
        if (all[i]->status != TASK_STATUS_TYPE_PENDING &&
            all[i]->status != TASK_STATUS_TYPE_CANCELLING)
            list[done++] = (struct finished){.ref = all[i]->self, .when = all[i]->finished};
    if (done <= TASKS_FINISHED_MAX)
        return NULL;
    qsort(list, done, sizeof(*list), by_when);
    for (size_t i = 0; i < done - TASKS_FINISHED_MAX; i++)
        TRY(txn_delete(t, CLASS_TASK, list[i].ref));
    struct error *e = txn_commit(t, &info);

    if (!error_is(e, DB_CONFLICT))
        return e;
    error_free(e); /* the next round will do */
    return NULL;
}
