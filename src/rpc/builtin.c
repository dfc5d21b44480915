/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/builtin.h"

#include "base/log.h"
#include "gen/class/task_txn.h"
#include "gen/messages.h"
#include "gen/types.h"
#include "rpc/task_notes.h"
#include "task/task_row.h"
#include "value/xml.h"

static void add_value(const struct job *j, struct str *out, const struct type *t, const void *p)
{
    if (j->call.form == FORM_XML)
        xml_add_value(out, t, p);
    else
        json_add_value(out, t, p);
}

/* Every name that can be called: clients look for *.get_all_records in it. */
static void list_methods(struct job *j)
{
    const char **names = arena_array(j->call.arena, const char *, MID_MAX + 1);
    struct set_string list = {.v = names};
    _cleanup_str_ struct str text = STR_INIT;
    struct rpc_answer answer;
    struct iovec *v;
    size_t n;

    for (int i = 0; i < MID_MAX; i++)
        names[list.n++] = messages[i].name;
    names[list.n++] = "system.listMethods";
    add_value(j, &text, &type_set_string, &list);
    one_piece(j->call.arena, &text, &v, &n);
    rpc_bare(j->call.arena, &j->env, v, n, &answer);
    const struct http_reply reply = {
        .status = 200, .type = answer.type, .body = answer.pieces, .n_body = answer.n};

    rpc_request_fini(&j->env);
    http_reply(j->rq, &reply);
}

static void echo(struct job *j)
{
    const json_t *first = json_array_get(j->env.params, 0);
    const char *text = json_is_string(first) ? json_string_value(first) : "";
    _cleanup_str_ struct str out = STR_INIT;
    struct iovec *v;
    size_t n;

    add_value(j, &out, &type_string, &text);
    one_piece(j->call.arena, &out, &v, &n);
    job_finish(j, NULL, v, n);
}

bool builtin_call(struct job *j, const char *name)
{
    if (streq(name, "system.listMethods"))
        list_methods(j);
    else if (str_starts(name, "system.isAlive"))
        echo(j);
    else
        return false;
    return true;
}

static struct error *make_row(struct job *j, const struct http_request *rq)
{
    const struct commit_info info = {
        .who = j->call.user, .task = "", .call = j->call.msg->name, .bounded = true};
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(j->call.daemon->store, &a);
    struct task_rec *row = txn_insert_soft(t, CLASS_TASK);

    task_row_begin(row, j->call.daemon, arena_printf(&a, "Async.%s", j->call.msg->name));
    row->session = *j->call.session ? j->call.session : REF_NULL;
    row->session_user = j->call.user;
    task_notes_add(t, row, rq);
    TRY(txn_commit(t, &info));
    j->call.task = arena_strdup(j->call.arena, row->self);
    return NULL;
}

struct error *async_task(struct job *j, const struct http_request *rq)
{
    struct error *e = make_row(j, rq);

    if (!error_is(e, ERR_TOO_MANY_PENDING_TASKS))
        return e;
    /* Ended ones may be among them: otherwise they go every few seconds. */
    error_free(e);
    TRY(tasks_collect(j->call.daemon->store));
    return make_row(j, rq);
}

void task_pieces(struct job *j, struct iovec **ret, size_t *ret_n)
{
    _cleanup_str_ struct str out = STR_INIT;

    add_value(j, &out, &type_string, j->ret);
    one_piece(j->call.arena, &out, ret, ret_n);
}

/* The typed result as the JSON that task rows are made from. */
static json_t *result_json(const struct job *j)
{
    _cleanup_str_ struct str text = STR_INIT;
    const struct type *t = j->call.msg->result;

    if (!t || t->kind == K_VOID || !j->ret)
        return NULL;
    json_add_value(&text, t, j->ret);
    return json_loadb(text.s, text.len, JSON_DECODE_ANY, NULL);
}

struct ending {
    const struct job *j;
    const struct error *why;
    json_t *result;
};

static struct error *fill_end(void *ctx, struct txn *t)
{
    const struct ending *end = ctx;
    const char *ref = end->j->call.task;
    const struct task_rec *old = txn_find_task(t, ref);
    struct task_rec *row;

    if (!old)
        return NULL;
    if (task_row_is_unwanted(old))
        return txn_delete_task(t, ref);
    TRY(txn_edit_task(t, ref, &row));
    task_row_end(row, txn_arena(t), end->why, end->result);
    return NULL;
}

void async_end(struct job *j, const struct error *e)
{
    const struct commit_info info = {
        .who = j->call.user, .task = j->call.task, .call = j->call.msg->name};
    _cleanup_json_ json_t *result = e ? NULL : result_json(j);
    struct ending end = {j, e, result};

    log_and_free(LOG_ERROR, txn_run(j->call.daemon->store, &info, fill_end, &end),
                 "cannot end task %s", j->call.task);
}
