/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/transfer_task.h"

#include "api/auth/directory.h"
#include "api/http/elsewhere.h"
#include "api/http/transfers.h"
#include "auth/guesses.h"
#include "auth/refusals.h"
#include "base/log.h"
#include "base/workers.h"
#include "base/world.h"
#include "gen/class/task_txn.h"
#include "gen/errors.h"
#include "gen/roles.h"
#include "rpc/rpc.h"
#include "task/audit.h"
#include "task/task_row.h"
#include "value/json.h"
#include "value/xml.h"

const char *transfer_param(const struct transfer *t, const char *name)
{
    const char *v = http_query_find(&t->rq->head, name);

    return v ? v : "";
}

bool transfer_flag(const struct transfer *t, const char *name, bool absent)
{
    const char *v = http_query_find(&t->rq->head, name);

    return v ? streq(v, "true") : absent;
}

static void note_refusal(const struct transfer *t, const char *user)
{
    const char *agent = http_header_find(&t->rq->head, "user-agent");
    const struct refused_client who = {.user = user,
                                       .originator = "",
                                       .address = t->rq->peer->address,
                                       .agent = agent ? agent : ""};

    refusals_add(t->daemon->refusals, &who);
}

static struct error *by_password(struct transfer *t, bool *ret_found)
{
    _cleanup_txn_ struct txn *txn = txn_new(t->daemon->store, &t->arena);
    const struct directory d = {.daemon = t->daemon, .txn = txn, .arena = &t->arena};
    const char *user, *password;
    struct admitted who;

    *ret_found = http_basic_auth(&t->arena, &t->rq->head, &user, &password);
    if (!*ret_found)
        return NULL;
    const char *source = t->rq->peer->address;

    if (!guess_take_now(t->daemon->guesses, source))
        return err_too_many_pending_tasks();
    struct error *e = directory_admit(&d, user, password, &who);

    t->guessed = directory_is_refusal(e);
    if (t->guessed)
        note_refusal(t, user);
    if (e)
        return e;
    guess_right(t->daemon->guesses, source);
    t->user = arena_strdup(&t->arena, who.user);
    t->superuser = who.superuser;
    t->roles = who.roles;
    return NULL;
}

/* Tried in this order: session, local socket, Basic. NULL and *ret_known false: nobody. */
static struct error *who_asks(struct transfer *t, bool *ret_known)
{
    const char *ref = http_cookie_find(&t->rq->head, "session_id");

    if (!ref)
        ref = http_query_find(&t->rq->head, "session_id");
    *ret_known = true;
    if (ref) {
        t->session = sessions_find(t->daemon->sessions, ref);
        if (!t->session)
            return err_session_invalid(ref);
        t->user = t->session->user;
        t->superuser = t->session->superuser;
        t->roles = t->session->roles;
        return NULL;
    }
    if (t->rq->peer->kind == PEER_UNIX && t->rq->peer->is_superuser) {
        t->user = "root";
        t->superuser = true;
        return NULL;
    }
    return by_password(t, ret_known);
}

/* As pages of other servers of the API tell it, and clients look for it. */
static void add_failure(struct str *page, const struct error *e)
{
    xml_add_text(page, e->code);
    str_lit(page, ": [ ");
    for (int i = 0; i < e->n_params; i++) {
        str_add(page, i ? "; " : "");
        xml_add_text(page, e->params[i]);
    }
    str_lit(page, " ]");
}

static void reply_error(struct transfer *t, int status, const struct error *e)
{
    const struct http_field headers[] = {
        {"www-authenticate", arena_printf(&t->rq->arena, "Basic realm=\"%s\"", t->realm)}};
    _cleanup_str_ struct str page = STR_INIT;

    /* The text may repeat what the client sent. */
    str_add(&page, "<html><body>");
    add_failure(&page, e);
    str_add(&page, "</body></html>");
    const struct iovec body = {.iov_base = arena_memdup0(&t->rq->arena, page.s, page.len),
                               .iov_len = page.len};
    const struct http_reply reply = {
        .status = status,
        .type = "text/html",
        .headers = headers,
        .n_headers = status == 401,
        .body = &body,
        .n_body = 1,
        .close = true,
    };

    http_reply(t->rq, &reply);
    t->rq = NULL;
}

