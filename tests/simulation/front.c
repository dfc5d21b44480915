/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/front.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/vec.h"
#include "base/world.h"
#include "simulation/sched.h"
#include "wire/server.h"

#include <assert.h>

#define POLLERS 2

struct request {
    struct http_request rq; /* first */
    struct list link;       /* server.queue, then server.running */
    struct list run_link;   /* of its poller's posted */
    struct server *server;
    struct poller *poller; /* which runs all that has to do with it */
    struct str body, answer;
    bool taken, answered, lost, gone;
    void (*run)(void *ctx); /* of http_run */
    void *run_ctx;
    unsigned refs; /* client and daemon */
    void (*on_gone)(void *ctx, struct http_request *rq);
    void *gone_ctx;
};

struct poller {
    struct server *server;
    struct fiber *fiber;
    struct list posted;
    bool ended;
};

struct server {
    struct http_route rpc;
    bool found;
    bool stopping;
    struct list queue, running;
    struct poller pollers[POLLERS];
};

static struct server *up; /* takes requests; NULL = nobody does */
static const struct http_peer peer = {.kind = PEER_UNIX, .is_superuser = true};

bool front_is_up(void)
{
    return up != NULL;
}

static void request_unref(struct request *r)
{
    if (--r->refs > 0)
        return;
    str_fini(&r->body);
    str_fini(&r->answer);
    free(r);
}

static struct request *request_of(struct http_request *rq)
{
    return (struct request *)(void *)rq;
}

/* ---- the daemon's side ---- */

struct error *__wrap_server_new(const struct server_config *config, struct server **ret)
{
    struct server *s = xnew(struct server);

    list_init(&s->queue);
    list_init(&s->running);
    for (size_t i = 0; i < config->n_routes && !s->found; i++) {
        s->rpc = config->routes[i];
        s->found = streq(s->rpc.prefix, "/jsonrpc");
    }
    assert(s->found);
    *ret = s;
    return NULL;
}

struct error *__wrap_server_listen(struct server *s, int fd, enum http_peer_kind kind)
{
    close(fd);
    return NULL;
}

static bool run_posted(struct poller *p)
{
    if (list_empty(&p->posted))
        return false;
    struct request *r = list_entry(p->posted.next, struct request, run_link);

    list_remove(&r->run_link);
    r->run(r->run_ctx);
    return true;
}

static void *poller_main(void *arg)
{
    struct poller *p = arg;
    struct server *s = p->server;

    for (;;) {
        if (run_posted(p))
            continue;
        while (list_empty(&s->queue) && list_empty(&p->posted) && !s->stopping)
            sched_block(&s->queue, SCHED_NEVER, "requests");
        if (!list_empty(&p->posted))
            continue;
        if (s->stopping) {
            p->ended = true;
            return NULL;
        }
        struct request *r = list_entry(s->queue.next, struct request, link);

        list_remove(&r->link);
        list_append(&s->running, &r->link);
        r->taken = true;
        r->poller = p;
        r->rq.start_us = mono_us();
        s->rpc.handler(s->rpc.ctx, &r->rq);
    }
}

/* A paused server's threads still do this. */
void __wrap_http_run(struct http_request *rq, void (*fn)(void *ctx), void *ctx)
{
    struct request *r = request_of(rq);

    if (r->poller->ended) {
        fn(ctx);
        return;
    }
    r->run = fn;
    r->run_ctx = ctx;
    list_init(&r->run_link);
    list_append(&r->poller->posted, &r->run_link);
    sched_wake_all(&r->server->queue);
}

struct error *__wrap_server_start(struct server *s)
{
    for (int i = 0; i < POLLERS; i++) {
        struct poller *p = &s->pollers[i];

        p->server = s;
        list_init(&p->posted);
        p->fiber = sched_spawn(sched_group(), "poller", poller_main, p);
    }
    up = s;
    return NULL;
}

/* Nobody will answer it. */
static void give_up(struct request *r)
{
    list_remove(&r->link);
    r->lost = true;
    r->on_gone = NULL;
    sched_wake_all(r);
    sched_wake_all(&r->server->running);
    request_unref(r);
}

/* Nobody takes over. */
void __wrap_http_return(struct http_request *rq, const char *resume)
{
    arena_fini(&rq->arena);
    give_up(request_of(rq));
}

static void await_pollers(const struct server *s)
{
    for (int i = 0; i < POLLERS; i++)
        while (s->pollers[i].fiber && !sched_ended(s->pollers[i].fiber, NULL))
            sched_block(s->pollers[i].fiber, SCHED_NEVER, "a poller to end");
}

void __wrap_server_pause(struct server *s)
{
    struct request *r;

    if (up == s)
        up = NULL;
    s->stopping = true;
    sched_wake_all(&s->queue);
    await_pollers(s);
    list_foreach (r, &s->queue, link)
        give_up(r);
}

