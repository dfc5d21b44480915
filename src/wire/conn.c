/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life and scheduling of a connection on its poller. */
#include "wire/conn.h"

#include "base/mem.h"

#include <assert.h>
#include <sys/socket.h>

#define TURNS 32 /* steps before other connections have their turn */

const struct server_limits *conn_limits(const struct conn *c)
{
    return &c->shard->server->limits;
}

/* Time. */

void conn_set_deadline(struct conn *c, int64_t from_now_us)
{
    /* Moving the timer costs more than letting it fire early once in a while. */
    c->deadline_us = poller_now(c->shard->poller) + from_now_us;
    if (!timer_is_started(&c->timer) || c->timer.due_us > c->deadline_us)
        timer_start(poller_timers(c->shard->poller), &c->timer, c->deadline_us);
}

/* A time-out has passed. */
static void conn_expired(struct conn *c)
{
    switch (c->state) {
    case CONN_HEAD:
    case CONN_BODY:
        /* A request that has begun is answered; mere silence is not. */
        if (c->input_end_us) {
            if (conn_refuse(c, 408, "The request did not arrive in time."))
                conn_run(c);
            return;
        }
        conn_close(c);
        return;
    case CONN_HANDSHAKE:
    case CONN_ANSWER:
    case CONN_LINGER:
        conn_close(c);
        return;
    case CONN_PENDING:
    case CONN_CLOSED:
        return;
    }
}

static void on_timer(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);

    if (c->deadline_us == TIMER_NEVER)
        return;
    if (c->deadline_us > poller_now(c->shard->poller))
        timer_start(poller_timers(c->shard->poller), t, c->deadline_us);
    else
        conn_expired(c);
}

/* Buffers. */

struct buffer *conn_need_buffer(struct conn *c)
{
    struct shard *sh = c->shard;
    struct buffer *b = c->in;

    if (b)
        return b;
    b = sh->buffers;
    if (b) {
        sh->buffers = b->next;
        sh->n_buffers--;
    } else {
        b = xmalloc(sizeof(*b));
    }
    b->start = b->end = 0;
    c->in = b;
    return b;
}

void conn_give_buffer(struct conn *c)
{
    struct shard *sh = c->shard;
    struct buffer *b = TAKE_PTR(c->in);

    if (!b)
        return;
    if (sh->n_buffers == BUFFERS_KEPT) {
        free(b);
        return;
    }
    b->next = sh->buffers;
    sh->buffers = b;
    sh->n_buffers++;
}

void conn_consume(struct conn *c, size_t n)
{
    c->in->start += n;
    if (c->in->start == c->in->end)
        conn_give_buffer(c);
}

size_t conn_buffered(const struct conn *c)
{
    return c->in ? c->in->end - c->in->start : 0;
}

/* Life. */

static void destroy(struct poller_work *work)
{
    free(container_of(work, struct conn, work));
}

/* Leaves the shard. The memory goes after the running batch of events, which may still name it. */
static void leave(struct conn *c)
{
    struct shard *sh = c->shard;

    c->state = CONN_CLOSED;
    conn_give_buffer(c);
    conn_free_early(c);
    timer_stop(poller_timers(sh->poller), &c->timer);
    list_remove(&c->link);
    list_remove(&c->ready_link);
    atomic_fetch_sub_explicit(&sh->load, 1, memory_order_relaxed);
    c->work.fn = destroy;
    poller_post(sh->poller, &c->work);
    shard_conn_gone(sh);
}

void conn_free_request(struct conn *c)
{
    cleanup_close(&c->answer.file);
    c->answer = (struct answer){.file = -1};
    if (c->rq)
        http_request_free(TAKE_PTR(c->rq));
    c->body = NULL;
}

void conn_forget(struct conn *c)
{
    conn_free_request(c);
    leave(c);
}

void conn_close(struct conn *c)
{
    assert(c->state != CONN_PENDING && c->state != CONN_CLOSED);
    conn_free_request(c);
    poller_remove(c->shard->poller, &c->source);
    transport_end(&c->io);
    transport_fini(&c->io);
    ticket_return(&c->ticket);
    leave(c);
}

