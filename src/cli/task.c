/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/task.h"

#include "gen/errors.h"

#define BAR_WIDTH 70

void progress_line(double done, struct str *out)
{
    static const char wheel[] = "|/-\\";
    int percent = done < 0 ? 0 : done > 1 ? 100 : (int)(done * 100);

    str_printf(out, "\r %3d%% %c ", percent, wheel[percent % 4]);
    for (int i = 0; i < percent * BAR_WIDTH / 100; i++)
        str_add_char(out, '#');
}

static void show(struct client *c, double done)
{
    _cleanup_str_ struct str line = STR_INIT;

    progress_line(done, &line);
    c->front->ops->tell(c->front, line.s);
}

static bool is_pending(const json_t *record)
{
    const char *status = text_of(record, "status");

    return streq(status, "pending") || streq(status, "cancelling");
}

/* Waits until the record says it is over; the last record seen. */
static struct error *wait_for_end(struct client *c, const char *task, bool progress,
                                  json_t **ret_record)
{
    _cleanup_free_ char *token = xstrdup(""), *only = xasprintf("task/%s", task);

    for (;;) {
        _cleanup_json_ json_t *record = NULL, *batch = NULL;

        /* The state is read after the token was taken, so no change is missed. */
        TRY(call(c, &record, "task.get_record", "s", task));
        if (progress)
            show(c, json_number_value(json_object_get(record, "progress")));
        if (!is_pending(record)) {
            *ret_record = json_incref(record);
            return NULL;
        }
        struct error *e = call(c, &batch, "event.from", "[s]sf", only, token, 30.0);

        if (e && !error_is(e, ERR_EVENTS_LOST))
            return e;
        if (e)
            error_free(e);
        free(token);
        token = xstrdup(e ? "" : text_of(batch, "token"));
    }
}

static struct error *outcome(const char *task, const json_t *record)
{
    const char *status = text_of(record, "status");
    const json_t *info = json_object_get(record, "error_info");
    size_t n = json_array_size(info);
    const char **params;

    if (streq(status, "success"))
        return NULL;
    if (streq(status, "cancelled"))
        return error_api(ERR_TASK_CANCELLED, 1, task);
    if (!n)
        return error_text("Task failed but no error recorded: %s", task);
    params = xnew_array(const char *, n);
    for (size_t i = 0; i < n; i++)
        params[i] = json_string_value(json_array_get(info, i)) ?: "";
    struct error *e = error_api_v(params[0], params + 1, (int)n - 1);

    free(params);
    return e;
}

/* "<value>text</value>" without its frame. */
static char *result_text(const json_t *record)
{
    const char *text = text_of(record, "result");
    size_t n = strlen(text);

    if (str_starts(text, "<value>") && n >= 15 && streq(text + n - 8, "</value>"))
        return xmemdup0(text + 7, n - 15);
    return xstrdup(text);
}

struct error *task_finish(struct client *c, const char *task, bool progress, char **ret_result)
{
    _cleanup_json_ json_t *record = NULL;
    struct error *e = wait_for_end(c, task, progress, &record);

    if (progress)
        front_tell(c->front, "\n");
    if (!e)
        e = outcome(task, record);
    IGNORE_ERROR(call(c, NULL, "task.destroy", "s", task));
    if (!e && ret_result)
        *ret_result = result_text(record);
    return e;
}
