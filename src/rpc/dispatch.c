/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the body of a POST to a job: envelope, name, count, session, role. */
#include "rpc/rpc.h"

#include "base/str.h"
#include "base/world.h"
#include "gen/class/host.h"
#include "gen/messages.h"
#include "gen/roles.h"
#include "rpc/audit_call.h"
#include "rpc/builtin.h"
#include "rpc/job.h"
#include "task/tally.h"
#include "value/json.h"

static const char *bare_name(const char *name, bool *ret_async)
{
    static const char *const prefixes[] = {"Async.", "InternalAsync."};

    *ret_async = false;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (str_starts(name, prefixes[i])) {
            *ret_async = true;
            return name + strlen(prefixes[i]);
        }
    }
    return name;
}

/* Parameters on the wire without the session: all that may come, and whether more are ignored. */
static int params_max(const struct message *m)
{
    static const int by_kind[MSG_KIND_MAX] = {
        [MSG_GET_RECORD] = 1,    [MSG_GET_BY_UUID] = 1, [MSG_GET_BY_NAME_LABEL] = 1,
        [MSG_GET_ALL_WHERE] = 1, [MSG_GET_FIELD] = 1,   [MSG_GET_ALL_RECORDS_WHERE] = 1,
        [MSG_SET_FIELD] = 2,     [MSG_ADD_FIELD] = 2,   [MSG_REMOVE_FIELD] = 2,
        [MSG_ADD_TO_FIELD] = 3,  [MSG_DESTROY] = 1,     [MSG_REMOVE_FROM_FIELD] = 2,
    };

    return m->args ? m->args->n : by_kind[m->kind];
}

/* given: -1 if not even the session came. */
static struct error *check_count(const struct message *m, int given)
{
    int max = params_max(m);
    int required = m->args ? m->n_required : max;

    if (given >= required && (given <= max || required < max))
        return NULL;
    _cleanup_free_ char *expected = xasprintf("%d", required);
    _cleanup_free_ char *received = xasprintf("%d", given);

    return err_message_parameter_count_mismatch(m->name, expected, received);
}

struct error *rpc_denied(const char *permission, uint32_t roles)
{
    struct str text = STR_INIT;

    str_add(&text, "No permission in user session. (Roles with this permission: ");
    for (int i = 0, n = 0; i < ROLE_MAX; i++)
        if (roles & ROLE_BIT(i))
            str_printf(&text, "%s%s", n++ ? ", " : "", role_infos[i].name);
    str_add(&text, ")");
    struct error *e = err_rbac_permission_denied(permission, text.s);

    str_fini(&text);
    return e;
}

static bool key_fits(const struct key_role *k, const char *key)
{
    return k->prefix ? !strncasecmp(key, k->key, strlen(k->key)) : !strcasecmp(key, k->key);
}

/* A key of a map may belong to other roles than the map. */
static struct error *check_role(const struct job *j)
{
    const struct message *m = j->call.msg;
    const char *key = json_string_value(json_array_get(j->env.params, 2));

    if (j->call.superuser)
        return NULL;
    for (const struct key_role *k = m->key_roles; k && k->key && key; k++)
        if (key_fits(k, key))
            return j->call.roles & k->roles ? NULL : rpc_denied(k->permission, k->roles);
    return j->call.roles & m->roles ? NULL : rpc_denied(m->permission, m->roles);
}

static struct error *find_session(struct job *j)
{
    const char *ref = json_string_value(json_array_get(j->env.params, 0));

    j->session = ref ? sessions_find(j->call.daemon->sessions, ref) : NULL;
    if (!j->session)
        return err_session_invalid(ref ? ref : "");
    if (!session_enter(j->session)) {
        session_unref(TAKE_PTR(j->session));
        return err_too_many_pending_tasks();
    }
    j->call.session = j->session->ref;
    j->call.user = j->session->user;
    j->call.roles = j->session->roles;
    j->call.superuser = j->session->superuser;
    return NULL;
}

static struct error *check_internal(const struct job *j)
{
    if (!(j->call.msg->flags & MSG_POOL_INTERNAL) || (j->session && j->session->internal))
        return NULL;
    return err_internal_error("only hosts of the pool may call this");
}

