/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/link.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "base/world.h"
#include "proto/client.h"
#include "proto/server.h"
#include "simulation/sched.h"
#include "value/value.h"

#include <assert.h>
#include <errno.h>

#define FDS_MAX 8

struct host_call {
    struct list link; /* hostd.pending */
    struct host_server *server;
    const struct host_call_info *info;
    int id;
    unsigned refs; /* caller and body */
    struct arena arena;
    void *args, *result;
    struct error *error;
    int in[FDS_MAX], out[FDS_MAX];
    size_t n_in, n_out;
    bool cancelled, done, lost;
};

struct host_server {
    struct host_server_config config;
    int group;
    unsigned running;
    bool stopping;
};

struct event {
    struct list link;
    struct arena arena;
    struct host_event_rec *rec;
};

struct hostd {
    struct hostd_config config;
    bool connected, news, stopping;
    struct list pending;
    struct list events;
    struct fiber *connector, *notifier;
    struct arena hello_arena;
    struct host_hello_result hello;
    uint64_t connections;
};

static struct {
    struct link_config config;
    struct host_server *server; /* NULL = hostd is down */
    struct hostd *client;       /* NULL = xenolithd is down */
} net;

void link_init(const struct link_config *c)
{
    net.config = *c;
}

void link_calm(void)
{
    net.config.lost = net.config.refused = net.config.slow = 0;
}

static void travel(void)
{
    struct chance *c = net.config.chance;
    int64_t most = chance_in(c, net.config.slow, 1000) ? 2000000 : net.config.latency_us;

    sched_sleep(chance_between(c, 1, most));
}

static void call_unref(struct host_call *c)
{
    if (--c->refs > 0)
        return;
    for (size_t i = 0; i < c->n_out; i++)
        cleanup_close(&c->out[i]);
    for (size_t i = 0; i < c->n_in; i++)
        cleanup_close(&c->in[i]);
    error_free(c->error);
    arena_fini(&c->arena);
    free(c);
}

static void drop_events(struct hostd *h)
{
    struct event *e;

    list_foreach (e, &h->events, link) {
        list_remove(&e->link);
        arena_fini(&e->arena);
        free(e);
    }
}

void link_cut(void)
{
    struct hostd *h = net.client;
    struct host_call *c;

    if (!h || !h->connected)
        return;
    trace_text("cut");
    h->connected = false;
    list_foreach (c, &h->pending, link) {
        c->lost = c->cancelled = true;
        sched_wake_all(c);
    }
    sched_wake_all(h->connector);
}

void link_host_killed(void)
{
    net.server = NULL;
    link_cut();
}

void link_daemon_killed(void)
{
    struct hostd *h = net.client;
    struct host_call *c;

    net.client = NULL;
    if (!h)
        return;
    list_foreach (c, &h->pending, link) {
        c->cancelled = true;
        c->refs--; /* the caller is no more */
    }
}

/* ---- hostd's side ---- */

struct error *host_server_start(const struct host_server_config *config, struct host_server **ret)
{
    struct host_server *s = xnew(struct host_server);

    s->config = *config;
    s->group = sched_group();
    net.server = *ret = s;
    return NULL;
}

void host_server_stop(struct host_server *s)
{
    s->stopping = true;
    while (s->running)
        sched_block(s, SCHED_NEVER, "calls to end");
    if (net.server == s)
        net.server = NULL;
    travel(); /* the last answers arrive */
    link_cut();
    free(s);
}

void host_server_push(struct host_server *s, const struct host_event_rec *event)
{
    struct hostd *h = net.client;

    if (net.server != s || !h || !h->connected)
        return;
    struct event *e = xnew(struct event);

    arena_init(&e->arena);
    e->rec = record_copy(&e->arena, &host_event_rec_info, event);
    list_append(&h->events, &e->link);
    sched_wake_all(h->notifier);
}

void *host_call_ctx(const struct host_call *c)
{
    return c->server->config.ctx;
}

struct arena *host_call_arena(struct host_call *c)
{
    return &c->arena;
}

bool host_call_cancelled(const struct host_call *c)
{
    return c->cancelled;
}

void host_call_give_fd(struct host_call *c, int fd)
{
    assert(c->n_out < FDS_MAX);
    c->out[c->n_out++] = fd;
}

int host_call_take_fd(struct host_call *c, size_t i)
{
    return i < c->n_in ? TAKE_FD(c->in[i]) : -1;
}