void conn_want_out(struct conn *c, bool on)
{
    uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;

    if (c->wants_out == on)
        return;
    c->wants_out = on;
    if (on)
        events |= EPOLLOUT;
    /* Only a descriptor that is not there could fail. */
    struct error *e = poller_change(c->shard->poller, &c->source, events);

    assert(!e);
}

static void on_event(struct poller_source *source, uint32_t events)
{
    struct conn *c = container_of(source, struct conn, source);

    if (c->state == CONN_CLOSED)
        return; /* closed by an earlier event of the same batch */
    if (events & (EPOLLHUP | EPOLLERR))
        c->broken = c->hung_up = true;
    if (events & EPOLLRDHUP)
        c->hung_up = true;
    /* TLS may wait for either direction in both. The transport is not asked: it may be in other
     * hands. */
    if (c->peer.kind == PEER_TLS || events & ~(uint32_t)EPOLLOUT)
        c->readable = true;
    conn_run(c);
}

static struct early *early_new(const struct given *g)
{
    struct early *e = xcalloc(1, sizeof(*e) + g->n);

    e->resume = xstrdup(g->resume);
    e->start_us = g->start_us;
    e->end = g->n;
    if (g->n)
        memcpy(e->data, g->bytes, g->n);
    return e;
}

void conn_free_early(struct conn *c)
{
    if (c->early)
        free(c->early->resume);
    free(TAKE_PTR(c->early));
}

char *conn_copy_unused(const struct conn *c, size_t *ret_n)
{
    const struct early *e = c->early;
    size_t buffered = conn_buffered(c), left = e ? e->end - e->at : 0;
    char *p = xmalloc(buffered + left + 1);

    if (buffered)
        memcpy(p, c->in->data + c->in->start, buffered);
    if (left)
        memcpy(p + buffered, e->data + e->at, left);
    *ret_n = buffered + left;
    return p;
}

static void start(struct poller_work *work)
{
    struct conn *c = container_of(work, struct conn, work);
    struct shard *sh = c->shard;

    list_append(&sh->conns, &c->link);
    sh->n_conns++;
    c->source = (struct poller_source){c->io.fd, on_event};
    c->readable = true;
    struct error *e = poller_add(sh->poller, &c->source, EPOLLIN | EPOLLRDHUP | EPOLLET);

    if (e || atomic_load(&sh->draining)) {
        IGNORE_ERROR(e);
        conn_close(c);
        return;
    }
    c->state = c->io.ssl ? CONN_HANDSHAKE : CONN_HEAD;
    conn_set_deadline(c, conn_limits(c)->read_us);
    conn_run(c);
}

void conn_new(struct shard *shard, int fd, const struct http_peer *peer, struct ticket ticket,
              const struct given *given)
{
    struct conn *c = xnew(struct conn);
    struct tls *tls = peer->kind == PEER_TLS && !given ? shard->server->tls : NULL;

    c->shard = shard;
    c->peer = *peer;
    c->ticket = ticket;
    c->answer.file = -1;
    c->deadline_us = TIMER_NEVER;
    c->timer.fn = on_timer;
    list_init(&c->link);
    list_init(&c->ready_link);
    if (given) {
        c->early = early_new(given);
        c->relayed = given->relayed;
        c->served = 1; /* an idle one may wait as long as it could have */
    }
    struct error *e = transport_init(&c->io, fd, tls);

    if (e) {
        error_free(e);
        transport_fini(&c->io);
        ticket_return(&c->ticket);
        conn_free_early(c);
        free(c);
        return;
    }
    atomic_fetch_add_explicit(&shard->load, 1, memory_order_relaxed);
    c->work.fn = start;
    poller_post(shard->poller, &c->work);
}

/* Requests. */

struct http_request *conn_new_request(struct conn *c)
{
    struct http_request *rq = xnew(struct http_request);

    arena_init(&rq->arena);
    rq->conn = c;
    rq->peer = &c->peer;
    rq->body = rq->resume = "";
    rq->start_us = poller_now(c->shard->poller);
    return rq;
}