/* A task given by the client must be one it made itself, for this. */
static struct error *check_task(struct transfer *t, const struct task_rec *row)
{
    if (!t->superuser && !streq(row->session_user, t->user))
        return err_rbac_permission_denied("task.destroy/any",
                                          "No permission in user session: the task belongs to "
                                          "somebody else");
    if (*row->plan || row->status != TASK_STATUS_TYPE_PENDING)
        return err_invalid_value("task_id", row->self);
    return NULL;
}

static struct error *take_given_task(struct transfer *t)
{
    const char *given = http_query_find(&t->rq->head, "task_id");

    if (!given)
        given = http_cookie_find(&t->rq->head, "task_id");
    if (!given)
        return NULL;
    _cleanup_version_ struct version *v = store_find(t->daemon->store, CLASS_TASK, given);

    if (!v)
        return err_handle_invalid("task", given);
    TRY(check_task(t, v->rec));
    t->task = arena_strdup(&t->arena, given);
    return NULL;
}

static struct error *begin_task(struct transfer *t)
{
    TRY(take_given_task(t));
    return *t->task ? NULL : transfer_task_new(t);
}

void transfer_result(struct transfer *t, json_t *value)
{
    cleanup_json(&t->result);
    t->result = value;
}

struct error *transfer_object(struct transfer *t, enum class_id class_id, const char *text,
                              const char **ret)
{
    struct version *v = store_find(t->daemon->store, class_id, text);

    if (!v)
        v = store_find_uuid(t->daemon->store, class_id, text);
    if (!v)
        return err_handle_invalid(classes[class_id].name, text);
    *ret = arena_strdup(&t->arena, version_ref_text(v));
    version_unref(v);
    return NULL;
}

static struct error *take(struct transfer *t, int status, const char *type,
                          const struct http_field *more, size_t n_more, int64_t length)
{
    struct http_field headers[4];
    size_t n = 0;

    if (!str_empty(t->task))
        headers[n++] = (struct http_field){"task-id", t->task};
    for (size_t i = 0; i < n_more; i++)
        if (more[i].value)
            headers[n++] = more[i];
    const struct http_reply reply = {
        .status = status, .type = type, .headers = headers, .n_headers = n};
    int minor = t->rq->head.minor;

    transfers_set_stream(t, http_take(t->rq));
    transfer_begun(t);
    return http_stream_head(t->stream, minor, &reply, length);
}

struct error *transfer_take(struct transfer *t, const char *type, const char *disposition,
                            int64_t length)
{
    const struct http_field header = {"content-disposition", disposition};

    return take(t, 200, type, &header, 1, length);
}

struct error *transfer_take_from(struct transfer *t, const char *type, const char *disposition,
                                 int64_t from, int64_t size)
{
    const struct http_field headers[] = {
        {"content-disposition", disposition},
        {"content-range", arena_printf(&t->arena, "bytes %lld-%lld/%lld", (long long)from,
                                       (long long)size - 1, (long long)size)},
    };

    return take(t, 206, type, headers, ARRAY_SIZE(headers), size - from);
}

void transfer_set_web(struct transfer *t, struct websocket *web)
{
    transfers_set_web(t, web);
    transfer_begun(t);
}

static int status_of(const struct error *e)
{
    if (error_is(e, ERR_SESSION_INVALID) || error_is(e, ERR_SESSION_AUTHENTICATION_FAILED))
        return 401;
    if (error_is(e, ERR_RBAC_PERMISSION_DENIED) || error_is(e, ERR_SESSION_AUTHORIZATION_FAILED))
        return 403;
    if (error_is(e, ERR_TOO_MANY_PENDING_TASKS))
        return 503;
    if (error_is(e, ERR_HANDLE_INVALID) || error_is(e, ERR_INVALID_VALUE))
        return 400;
    return 500;
}

