/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading requests: TLS handshake, head, body, and the call of the handler. */
#include "wire/conn.h"

#include "base/mem.h"

#include <assert.h>

#define BODY_BYTES_PER_SECOND 4096 /* what a body may not fall below, after the time for a head */

static bool has_early(const struct conn *c)
{
    return c->early && c->early->at < c->early->end;
}

static size_t take_early(struct early *e, void *p, size_t n)
{
    n = MIN(n, e->end - e->at);
    memcpy(p, e->data + e->at, n);
    e->at += n;
    return n;
}

/*
 * Reads what is there. False: the stream has ended or failed. True with *ret_n = 0: nothing yet,
 * an event will tell.
 */
static bool receive(struct conn *c, void *p, size_t n, size_t *ret_n)
{
    *ret_n = 0;
    if (has_early(c)) {
        *ret_n = take_early(c->early, p, n);
        return true;
    }
    if (!c->readable)
        return true;
    switch (transport_read(&c->io, p, n, ret_n)) {
    case TRANSPORT_OK:
        /* Edge-triggered: a short read has emptied a plain socket, unless its end follows. TLS
         * hands out records, so there only "would block" tells. */
        if (!c->io.ssl && *ret_n < n && !c->hung_up)
            c->readable = false;
        return true;
    case TRANSPORT_WANT_WRITE:
        conn_want_out(c, true);
        c->readable = false;
        return true;
    case TRANSPORT_WANT_READ:
        c->readable = false;
        return true;
    case TRANSPORT_EOF:
    case TRANSPORT_FAILED:
        break;
    }
    return false;
}

/* The same into the buffer, which always has room: a head fits in half of it. */
static bool receive_buffered(struct conn *c, size_t *ret_n)
{
    *ret_n = 0;
    if (!c->readable && !has_early(c))
        return true;
    struct buffer *b = conn_need_buffer(c);

    if (b->start && b->end == BUFFER_SIZE) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    assert(b->end < BUFFER_SIZE);
    bool ok = receive(c, b->data + b->end, BUFFER_SIZE - b->end, ret_n);

    b->end += *ret_n;
    if (b->end == b->start)
        conn_give_buffer(c);
    return ok;
}

bool conn_step_handshake(struct conn *c)
{
    if (!c->input_end_us)
        c->input_end_us = poller_now(c->shard->poller) + conn_limits(c)->head_us;
    switch (transport_handshake(&c->io)) {
    case TRANSPORT_OK:
        conn_want_out(c, false);
        c->state = CONN_HEAD;
        c->input_end_us = 0;
        return true;
    case TRANSPORT_WANT_WRITE:
        conn_want_out(c, true);
        break;
    case TRANSPORT_WANT_READ:
        break;
    case TRANSPORT_EOF:
    case TRANSPORT_FAILED:
        conn_close(c);
        return false;
    }
    int64_t left = c->input_end_us - poller_now(c->shard->poller);

    conn_set_deadline(c, MIN(conn_limits(c)->read_us, left));
    return false;
}

/* Waits for more of a request, or for its beginning. */
static bool wait_for_input(struct conn *c)
{
    const struct server_limits *lim = conn_limits(c);

    if (c->input_end_us)
        conn_set_deadline(c, MIN(lim->read_us, c->input_end_us - poller_now(c->shard->poller)));
    else
        conn_set_deadline(c, c->served ? lim->idle_us : lim->read_us);
    return false;
}

static bool dispatch(struct conn *c)
{
    struct http_request *rq = c->rq;
    struct shard *sh = c->shard;

    c->state = CONN_PENDING;
    c->input_end_us = 0;
    c->served++;
    c->deadline_us = TIMER_NEVER; /* how long a call takes is the handler's matter */
    c->answer.close = !rq->head.keep_alive || c->unread || c->relayed;
    atomic_store_explicit(&c->gone, false, memory_order_relaxed);
    atomic_fetch_add_explicit(&sh->requests, 1, memory_order_relaxed);
    c->dispatching = true;
    rq->route->handler(rq->route->ctx, rq);
    c->dispatching = false;
    /* The request may be in other hands, or freed, by now. */
    return c->ended_inside ? conn_apply_ending(c) : true;
}

/* Begins to read a body of n bytes straight into the request's arena. */
static bool begin_body(struct conn *c, size_t n)
{
    struct http_request *rq = c->rq;
    size_t have = MIN(conn_buffered(c), n);

    c->body = arena_alloc(&rq->arena, n + 1);
    c->body[n] = 0;
    c->body_done = have;
    rq->body = c->body;
    rq->body_len = n;
    if (have) {
        memcpy(c->body, c->in->data + c->in->start, have);
        conn_consume(c, have);
    }
    if (have == n)
        return dispatch(c);
    c->input_end_us = poller_now(c->shard->poller) + conn_limits(c)->head_us +
                      (int64_t)(n / BODY_BYTES_PER_SECOND) * 1000000;
    c->state = CONN_BODY;
    if (!have && !conn_invite_body(c)) {
        conn_close(c);
        return false;
    }
    return true;
}