bool __wrap_server_stop(struct server *s, int64_t drain_us)
{
    int64_t end = sched_now_us() + drain_us;
    struct request *r;

    __wrap_server_pause(s);
    list_foreach (r, &s->running, link)
        r->gone = true;
    /* One at a time and from the start: who hears of it may end it, and others meanwhile. */
    for (bool again = true; again;) {
        again = false;
        list_foreach (r, &s->running, link) {
            if (!r->on_gone)
                continue;
            void (*fn)(void *ctx, struct http_request *rq) = r->on_gone;

            r->on_gone = NULL;
            fn(r->gone_ctx, &r->rq);
            again = true;
            break;
        }
    }
    while (!list_empty(&s->running) && sched_block(&s->running, end, "requests to end"))
        ;
    return list_empty(&s->running);
}

void __wrap_server_free(struct server *s)
{
    await_pollers(s);
    free(s);
}

void __wrap_http_reply(struct http_request *rq, const struct http_reply *reply)
{
    struct request *r = request_of(rq);

    assert(!r->answered && "a request is answered twice");
    for (size_t i = 0; i < reply->n_body; i++)
        str_add_mem(&r->answer, reply->body[i].iov_base, reply->body[i].iov_len);
    trace_add(str_cstr(&r->answer), r->answer.len);
    arena_fini(&rq->arena);
    list_remove(&r->link);
    r->answered = true;
    r->on_gone = NULL;
    sched_wake_all(r);
    sched_wake_all(&r->server->running);
    request_unref(r);
    sched_point();
}

bool __wrap_http_is_gone(const struct http_request *rq)
{
    return ((const struct request *)(const void *)rq)->gone;
}

void __wrap_http_on_gone(struct http_request *rq, void (*fn)(void *ctx, struct http_request *rq),
                         void *ctx)
{
    struct request *r = request_of(rq);

    r->on_gone = fn;
    r->gone_ctx = ctx;
}

/* ---- TLS is not part of this ---- */

struct error *__wrap_tls_ensure_certificate(const char *dir, const char *host, char **ret)
{
    *ret = xstrdup("none");
    return NULL;
}

struct error *__wrap_tls_new(const char *pem, struct tls **ret)
{
    *ret = NULL;
    return NULL;
}

void __wrap_tls_free(struct tls *t)
{
}

/* ---- the client's side ---- */

static struct list open_requests = {.prev = &open_requests, .next = &open_requests};
static size_t n_open;

struct waiting_request {
    struct list link;
    struct request *request;
};

void front_killed(void)
{
    struct waiting_request *w;

    up = NULL;
    list_foreach (w, &open_requests, link) {
        if (w->request->answered)
            continue;
        w->request->lost = true;
        w->request->refs = 1;
        sched_wake_all(w->request);
    }
}

size_t front_open(void)
{
    return n_open;
}

static struct answer parse(const struct request *r)
{
    struct answer a = {.fate = FATE_ANSWERED};
    json_t *j = json_loadb(r->answer.s, r->answer.len, JSON_DECODE_ANY, NULL);
    json_t *error = json_object_get(j, "error");

    assert(j && "an answer is not JSON");
    a.result = json_incref(json_object_get(j, "result"));
    if (json_is_object(error)) {
        a.error = json_array();
        json_array_append(a.error, json_object_get(error, "message"));
        json_array_extend(a.error, json_object_get(error, "data"));
    }
    json_decref(j);
    return a;
}

static struct request *request_new(const char *method, json_t *params)
{
    struct request *r = xnew(struct request);
    json_t *j = json_pack("{s:s, s:s, s:o, s:i}", "jsonrpc", "2.0", "method", method, "params",
                          params, "id", 1);
    char *text = json_dumps(j, JSON_COMPACT);

    str_add(&r->body, text);
    free(text);
    json_decref(j);
    arena_init(&r->rq.arena);
    r->rq.body = str_cstr(&r->body);
    r->rq.body_len = r->body.len;
    r->rq.peer = &peer;
    r->rq.resume = "";
    r->refs = 2;
    trace_text(r->body.s);
    return r;
}

struct answer front_call(const char *method, json_t *params, int64_t patience_us)
{
    struct answer a = {.fate = FATE_REFUSED};
    int64_t end = sched_now_us() + patience_us;

    if (!up) {
        json_decref(params);
        return a;
    }
    struct request *r = request_new(method, params);
    struct waiting_request w = {.request = r};

    list_append(&open_requests, &w.link);
    n_open++;
    r->server = up;
    list_append(&up->queue, &r->link);
    sched_wake_one(&up->queue);
    a.fate = FATE_LATE;
    while (!r->answered && !r->lost)
        if (!sched_block(r, end, "an answer"))
            break;
    if (r->answered)
        a = parse(r);
    else if (r->lost)
        a.fate = FATE_LOST;
    list_remove(&w.link);
    n_open--;
    request_unref(r);
    return a;
}

void answer_fini(struct answer *a)
{
    json_decref(a->result);
    json_decref(a->error);
    *a = (struct answer){0};
}

const char *answer_code(const struct answer *a)
{
    const char *s = json_string_value(json_array_get(a->error, 0));

    return s ? s : "";
}

const char *answer_text(const struct answer *a)
{
    const char *s = json_string_value(a->result);

    return s ? s : "";
}