bool conn_apply_ending(struct conn *c)
{
    enum ending ending = c->ending;

    assert(c->state == CONN_PENDING && ending != ENDING_NONE);
    c->ending = ENDING_NONE;
    c->ended_inside = false;
    c->on_gone = NULL;
    if (ending == ENDING_TAKE) {
        c->rq = NULL; /* socket, ticket and request have other owners now */
        leave(c);
        return false;
    }
    if (ending == ENDING_RETURN) {
        assert(c->shard->paused);
        c->state = CONN_BODY; /* as it was before the handler was called */
        c->body_done = c->rq->body_len;
        return true;
    }
    c->state = CONN_ANSWER;
    if (ending == ENDING_DROP || c->broken) {
        conn_close(c);
        return false;
    }
    conn_set_deadline(c, conn_limits(c)->write_us);
    return true;
}

static void ended(struct poller_work *work)
{
    struct conn *c = container_of(work, struct conn, work);

    if (conn_apply_ending(c))
        conn_run(c);
}

static void run_inside(struct poller_work *work)
{
    struct conn *c = container_of(work, struct conn, work);

    c->dispatching = true;
    c->run(c->run_ctx);
    c->dispatching = false;
    if (c->ended_inside && conn_apply_ending(c))
        conn_run(c);
}

void conn_request_run(struct conn *c)
{
    c->work.fn = run_inside;
    poller_post(c->shard->poller, &c->work);
}

void conn_request_ended(struct conn *c)
{
    if (poller_is_current(c->shard->poller) && c->dispatching) {
        c->ended_inside = true;
        return;
    }
    c->work.fn = ended;
    poller_post(c->shard->poller, &c->work);
}

bool conn_refuse(struct conn *c, int status, const char *why)
{
    if (!c->rq)
        c->rq = conn_new_request(c);
    c->unread = true;
    c->state = CONN_PENDING;
    c->answer.close = true;
    c->dispatching = true;
    http_reply_text(c->rq, status, "%s", why);
    c->dispatching = false;
    return conn_apply_ending(c);
}

/* A handler owns the request: it can only be told that nobody waits any more. */
static void notice_gone(struct conn *c)
{
    void (*fn)(void *ctx, struct http_request *rq) = c->on_gone;
    bool going = c->hung_up || atomic_load_explicit(&c->shard->draining, memory_order_relaxed);

    if (!going)
        return;
    if (c->hung_up)
        atomic_store_explicit(&c->gone, true, memory_order_relaxed);
    c->on_gone = NULL;
    if (fn)
        fn(c->gone_ctx, c->rq);
}

/* What comes in is not looked at: no handler may be called. */
static bool is_held(const struct conn *c)
{
    return c->shard->paused && (c->state == CONN_HEAD || c->state == CONN_BODY);
}

void conn_drain(struct conn *c)
{
    bool idle =
        c->state == CONN_HANDSHAKE || (c->state == CONN_HEAD && !conn_buffered(c)) || is_held(c);

    if (idle)
        conn_close(c);
    else if (c->state == CONN_PENDING)
        notice_gone(c);
}

static bool step(struct conn *c)
{
    if (is_held(c)) {
        c->deadline_us = TIMER_NEVER;
        if (c->shard->giving)
            conn_give(c);
        return false;
    }
    switch (c->state) {
    case CONN_HANDSHAKE:
        return conn_step_handshake(c);
    case CONN_HEAD:
        return conn_step_head(c);
    case CONN_BODY:
        return conn_step_body(c);
    case CONN_ANSWER:
        return conn_step_answer(c);
    case CONN_LINGER:
        return conn_step_linger(c);
    case CONN_PENDING:
        notice_gone(c);
        return false;
    case CONN_CLOSED:
        break;
    }
    return false;
}

void conn_run(struct conn *c)
{
    struct shard *sh = c->shard;

    for (int i = 0; i < TURNS; i++) {
        if (!step(c))
            return;
    }
    if (list_empty(&sh->ready))
        poller_post(sh->poller, &sh->resume);
    list_remove(&c->ready_link);
    list_append(&sh->ready, &c->ready_link);
}
