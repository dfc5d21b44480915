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

/* How the task stands; if it is under way, after it changed or after a while. */
static struct error *state_of(struct xe *x, const char *task, double seconds, char **ret)
{
    _cleanup_json_ json_t *batch = NULL, *second = NULL;
    _cleanup_free_ char *only = xasprintf("task/%s", task), *state = NULL;

    TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    if (streq(state, "pending")) {
        TRY(call(&x->client, &batch, "event.from", "[s]sf", only, "", 0.0));
        const char *token = text_of(batch, "token");

        TRY(call(&x->client, &second, "event.from", "[s]sf", only, token, seconds));
        free(TAKE_PTR(state));
        TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    }
    *ret = TAKE_PTR(state);
    return NULL;
}

/* A refusal may come before the server took the task over: then nobody ends it, and only the
 * status tells what was wrong. */
static struct error *refused(struct xe *x, const char *task, int status)
{
    _cleanup_free_ char *state = NULL;

    /* The answer may have overtaken the end of the task. */
    TRY(state_of(x, task, 1.0, &state));
    if (streq(state, "pending"))
        return status ? error_text("the server answered HTTP status %d", status)
                      : error_text("the file could not be moved");
    return NULL;
}

static struct error *move(struct xe *x, const struct transfer *t, const char *task,
                          struct front_moved *ret)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_free_ char *path =
        xasprintf("%s?session_id=%s&task_id=%s%s%s%s", t->path, x->client.session, task,
                  *t->query && *t->query != '&' ? "&" : "", t->query,
                  t->upload && t->offset ? "&chunked=true" : "");
    struct front *f = x->client.front;

    TRY(address_of(x, t, &host));
    const struct front_place place = {.host = host, .path = path, .task = task};

    return f->ops->move(f, &x->client, t, &place, ret);
}

static bool is_begun(const struct front_moved *m)
{
    return m->status == 200 || m->status == 206;
}

/* The command that goes on at a byte, or begins anew at 0; as a shell takes it. */
static char *command_line(const struct xe *x, int64_t at)
{
    const struct options *o = x->client.options;
    _cleanup_str_ struct str line = STR_INIT;

    str_printf(&line, "xe%s", o->typed_options ? o->typed_options : "");
    for (size_t i = 0; i < o->n_typed; i++) {
        if (str_starts(o->args.v[i], "offset="))
            continue;
        str_add_char(&line, ' ');
        shell_add(&line, o->args.v[i]);
    }
    if (at)
        str_printf(&line, " offset=%lld", (long long)at);
    return str_take(&line);
}

/* Bytes from the start that are where they belong. Of an upload only the server knows: its failure
 * says "the body ends after N ". */
static int64_t bytes_kept(const struct transfer *t, const struct front_moved *m,
                          const struct error *e)
{
    static const char says[] = "the body ends after ";
    const char *text = e->code && e->n_params ? strstr(e->params[0], says) : NULL;

    if (!t->resumes || !*t->file)
        return 0;
    if (!t->upload)
        return m->done;
    return text ? strtoll(text + strlen(says), NULL, 10) : 0;
}

/* Says how to go on. True: what came stays for that. */
static bool broke_off(struct xe *x, const struct transfer *t, const struct front_moved *m,
                      const struct error *e)
{
    int64_t kept = bytes_kept(t, m, e);
    struct front *f = x->client.front;
    _cleanup_free_ char *line = command_line(x, kept);

    if (!f->resumes || !is_begun(m))
        return false;
    front_tell(f, "The %s broke off", t->upload ? "upload" : "download");
    if (kept)
        front_tell(f, "; the first %lld bytes are in %s. To go on behind them", (long long)kept,
                   t->upload ? "the disk" : t->file);
    else if (t->resumes && *t->file)
        front_tell(f, " and nobody knows how far it was. To begin anew");
    else
        front_tell(f, " and cannot be taken up in the middle. To begin anew");
    front_tell(f, ":\n  %s\n", line);
    return kept;
}

/* What the server has to say of a transfer that broke off is better than that it did. */
static struct error *what_it_was(struct xe *x, const char *task, const struct front_moved *m,
                                 struct error *broken, char **ret_result)
{
    _cleanup_free_ char *state = NULL;
    struct error *asked = is_begun(m) ? state_of(x, task, 10.0, &state) : NULL;

    if (!asked && state && streq(state, "failure")) {
        error_free(broken);
        return task_finish(&x->client, task, false, ret_result);
    }
    error_free(asked);
    IGNORE_ERROR(call(&x->client, NULL, "task.destroy", "s", task));
    return broken;
}

static struct error *with_task(struct xe *x, const struct transfer *t, const char *task,
                               char **ret_result)
{
    struct front_moved m = {0};
    struct front *f = x->client.front;
    struct error *e = move(x, t, task, &m);

    if (!e && !is_begun(&m))
        e = refused(x, task, m.status);
    e = e ? what_it_was(x, task, &m, e, ret_result)
          : task_finish(&x->client, task, false, ret_result);
    if (e && !broke_off(x, t, &m, e) && !t->upload)
        f->ops->discard(f);
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

    if (t->offset < 0 || (t->offset && !(t->resumes && *t->file)))
        return error_text("offset= is for raw disks and files");
    if (t->offset && !x->client.front->resumes)
        return error_text("offset= needs the xe of this product: others write new files only");
    TRY(wants_progress(x, given, &copy.progress));
    TRY(call_string(&x->client, &task, "task.create", "ss", t->label, t->detail ? t->detail : ""));
    TRY(print_flush(&x->printer)); /* the file may follow on the same output */
    return with_task(x, t, task, ret_result);
}
