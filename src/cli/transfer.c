/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/transfer.h"

#include "cli/task.h"
#include "gen/errors.h"

void query_add(struct str *query, const char *key, const char *value)
{
    str_printf(query, "&%s=", key);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~:,/", c))
            str_add_char(query, *value);
        else
            str_printf(query, "%%%02X", c);
    }
}

/* The address of the host that has it, unless it is the one we talk to anyway. */
static struct error *address_of(struct xe *x, const struct transfer *t, char **ret)
{
    _cleanup_free_ char *leader = NULL;

    *ret = NULL;
    if (!t->host)
        return NULL;
    TRY(leading_host(&x->client, &leader));
    if (streq(leader, t->host))
        return NULL;
    return call_string(&x->client, ret, "host.get_address", "s", t->host);
}

/* A refusal may come before the server took the task over: then nobody ends it, and only the
 * status tells what was wrong. */
static struct error *refused(struct xe *x, const char *task, int status)
{
    _cleanup_json_ json_t *batch = NULL;
    _cleanup_free_ char *only = xasprintf("task/%s", task), *state = NULL;

    TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    if (streq(state, "pending")) {
        TRY(call(&x->client, &batch, "event.from", "[s]sf", only, "", 0.0));
        const char *token = text_of(batch, "token");
        _cleanup_json_ json_t *second = NULL;

        /* The answer may have overtaken the end of the task. */
        TRY(call(&x->client, &second, "event.from", "[s]sf", only, token, 1.0));
        free(state);
        state = NULL;
        TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    }
    if (streq(state, "pending"))
        return status ? error_text("the server answered HTTP status %d", status)
                      : error_text("the file could not be moved");
    return NULL;
}

static struct error *move(struct xe *x, const struct transfer *t, const char *task, int *ret_status)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_free_ char *path =
        xasprintf("%s?session_id=%s&task_id=%s%s%s", t->path, x->client.session, task,
                  *t->query && *t->query != '&' ? "&" : "", t->query);
    struct front *f = x->client.front;

    TRY(address_of(x, t, &host));
    const struct front_place place = {.host = host, .path = path, .task = task};

    return f->ops->move(f, &x->client, t, &place, ret_status);
}

static struct error *with_task(struct xe *x, const struct transfer *t, const char *task,
                               char **ret_result)
{
    int status = 0;
    struct error *e = move(x, t, task, &status);

    if (!e && status != 200)
        e = refused(x, task, status);
    if (!e)
        return task_finish(&x->client, task, false, ret_result);
    /* What the server has to say of a broken transfer is better than that it broke. */
    _cleanup_free_ char *state = NULL;
    struct error *asked = call_string(&x->client, &state, "task.get_status", "s", task);

    if (!asked && streq(state, "failure")) {
        error_free(e);
        return task_finish(&x->client, task, false, ret_result);
    }
    if (asked)
        error_free(asked);
    IGNORE_ERROR(call(&x->client, NULL, "task.destroy", "s", task));
    return e;
}

/* A person sees how far it is, unless the file itself goes where the person looks. */
static struct error *wants_progress(struct xe *x, const struct transfer *t, bool *ret)
{
    return words_bool(&x->words, "progress", x->client.front->is_person && *t->file, ret);
}

struct error *transfer_run(struct xe *x, const struct transfer *given, char **ret_result)
{
    struct transfer copy = *given, *t = &copy;
    _cleanup_free_ char *task = NULL;
    struct front *f = x->client.front;

    TRY(wants_progress(x, given, &copy.progress));
    TRY(call_string(&x->client, &task, "task.create", "ss", t->label, t->detail ? t->detail : ""));
    TRY(print_flush(&x->printer)); /* the file may follow on the same output */
    struct error *e = with_task(x, t, task, ret_result);

    if (e && !t->upload)
        f->ops->discard(f);
    return e;
}
