/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving connections to another program. What was read of a request goes along as bytes, so that
 * the other one reads it as if for the first time. A TLS connection cannot leave the program that
 * holds its keys: that one stays and relays it.
 */
#include "wire/conn.h"

#include "base/str.h"
#include "base/workers.h"
#include "wire/relay.h"
#include "wire/stream_private.h"

#include <sys/socket.h>

#define RELAY_IDLE_US 0 /* the other program keeps the time */

struct relayed {
    struct list link;
    struct server *server;
    struct stream *stream;
    int fd;
};

static void relay_main(void *arg)
{
    struct relayed *r = arg;
    struct server *s = r->server;

    /* Either side may end it; there is nobody to tell why. */
    IGNORE_ERROR(relay_stream(r->stream, r->fd, RELAY_IDLE_US, NULL));
    pthread_mutex_lock(&s->lock);
    list_remove(&r->link);
    pthread_mutex_unlock(&s->lock);
    stream_close(r->stream);
    cleanup_close(&r->fd);
    free(r);
}

/* Keeps the TLS connection here; *ret_fd is the plain one that stands for it. False: no thread or
 * descriptor is left, the stream is closed. */
static bool relay_start(struct server *s, struct stream *stream, int *ret_fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        stream_close(stream);
        return false;
    }
    struct relayed *r = xnew(struct relayed);

    *r = (struct relayed){.server = s, .stream = stream, .fd = pair[0]};
    pthread_mutex_lock(&s->lock);
    list_append(&s->relayed, &r->link);
    if (s->relays_end)
        stream_cancel(stream);
    pthread_mutex_unlock(&s->lock);
    *ret_fd = pair[1];
    if (workers_run(s->relays, relay_main, r))
        return true;
    *ret_fd = -1;
    cleanup_close(&pair[1]); /* which ends the relay at once */
    relay_main(r);
    return false;
}

void server_end_relays(struct server *s)
{
    struct relayed *r;

    pthread_mutex_lock(&s->lock);
    s->relays_end = true;
    list_foreach (r, &s->relayed, link)
        stream_cancel(r->stream);
    pthread_mutex_unlock(&s->lock);
}

/* The head as it could have been sent. Whoever waited for "100 Continue" has got it. */
static void add_head(struct str *out, const struct http_head *h)
{
    str_printf(out, "%s %s HTTP/1.%d\r\n", http_verb_name(h->verb), h->target, h->minor);
    for (size_t i = 0; i < h->n_headers; i++) {
        if (!h->expect_continue || strcasecmp(h->headers[i].name, "expect"))
            str_printf(out, "%s: %s\r\n", h->headers[i].name, h->headers[i].value);
    }
    str_lit(out, "\r\n");
}

static void add_request(struct str *out, const struct conn *c)
{
    size_t n;
    _cleanup_free_ char *unused = conn_copy_unused(c, &n);

    if (c->state == CONN_BODY) {
        add_head(out, &c->rq->head);
        str_add_mem(out, c->body, c->body_done);
    }
    str_add_mem(out, unused, n);
}

/* What the next program is to know of the first request: this one's, or a predecessor's word. */
static void describe(const struct conn *c, struct given *ret)
{
    ret->resume = "";
    if (c->state == CONN_BODY) {
        ret->resume = c->rq->resume;
        ret->start_us = c->body_done == c->rq->body_len ? c->rq->start_us : 0;
    } else if (c->early) {
        ret->resume = c->early->resume;
        ret->start_us = c->early->start_us;
    }
}

void conn_give(struct conn *c)
{
    struct server *s = c->shard->server;
    struct given g = {.fd = -1, .peer = c->peer, .relayed = c->relayed || c->io.ssl};
    _cleanup_str_ struct str bytes = STR_INIT;

    add_request(&bytes, c);
    g.bytes = str_cstr(&bytes);
    g.n = bytes.len;
    describe(c, &g);
    poller_remove(c->shard->poller, &c->source);
    if (!c->io.ssl) {
        g.fd = TAKE_FD(c->io.fd);
        ticket_return(&c->ticket);
    } else if (s->relays) {
        struct stream *stream = stream_adopt(&c->io, NULL, 0, c->ticket);

        c->ticket = (struct ticket){0};
        relay_start(s, stream, &g.fd);
    }
    if (g.fd >= 0)
        s->give(s->give_ctx, &g);
    transport_fini(&c->io);
    conn_forget(c);
}
