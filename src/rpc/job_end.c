/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a call ends: its answer, or left to the next daemon. */
#include "rpc/job.h"

#include "base/log.h"
#include "base/world.h"
#include "gen/messages.h"
#include "rpc/audit_call.h"
#include "rpc/builtin.h"
#include "rpc/left.h"
#include "task/tally.h"
#include "task/traces.h"
#include "value/json.h"
#include "value/xml.h"

void job_stop_contending(struct job *j)
{
    if (j->contending)
        waiting_leave(j->call.daemon->waiting);
    j->contending = false;
}

void one_piece(struct arena *a, struct str *text, struct iovec **ret, size_t *ret_n)
{
    struct iovec *v = arena_new(a, struct iovec);

    v->iov_len = text->len;
    v->iov_base = str_take(text);
    arena_on_end(a, free, v->iov_base);
    *ret = v;
    *ret_n = 1;
}

void result_pieces(struct job *j, struct iovec **ret, size_t *ret_n)
{
    const struct type *t = j->call.msg->result;
    _cleanup_str_ struct str text = STR_INIT;

    if (j->call.pieces) {
        *ret = j->call.pieces;
        *ret_n = j->call.n_pieces;
        return;
    }
    if (j->call.raw) {
        text = *j->call.raw;
        *j->call.raw = STR_INIT;
    } else if (!t || t->kind == K_VOID) {
        str_add(&text, j->call.form == FORM_XML ? "<value></value>" : "\"\"");
    } else if (j->call.form == FORM_XML) {
        xml_add_value(&text, t, j->ret);
    } else {
        json_add_value(&text, t, j->ret);
    }
    one_piece(j->call.arena, &text, ret, ret_n);
}

static void send_answer(struct job *j, const struct rpc_answer *answer)
{
    static const struct http_field headers[] = {
        {"access-control-allow-origin", "*"},
        {"access-control-allow-headers", "X-Requested-With"},
    };
    const struct http_reply reply = {
        .status = 200,
        .type = answer->type,
        .headers = headers,
        .n_headers = ARRAY_SIZE(headers),
        .body = answer->pieces,
        .n_body = answer->n,
    };

    http_reply(j->rq, &reply);
}

static void log_failure(const struct job *j, const struct error *e)
{
    _cleanup_free_ char *text = error_string(e);

    log_info("%s by %s failed: %s", j->call.msg ? j->call.msg->name : "call",
             *j->call.user ? j->call.user : "nobody", text);
}

static void release(struct job *j)
{
    if (j->session) {
        session_leave(j->session);
        session_unref(TAKE_PTR(j->session));
    }
    rpc_request_fini(&j->env);
    permit_fini(&j->permit);
    if (j->call.raw)
        str_fini(j->call.raw);
    j->call.raw = NULL;
}

static void free_async(struct job *j)
{
    release(j);
    arena_fini(&j->own);
    free(j);
}

void job_leave(struct job *j)
{
    struct http_request *rq = j->rq;
    struct left *left = j->call.daemon->left;
    const char *task = j->plan_task;

    job_stop_contending(j);
    if (!rq) {
        if (left && !task && !left_add_async(left, j))
            job_finish(j, err_internal_error("the daemon was restarted"), NULL, 0);
        else
            free_async(j);
        return;
    }
    if (left && task)
        left_add_caller(left, task);
    release(j);
    http_return(rq, task ? task : "");
}

static void note_end(const struct job *j, const struct error *e)
{
    const struct daemon *d = j->call.daemon;
    const int64_t took = mono_us() - j->call.start_us;
    const char *parent = j->rq ? http_header_find(&j->rq->head, "traceparent") : NULL;
    const struct traced_call call = {
        .name = j->call.msg->name,
        .parent = parent ? parent : "",
        .user = j->call.user,
        .task = j->call.task,
        .error = e ? e->code : NULL,
        .took_us = took,
    };

    tally_ended(d->tally, message_id(j->call.msg), took);
    traces_add(d->traces, d->host_ref, &call);
}

void job_finish(struct job *j, struct error *e, const struct iovec *value, size_t n)
{
    const struct message *m = j->call.msg;

    job_stop_contending(j);
    if (e) {
        e = error_to_api(e);
        log_failure(j, e);
    }
    audit_call_end(j, e);
    if (m)
        note_end(j, e);
    if (!j->rq) {
        if (e)
            async_end(j, e);
        error_free(e);
        free_async(j);
        return;
    }
    struct rpc_answer answer;

    if (e)
        rpc_failure(j->call.arena, &j->env, e, &answer);
    else
        rpc_success(j->call.arena, &j->env, value, n, &answer);
    error_free(e);
    release(j);
    send_answer(j, &answer);
}
