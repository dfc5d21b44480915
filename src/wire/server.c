/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration, life of the pollers, draining. listener.c makes and serves listening sockets. */
#include "wire/server.h"

#include "base/mem.h"
#include "base/wait.h"
#include "base/workers.h"
#include "wire/conn.h"
#include "wire/listener.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

static void set_defaults(struct server_limits *l)
{
#define DEFAULT(field, value) l->field = l->field ? l->field : (value)
    DEFAULT(read_us, 10 * SECOND_US);
    DEFAULT(head_us, 60 * SECOND_US);
    DEFAULT(idle_us, 300 * SECOND_US);
    DEFAULT(write_us, 60 * SECOND_US);
    DEFAULT(linger_us, 2 * SECOND_US);
    DEFAULT(max_head, HEAD_MAX);
    DEFAULT(max_unix, 1024);
    DEFAULT(max_tcp, 800);
    DEFAULT(max_per_address, 200);
#undef DEFAULT
    l->max_head = MIN(l->max_head, HEAD_MAX);
}

/* A peer that closes early is an ordinary failure of a write (TLS writes give no other choice). */
static void ignore_sigpipe(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

/* Runs the connections that gave others their turn. */
static void resume(struct poller_work *work)
{
    struct shard *sh = container_of(work, struct shard, resume);
    struct list ready;

    list_init(&ready);
    if (!list_empty(&sh->ready)) {
        list_insert_before(&sh->ready, &ready);
        list_remove(&sh->ready);
    }
    while (!list_empty(&ready)) {
        struct conn *c = list_entry(ready.next, struct conn, ready_link);

        list_remove(&c->ready_link);
        conn_run(c);
    }
}

static void tell_drained(struct shard *sh)
{
    struct server *s = sh->server;

    if (sh->drained || sh->n_conns || (!atomic_load(&sh->draining) && !sh->giving))
        return;
    sh->drained = true;
    pthread_mutex_lock(&s->lock);
    s->n_undrained--;
    pthread_cond_signal(&s->drained);
    pthread_mutex_unlock(&s->lock);
}

void shard_conn_gone(struct shard *sh)
{
    sh->n_conns--;
    tell_drained(sh);
}

static void pause_shard(struct poller_work *work)
{
    struct shard *sh = container_of(work, struct shard, pause);
    struct server *s = sh->server;

    if (sh == s->shards)
        listeners_close(s);
    sh->paused = true;
    pthread_mutex_lock(&s->lock);
    s->n_unpaused--;
    pthread_cond_signal(&s->drained);
    pthread_mutex_unlock(&s->lock);
}

static void give_shard(struct poller_work *work)
{
    struct shard *sh = container_of(work, struct shard, give);
    struct conn *c;

    sh->giving = true;
    list_foreach (c, &sh->conns, link)
        if (c->state == CONN_HEAD || c->state == CONN_BODY)
            conn_run(c);
    tell_drained(sh);
}

static void drain(struct poller_work *work)
{
    struct shard *sh = container_of(work, struct shard, drain);
    struct conn *c;

    if (sh == sh->server->shards)
        listeners_close(sh->server);
    sh->drained = false; /* server_await_gone may have been told before */
    list_foreach (c, &sh->conns, link)
        conn_drain(c);
    tell_drained(sh);
}

static struct error *shard_init(struct shard *sh, struct server *s)
{
    sh->server = s;
    list_init(&sh->conns);
    list_init(&sh->ready);
    sh->drain.fn = drain;
    sh->pause.fn = pause_shard;
    sh->give.fn = give_shard;
    sh->resume.fn = resume;
    return poller_new(&sh->poller);
}

static void shard_fini(struct shard *sh)
{
    assert(list_empty(&sh->conns));
    while (sh->buffers) {
        struct buffer *b = sh->buffers;

        sh->buffers = b->next;
        free(b);
    }
    cleanup_poller(&sh->poller);
}

struct error *server_new(const struct server_config *config, struct server **ret)
{
    struct server *s = xnew(struct server);

    ignore_sigpipe();
    s->limits = config->limits;
    set_defaults(&s->limits);
    s->tls = config->tls;
    s->router = router_new(config->routes, config->n_routes);
    s->admission = admission_new(&(struct admission_limits){s->limits.max_unix, s->limits.max_tcp,
                                                            s->limits.max_per_address});
    list_init(&s->listeners);
    list_init(&s->relayed);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->drained, NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    s->n_shards = config->n_pollers ? config->n_pollers : (unsigned)MAX(1, MIN(cores, 2));
    s->shards = xnew_array(struct shard, s->n_shards);
    for (unsigned i = 0; i < s->n_shards; i++) {
        struct error *e = shard_init(&s->shards[i], s);

        if (e) {
            s->n_shards = i;
            server_free(s);
            return e;
        }
    }
    *ret = s;
    return NULL;
}

struct error *server_start(struct server *s)
{
    for (unsigned i = 0; i < s->n_shards; i++) {
        char name[16];

        snprintf(name, sizeof(name), "http-%u", i % 1000);
        struct error *e = poller_start(s->shards[i].poller, name);

        if (e) {
            server_stop(s, 0);
            return e;
        }
        s->started = true;
    }
    return NULL;
}

/* Waits until no connection is left. */
static bool wait_drained(struct server *s, int64_t drain_us)
{
    int64_t end = mono_us() + drain_us;

    pthread_mutex_lock(&s->lock);
    while (s->n_undrained && cond_wait_until(&s->drained, &s->lock, end))
        ;
    bool all = s->n_undrained == 0;

    pthread_mutex_unlock(&s->lock);
    return all;
}

/* The pollers have ended: closes what was too slow. */
static bool close_rest(struct shard *sh)
{
    bool all = true;
    struct conn *c;

    list_foreach (c, &sh->conns, link) {
        if (c->state == CONN_PENDING)
            all = false;
        else
            conn_close(c);
    }
    return all;
}

/* What was posted to pollers without a thread: ended requests, accepted connections, listeners. */
static void run_leftovers(struct server *s)
{
    for (unsigned i = 0; i < s->n_shards; i++) {
        poller_stop(s->shards[i].poller);
        poller_run(s->shards[i].poller);
    }
}

void server_pause(struct server *s)
{
    if (!s->started)
        return;
    s->n_unpaused = s->n_shards;
    for (unsigned i = 0; i < s->n_shards; i++)
        poller_post(s->shards[i].poller, &s->shards[i].pause);
    pthread_mutex_lock(&s->lock);
    while (s->n_unpaused)
        pthread_cond_wait(&s->drained, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void server_give(struct server *s, void (*fn)(void *ctx, struct given *g), void *ctx)
{
    s->give = fn;
    s->give_ctx = ctx;
    s->n_undrained = s->n_shards;
    IGNORE_ERROR(workers_new("relay", s->limits.max_tcp, s->limits.max_tcp, &s->relays));
    for (unsigned i = 0; i < s->n_shards; i++)
        poller_post(s->shards[i].poller, &s->shards[i].give);
}

bool server_await_gone(struct server *s, int64_t timeout_us)
{
    const int64_t end = mono_us() + timeout_us;

    return wait_drained(s, timeout_us) && workers_settle(s->relays, MAX(end - mono_us(), 0));
}

bool server_stop(struct server *s, int64_t drain_us)
{
    bool all = true;

    if (!s->started)
        return true;
    s->n_undrained = s->n_shards;
    for (unsigned i = 0; i < s->n_shards; i++) {
        atomic_store(&s->shards[i].draining, true);
        poller_post(s->shards[i].poller, &s->shards[i].drain);
    }
    wait_drained(s, drain_us);
    for (unsigned i = 0; i < s->n_shards; i++)
        poller_stop(s->shards[i].poller);
    for (unsigned i = 0; i < s->n_shards; i++)
        poller_join(s->shards[i].poller);
    run_leftovers(s);
    for (unsigned i = 0; i < s->n_shards; i++)
        all = close_rest(&s->shards[i]) && all;
    run_leftovers(s);
    s->started = false;
    return all;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    assert(!s->started);
    run_leftovers(s);
    server_end_relays(s);
    workers_free(s->relays);
    if (s->n_shards)
        listeners_close(s);
    for (unsigned i = 0; i < s->n_shards; i++)
        shard_fini(&s->shards[i]);
    free(s->shards);
    router_free(s->router);
    admission_free(s->admission);
    pthread_cond_destroy(&s->drained);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct server_stats server_stats(const struct server *s)
{
    struct server_stats st = {
        .accepted = atomic_load(&s->accepted),
        .refused = atomic_load(&s->refused),
    };

    admission_counts(s->admission, &st.unix_connections, &st.tcp_connections);
    for (unsigned i = 0; i < s->n_shards; i++)
        st.requests += atomic_load(&s->shards[i].requests);
    return st;
}