static struct error *denied(const struct transfer *t)
{
    _cleanup_free_ char *permission = xasprintf("http/%s", t->realm);

    return err_rbac_permission_denied(permission, "No permission in user session.");
}

static struct error *run_large(struct transfer *t, const struct transfer_kind *kind)
{
    if (!transfers_enter_large(t->daemon->under_way))
        return err_too_many_pending_tasks();
    struct error *e = kind->run(t);

    transfers_leave_large(t->daemon->under_way);
    return e;
}

const char *transfer_to_master(const struct transfer *t, struct txn *x)
{
    return host_being_master(x, t->daemon->host_ref);
}

/* False: it is served here. */
static bool send_elsewhere(struct transfer *t)
{
    if (!t->kind->where)
        return false;
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &t->arena);
    const char *host = t->kind->where(t, x);
    const char *found = *host ? host_location(x, host, t->rq->head.target) : NULL;

    if (!found)
        return false;
    const struct http_field location = {"location", arena_strdup(&t->rq->arena, found)};

    http_reply(t->rq, &(struct http_reply){
                          .status = 302, .headers = &location, .n_headers = 1, .close = true});
    t->rq = NULL;
    return true;
}

static struct error *run(struct transfer *t)
{
    const struct transfer_kind *kind = t->kind;
    bool open = kind->is_open && kind->is_open(t), known;

    TRY(who_asks(t, &known));
    if (!known && !open)
        return err_session_authentication_failed("", "no session and no password");
    if (!open && !t->superuser && !(t->roles & http_actions[kind->action].roles)) {
        if (kind->has_task)
            error_free(take_given_task(t)); /* whoever waits for it hears of the end */
        return denied(t);
    }
    if (send_elsewhere(t))
        return NULL;
    if (kind->has_task && known)
        TRY(begin_task(t));
    return kind->is_large ? run_large(t, kind) : kind->run(t);
}

/* The daemon ends before the transfer has begun: the next one begins it. */
static bool give_back(struct transfer *t)
{
    if (!t->rq || t->stream || !transfers_are_left(t->daemon->under_way))
        return false;
    transfer_task_discard(t);
    http_return(TAKE_PTR(t->rq), "");
    return true;
}

/* What everybody may see is not told, unless it was refused. */
static void note(const struct transfer *t, const struct error *e)
{
    static const char *const names[] = {"ref", "uuid", "vdi", "sr_id"};
    bool denied = error_is(e, ERR_RBAC_PERMISSION_DENIED);
    _cleanup_str_ struct str args = STR_INIT;

    if (!*t->user || !t->rq || (!denied && t->everybody))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (*transfer_param(t, names[i]))
            audit_add_arg(&args, names[i], "", "", transfer_param(t, names[i]));
    const struct audit_record r = {.session = t->session ? t->session->ref : "",
                                   .user = t->user,
                                   .kind = "HTTP",
                                   .call = t->realm,
                                   .task = str_empty(t->task) ? "" : t->task,
                                   .args = str_cstr(&args),
                                   .denied = denied,
                                   .failure = e ? e->code : NULL};

    audit_write(t->daemon->audit, &r);
}

static void conclude(struct transfer *t, struct error *e)
{
    ticket_return(&t->ticket); /* before the client hears of the end, and comes again */
    if (e && give_back(t)) {
        error_free(e);
        e = NULL;
    } else {
        if (e)
            e = error_to_api(e);
        note(t, e);
        transfer_task_end(t, e);
    }
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        log_warning("%s by %s failed: %s", t->realm, *t->user ? t->user : "nobody", text);
        if (t->rq && !t->stream)
            reply_error(t, t->status ? t->status : status_of(e), e);
        error_free(e);
    }
    transfers_remove(t);
    if (t->stream)
        stream_close(t->stream);
    if (t->rq && !t->stream)
        http_reply_text(t->rq, 200, "done"); /* the handler had nothing to send */
    else if (t->rq)
        http_request_free(t->rq);
    transfer_begun(t);
    if (t->session)
        session_unref(t->session);
    cleanup_json(&t->result);
    arena_fini(&t->arena);
    free(t);
}