static struct error *run_body(struct host_call *c)
{
    if (!host_bodies[c->id])
        return error_api("NOT_IMPLEMENTED", 1, c->info->name);
    memcpy(c->result, c->info->result->defaults, c->info->result->size);
    return host_bodies[c->id](c, c->args, c->result);
}

/* Calls whose failure is told to a client and undone; the others are what undoes. */
static bool may_be_refused(const char *name)
{
    static const char *const names[] = {"vm_start",   "vm_unpause", "vdi_create",     "vdi_clone",
                                        "vdi_resize", "vm_query",   "vm_attach_disk", "sr_scan",
                                        "vm_pause",   "vm_list",    "vdi_snapshot",   "vdi_stat"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i], name))
            return true;
    return false;
}

static void end_body(struct host_call *c)
{
    struct host_server *s = c->server;

    if (--s->running == 0)
        sched_wake_all(s);
    call_unref(c);
}

static void *body_main(void *arg)
{
    struct host_call *c = arg;
    struct chance *chance = net.config.chance;

    travel();
    if (c->cancelled) {
        end_body(c); /* its connection ended before it began */
        return NULL;
    }
    if (chance_in(chance, net.config.refused, 10000) && may_be_refused(c->info->name))
        c->error = error_errno(EIO, "the simulation lets this fail");
    else
        c->error = run_body(c);
    trace_text(c->error ? "failed" : "done");
    if (chance_in(chance, net.config.lost, 10000))
        link_cut();
    travel();
    c->done = true;
    sched_wake_all(c);
    end_body(c);
    return NULL;
}

/* ---- xenolithd's side ---- */

static bool reachable(void)
{
    return net.server && !net.server->stopping;
}

static struct host_call *begin_call(struct host_server *s, int id, const void *args)
{
    struct host_call *c = xnew(struct host_call);

    c->server = s;
    c->id = id;
    c->info = &host_calls[id];
    c->refs = 2;
    arena_init(&c->arena);
    c->args = record_copy(&c->arena, c->info->args, args);
    c->result = arena_zalloc(&c->arena, c->info->result->size);
    s->running++;
    trace_text(c->info->name);
    struct fiber *f = sched_spawn(s->group, c->info->name, body_main, c);

    sched_release(f);
    return c;
}

static struct error *await(struct hostd *h, int64_t timeout_us)
{
    int64_t end = sched_now_us() + timeout_us;

    while (!h->connected) {
        if (h->stopping)
            return error_errno(EHOSTDOWN, "xenolith-hostd was let go");
        if (!sched_block(h, end, "a connection to hostd"))
            return error_errno(EHOSTDOWN, "xenolith-hostd does not answer");
    }
    return NULL;
}

struct error *hostd_await(struct hostd *h, int64_t timeout_us)
{
    return await(h, timeout_us);
}

static struct error *take_answer(struct host_call *c, struct arena *arena, void *ret, int *fds,
                                 size_t *n_fds)
{
    if (c->lost)
        return error_errno(EHOSTDOWN, "hostd went away");
    if (!c->done)
        return error_errno(ETIMEDOUT, "hostd does not answer %s", c->info->name);
    if (c->error)
        return TAKE_PTR(c->error);
    if (ret) {
        void *copy = record_copy(arena, c->info->result, c->result);

        memcpy(ret, copy, c->info->result->size);
    }
    if (n_fds) {
        memcpy(fds, c->out, c->n_out * sizeof(int));
        *n_fds = c->n_out;
        c->n_out = 0;
    }
    return NULL;
}

/* One attempt. */
static struct error *call_once(struct hostd *h, int call_id, const void *args, struct arena *arena,
                               void *ret, int *fds, size_t *n_fds, bool *ret_lost)
{
    struct error *e = await(h, HOSTD_PATIENCE_US);

    if (e)
        return error_prepend(e, "%s", host_calls[call_id].name);
    if (!net.server) {
        link_cut();
        *ret_lost = true;
        return error_errno(EHOSTDOWN, "hostd went away");
    }
    struct host_call *c = begin_call(net.server, call_id, args);
    int64_t end = c->info->timeout ? sched_now_us() + c->info->timeout * SECOND_US : SCHED_NEVER;

    list_append(&h->pending, &c->link);
    while (!c->done && !c->lost)
        if (!sched_block(c, end, "an answer of hostd"))
            break;
    list_remove(&c->link);
    *ret_lost = c->lost;
    e = take_answer(c, arena, ret, fds, n_fds);
    c->cancelled = true;
    call_unref(c);
    return e;
}

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    int64_t patience = 0;

    for (;;) {
        bool lost = false;
        struct error *e = call_once(h, call_id, args, arena, ret, fds, n_fds, &lost);

        if (!lost || h->stopping || (patience && sched_now_us() >= patience))
            return e;
        error_free(e);
        if (!patience)
            patience = sched_now_us() + HOSTD_PATIENCE_US;
    }
}