static struct error *check_async(const struct message *m)
{
    if (m->flags & MSG_ASYNC)
        return NULL;
    _cleanup_free_ char *text = xasprintf("No async mode for this operation (rpc: %s)", m->name);

    return error_api("Fault", 1, text);
}

static struct error *check_present(const struct message *m)
{
    if (m->flags & MSG_REMOVED)
        return err_message_removed();
    if (!m->body && !m->refusal && !(m->flags & MSG_GENERIC))
        return err_not_implemented(m->name);
    return NULL;
}

/*
 * An extension adds a message: who may call extensions calls it by its name. Whether there is one
 * only hostd knows, so the call becomes one of host.call_extension.
 */
static struct error *resolve_extension(struct job *j, const char *name)
{
    static const char real[] = "host.call_extension";
    const struct message *m = message_find(real, strlen(real));

    TRY(find_session(j));
    j->call.msg = m;
    if (!j->call.superuser && !(j->call.roles & m->roles))
        return err_message_method_unknown(name);
    _cleanup_json_ json_t *call = json_object();

    json_object_set_new(call, "method", json_string(name));
    json_object_set(call, "params", j->env.params);
    _cleanup_free_ char *text = json_dumps(call, JSON_COMPACT);
    json_t *params = json_array();

    json_array_append_new(params, json_string(j->call.session));
    json_array_append_new(params, json_string(j->call.daemon->host_ref));
    json_array_append_new(params, json_string(text));
    json_decref(j->env.params);
    j->env.params = params;
    return NULL;
}

static struct error *resolve(struct job *j, const char *name, bool async)
{
    size_t given = json_array_size(j->env.params);
    const struct message *m = message_find(name, strlen(name));

    if (!m)
        return given ? resolve_extension(j, name) : err_message_method_unknown(name);
    size_t first = m->flags & MSG_NO_SESSION ? 0 : 1;

    j->call.msg = m;
    TRY(check_count(m, (int)given - (int)first));
    if (first)
        TRY(find_session(j));
    TRY(check_internal(j));
    if (async)
        TRY(check_async(m));
    if (!(m->flags & MSG_REMOVED) && first)
        TRY(check_role(j));
    return check_present(m);
}

static struct job *job_new(struct daemon *d, struct http_request *rq, bool json)
{
    struct job *j = arena_new(&rq->arena, struct job);
    const char *agent = http_header_find(&rq->head, "user-agent");

    j->rq = rq;
    j->call = (struct call){
        .daemon = d,
        .arena = &rq->arena,
        .start_us = rq->start_us,
        .session = "",
        .user = "",
        .task = "",
        .originator = rq->peer->kind == PEER_UNIX ? "unix" : rq->peer->address,
        .agent = agent ? agent : "",
        .from_unix = rq->peer->kind == PEER_UNIX && rq->peer->is_superuser,
        .form = json ? FORM_JSON : FORM_XML,
    };
    return j;
}

/* The client gets the task's reference at once; the job goes on alone with what it owns. */
static struct error *make_async(struct job *sync, struct job **ret)
{
    struct job *j = xnew(struct job);

    *j = *sync;
    sync->session = NULL;
    sync->permit = (struct permit){0};
    sync->env.params = json_incref(j->env.params);
    arena_init(&j->own);
    j->call.arena = &j->own;
    j->rq = NULL;
    j->call.originator = arena_strdup(&j->own, j->call.originator);
    j->call.agent = arena_strdup(&j->own, j->call.agent);
    j->env.method = arena_strdup(&j->own, j->env.method);
    *ret = j;
    return async_task(j, sync->rq);
}

static void answer_task(struct job *j, const char *task)
{
    struct iovec *v;
    size_t n;

    j->ret = arena_new(j->call.arena, const char *);
    *(const char **)j->ret = arena_strdup(j->call.arena, task);
    task_pieces(j, &v, &n);
    job_finish(j, NULL, v, n);
}