static void refuse_late(struct waiter *w, bool timed_out)
{
    struct transfer *t = container_of(w, struct transfer, late);

    conclude(t, transfers_take_refusal(t));
}

static void refuse_at_once(struct waiter *w)
{
    refuse_late(w, false);
}

/* Who guesses passwords waits for each answer, without holding a thread. */
static bool delay_refusal(struct transfer *t, struct error *e)
{
    int64_t delay = sessions_login_delay(t->daemon->sessions);

    if (!t->guessed || delay <= 0)
        return false;
    transfer_begun(t); /* as far as it will get */
    t->late.deadline_us = t->rq->start_us + delay;
    t->late.wake = refuse_late;
    t->late.leave = refuse_at_once;
    return transfers_refuse_late(t, e);
}

static void finish(struct transfer *t, struct error *e)
{
    if (!delay_refusal(t, e))
        conclude(t, e);
}

/* ---- its turn ---- */

static void transfer_main(void *arg)
{
    struct transfer *t = arg;

    transfers_add(t);
    finish(t, transfer_begin(t) ? run(t) : error_text("the daemon ends"));
}

static void begin(struct transfer *t)
{
    if (workers_run(t->daemon->transfers, transfer_main, t))
        return;
    ticket_return(&t->ticket);
    http_reply_text(t->rq, 503, "too many transfers are under way");
    arena_fini(&t->arena);
    free(t);
}

static void leave_waiting(struct waiter *w)
{
    struct transfer *t = container_of(w, struct transfer, late);

    permit_fini(&t->permit);
    transfers_add(t);
    conclude(t, error_text("the daemon ends"));
}

static bool waits(struct transfer *t);

static void wake_permitted(struct waiter *w, bool timed_out)
{
    struct transfer *t = container_of(w, struct transfer, late);

    if (!timed_out && waits(t))
        return;
    permit_fini(&t->permit);
    t->late = (struct waiter){0};
    begin(t);
}

/* A caller with a limit waits as with a call, without a thread. */
static bool waits(struct transfer *t)
{
    const uint64_t seen = waiting_seq(t->daemon->waiting);

    if (!tally_must_wait(t->daemon->tally, &t->permit))
        return false;
    t->late = (struct waiter){.classes = {[CLASS_RATE_LIMIT] = true},
                              .deadline_us = t->permit.at_us,
                              .wake = wake_permitted,
                              .leave = leave_waiting};
    if (!waiting_add(t->daemon->waiting, &t->late, seen))
        leave_waiting(&t->late);
    return true;
}

static void note_caller(struct transfer *t)
{
    const char *agent = http_header_find(&t->rq->head, "user-agent");

    tally_came(t->daemon->tally, agent ? agent : "", t->rq->peer->address, false, &t->permit);
}

void transfer_handle(void *ctx, struct http_request *rq)
{
    const struct transfer_route *r = ctx;

    if (rpc_plain_is_refused(r->daemon, rq)) {
        http_reply_text(rq, 403, "this host answers over HTTPS only");
        return;
    }
    const char *source = rq->peer->kind == PEER_UNIX ? NULL : rq->peer->address;
    struct ticket ticket;

    if (!transfers_admit(r->daemon->under_way, source, &ticket)) {
        http_reply_text(rq, 503, "too many transfers are under way");
        return;
    }
    struct transfer *t = xnew(struct transfer);

    t->kind = &r->kind;
    t->daemon = r->daemon;
    t->rq = rq;
    t->ticket = ticket;
    t->realm = http_actions[r->kind.action].name;
    t->everybody = http_actions[r->kind.action].roles & ROLE_BIT(ROLE_READ_ONLY);
    t->user = t->task = "";
    arena_init(&t->arena);
    note_caller(t);
    if (!waits(t))
        begin(t);
}