/* Decides what becomes of a request whose head is known. */
static bool route(struct conn *c)
{
    struct http_request *rq = c->rq;
    const struct http_head *h = &rq->head;
    int status = 0;

    rq->route = router_find(c->shard->server->router, h->verb, h->path, &status);
    if (!rq->route && status == 501)
        return conn_refuse(c, status, "This method is not supported.");
    if (!rq->route)
        return conn_refuse(c, status, "Nothing is served here.");
    if (rq->route->flags & ROUTE_STREAM) {
        c->unread = h->content_length > 0 || h->chunked || h->verb == VERB_CONNECT ||
                    (h->verb == VERB_PUT && h->content_length < 0);
        return dispatch(c);
    }
    if (h->chunked)
        return conn_refuse(c, 400, "Chunked bodies are not supported.");
    if (h->content_length < 0 && rq->route->max_body)
        return conn_refuse(c, 411, "The length of the body is missing.");
    /* XenAPI servers answer 500 to a body over the limit, not 413. */
    if (h->content_length > (int64_t)rq->route->max_body)
        return conn_refuse(c, 500, "The body is too large.");
    return h->content_length > 0 ? begin_body(c, (size_t)h->content_length) : dispatch(c);
}

/* Some clients send an empty line after a body; RFC 9112 2.2 wants it ignored. */
static void skip_empty_lines(struct conn *c)
{
    const struct buffer *b = c->in;
    size_t n = 0;

    while (b->start + n < b->end &&
           (b->data[b->start + n] == '\r' || b->data[b->start + n] == '\n'))
        n++;
    if (!n)
        return;
    if (!c->input_end_us)
        c->input_end_us = poller_now(c->shard->poller) + conn_limits(c)->head_us;
    c->scanned = 0;
    conn_consume(c, n);
}

/* Looks for a complete head in the buffer. 0: more is needed; else its length, or a status < 0. */
static ssize_t find_head(struct conn *c)
{
    size_t max = conn_limits(c)->max_head;

    skip_empty_lines(c);
    if (!conn_buffered(c))
        return 0;
    const char *at = c->in->data + c->in->start;

    if (*at < 'A' || *at > 'Z')
        return -400; /* TLS on the plain port, or noise: no use waiting for the rest */
    size_t end = http_head_end(at, conn_buffered(c), &c->scanned);

    if (end > max || (!end && conn_buffered(c) >= max))
        return -431;
    return (ssize_t)end;
}

/* The first request after the connection came from another program. */
static void take_resume(struct conn *c)
{
    struct http_request *rq = c->rq;

    rq->resume = arena_strdup(&rq->arena, c->early->resume);
    if (c->early->start_us)
        rq->start_us = c->early->start_us;
    *c->early->resume = 0;
    c->early->start_us = 0;
}

static bool accept_head(struct conn *c, size_t len)
{
    struct http_request *rq = c->rq = conn_new_request(c);

    int status = http_head_parse(&rq->arena, c->in->data + c->in->start, len, &rq->head);

    conn_consume(c, len);
    c->scanned = 0;
    c->input_end_us = 0;
    if (status)
        return conn_refuse(c, status, "The request is malformed.");
    if (c->early)
        take_resume(c);
    return route(c);
}

bool conn_step_head(struct conn *c)
{
    for (;;) {
        ssize_t len = c->in ? find_head(c) : 0;
        size_t n;

        if (len < 0)
            return conn_refuse(c, (int)-len,
                               len == -431 ? "The head is too large." : "This is no HTTP.");
        if (len > 0)
            return accept_head(c, (size_t)len);
        if (c->in && !c->input_end_us)
            c->input_end_us = poller_now(c->shard->poller) + conn_limits(c)->head_us;
        if (!receive_buffered(c, &n)) {
            conn_close(c);
            return false;
        }
        if (!n)
            return wait_for_input(c);
    }
}

bool conn_step_body(struct conn *c)
{
    while (c->body_done < c->rq->body_len) {
        size_t n;

        if (!receive(c, c->body + c->body_done, c->rq->body_len - c->body_done, &n)) {
            conn_close(c);
            return false;
        }
        if (!n)
            return wait_for_input(c);
        c->body_done += n;
    }
    return dispatch(c);
}