static bool say_hello(struct hostd *h)
{
    const struct host_hello_args args = {.version = "simulated", .schema = HOST_PROTO_DIGEST};
    struct host_server *s = net.server;
    int id = 0;

    while (!streq(host_calls[id].name, "hello"))
        id++;
    /* As proto/server.c: calls of the connection that was lost end first. */
    while (s->running && net.server == s)
        sched_block(s, sched_now_us() + SECOND_US, "calls of another connection");
    if (net.server != s)
        return false;
    struct host_call *c = begin_call(s, id, &args);

    while (!c->done && net.server == s)
        sched_block(c, sched_now_us() + SECOND_US, "hello");
    bool done = c->done && net.server == s && !s->stopping;

    if (done) {
        arena_fini(&h->hello_arena);
        arena_init(&h->hello_arena);
        memcpy(&h->hello, record_copy(&h->hello_arena, c->info->result, c->result),
               sizeof(h->hello));
    }
    call_unref(c);
    return done;
}

static void *connector_main(void *arg)
{
    struct hostd *h = arg;

    while (!h->stopping) {
        if (h->connected) {
            sched_block(h->connector, SCHED_NEVER, "the loss of hostd");
            continue;
        }
        if (!reachable() || !say_hello(h)) {
            sched_block(h->connector, sched_now_us() + 20000, "hostd");
            continue;
        }
        drop_events(h);
        h->connected = h->news = true;
        h->connections++;
        sched_wake_all(h);
        sched_wake_all(h->notifier);
    }
    return NULL;
}

static void tell_connected(struct hostd *h)
{
    struct arena a;

    arena_init(&a);
    const struct host_hello_result *hello = record_copy(&a, &host_hello_result_info, &h->hello);

    h->news = false;
    if (h->config.on_connect)
        h->config.on_connect(h->config.ctx, hello);
    arena_fini(&a);
}

static void tell_event(struct hostd *h)
{
    travel();
    if (list_empty(&h->events))
        return; /* the connection was lost on the way */
    struct event *e = list_entry(h->events.next, struct event, link);

    list_remove(&e->link);
    if (h->config.on_event)
        h->config.on_event(h->config.ctx, e->rec);
    arena_fini(&e->arena);
    free(e);
}

static void *notifier_main(void *arg)
{
    struct hostd *h = arg;

    while (!h->stopping) {
        if (h->news)
            tell_connected(h);
        else if (!list_empty(&h->events))
            tell_event(h);
        else
            sched_block(h->notifier, SCHED_NEVER, "news of hostd");
    }
    return NULL;
}

struct error *hostd_open(const struct hostd_config *config, struct hostd **ret)
{
    struct hostd *h = xnew(struct hostd);

    h->config = *config;
    list_init(&h->pending);
    list_init(&h->events);
    arena_init(&h->hello_arena);
    net.client = *ret = h;
    h->connector = sched_spawn(sched_group(), "hostd reader", connector_main, h);
    h->notifier = sched_spawn(sched_group(), "hostd notifier", notifier_main, h);
    return NULL;
}

static void join(struct fiber *f)
{
    while (!sched_ended(f, NULL))
        sched_block(f, SCHED_NEVER, "the end of a fiber");
    sched_release(f);
}

uint64_t hostd_connections(struct hostd *h)
{
    return h->connections;
}

void hostd_cut(struct hostd *h)
{
    if (!h || h->stopping)
        return;
    h->stopping = true;
    link_cut();
    sched_wake_all(h);
    sched_wake_all(h->connector);
    sched_wake_all(h->notifier);
    join(h->connector);
    join(h->notifier);
}

void hostd_close(struct hostd *h)
{
    if (!h)
        return;
    hostd_cut(h);
    drop_events(h);
    arena_fini(&h->hello_arena);
    if (net.client == h)
        net.client = NULL;
    free(h);
}