static void start(struct job *j, bool async)
{
    struct job *run = j;
    size_t first = j->call.msg->flags & MSG_NO_SESSION ? 0 : 1;
    struct error *e = async ? make_async(j, &run) : NULL;

    if (run->call.msg->flags & MSG_CUSTOM_RESULT)
        run->call.raw = arena_new(run->call.arena, struct str);
    if (!e)
        e = job_decode(run, first);
    if (!e)
        audit_call_note(run);
    if (run != j) {
        if (*run->call.task)
            answer_task(j, run->call.task);
        else
            job_finish(j, error_copy(e), NULL, 0); /* there can be no task */
    }
    if (e)
        job_finish(run, e, NULL, 0);
    else if (job_waits(run))
        return;
    else if (run == j && job_runs_here(j))
        job_run(j);
    else if (run == j && job_writes_here(j))
        job_write_here(j);
    else
        job_queue(run);
}

/* A program before this one has checked the call and begun its plan. */
static void resume(struct job *j, const char *name)
{
    struct error *e = NULL;

    j->call.msg = message_find(name, strlen(name));
    if (!j->call.msg)
        e = err_message_method_unknown(name);
    if (!e && !(j->call.msg->flags & MSG_NO_SESSION))
        error_free(find_session(j)); /* for the log; it may have ended since */
    if (!e)
        e = job_decode(j, j->call.msg->flags & MSG_NO_SESSION ? 0 : 1);
    if (e) {
        job_finish(j, e, NULL, 0);
        return;
    }
    audit_call_note(j);
    job_resume(j);
}

bool rpc_plain_is_refused(struct daemon *d, const struct http_request *rq)
{
    if (rq->peer->kind != PEER_TCP)
        return false;
    _cleanup_version_ struct version *v = store_find(d->store, CLASS_HOST, d->host_ref);

    return v && ((const struct host_rec *)v->rec)->https_only;
}

static void note_caller(struct job *j)
{
    tally_came(j->call.daemon->tally, j->call.agent, j->rq->peer->address, j->session, &j->permit);
}

static void handle(struct daemon *d, struct http_request *rq, bool json)
{
    if (rpc_plain_is_refused(d, rq)) {
        http_reply_text(rq, 403, "this host answers over HTTPS only");
        return;
    }
    struct job *j = job_new(d, rq, json);
    bool async;
    struct error *e = rpc_parse(j->call.arena, json, rq->body, rq->body_len, &j->env);

    if (e) {
        job_finish(j, e, NULL, 0);
        return;
    }
    http_on_gone(rq, job_gone, j);
    const char *name = bare_name(j->env.method, &async);

    if (builtin_call(j, name))
        return;
    if (*rq->resume) {
        resume(j, name);
        return;
    }
    e = resolve(j, name, async);
    if (!e)
        note_caller(j);
    if (e)
        job_finish(j, e, NULL, 0);
    else
        start(j, async);
}

static void handle_xml(void *ctx, struct http_request *rq)
{
    handle(ctx, rq, false);
}

static void handle_json(void *ctx, struct http_request *rq)
{
    handle(ctx, rq, true);
}

/* Pages of other origins may call: the session is in the body, never in a cookie. */
static void handle_options(void *ctx, struct http_request *rq)
{
    const char *asked = http_header_find(&rq->head, "access-control-request-headers");
    const struct http_field headers[] = {
        {"access-control-allow-origin", "*"},
        {"access-control-allow-headers",
         arena_printf(&rq->arena, "%s%sX-Requested-With", asked ? asked : "", asked ? ", " : "")},
        {"access-control-allow-methods", "PUT"},
    };
    const struct http_reply reply = {
        .status = 200, .headers = headers, .n_headers = ARRAY_SIZE(headers)};

    http_reply(rq, &reply);
}

size_t rpc_routes(struct daemon *d, struct http_route *ret)
{
    const struct http_route routes[] = {
        {VERB_POST, "/", HTTP_RPC_MAX_BODY, 0, handle_xml, d},
        {VERB_POST, "/jsonrpc", HTTP_RPC_MAX_BODY, 0, handle_json, d},
        {VERB_OPTIONS, "/", 0, 0, handle_options, d},
    };

    memcpy(ret, routes, sizeof(routes));
    return ARRAY_SIZE(routes);
}
