/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a handler does with its request: answer, take, drop. */
#include "base/str.h"
#include "wire/conn.h"
#include "wire/reply_head.h"
#include "wire/stream_private.h"

#include <assert.h>
#include <sys/socket.h>

static void end_request(struct conn *c, enum ending ending)
{
    assert(c->ending == ENDING_NONE); /* a request ends once */
    c->ending = ending;
    conn_request_ended(c);
}

/* Puts the head in front of the pieces. Returns the number of body bytes. */
static size_t gather(struct http_request *rq, const struct http_reply *reply, size_t file_size)
{
    struct answer *a = &rq->conn->answer;
    bool silent = rq->head.verb == VERB_HEAD;
    size_t total = file_size;
    size_t n = 1;

    a->close |= reply->close;
    a->close |= atomic_load_explicit(&rq->conn->shard->draining, memory_order_relaxed);
    a->pieces = arena_alloc(&rq->arena, (reply->n_body + 1) * sizeof(*a->pieces));
    for (size_t i = 0; i < reply->n_body; i++) {
        total += reply->body[i].iov_len;
        if (reply->body[i].iov_len && !silent)
            a->pieces[n++] = reply->body[i];
    }
    a->pieces[0] = reply_head(&rq->arena, 1, reply, (int64_t)total, a->close || rq->conn->unread);
    a->n_pieces = n;
    return silent ? 0 : total;
}

void http_reply(struct http_request *rq, const struct http_reply *reply)
{
    gather(rq, reply, 0);
    end_request(rq->conn, ENDING_REPLY);
}

void http_reply_file(struct http_request *rq, const struct http_reply *reply, int fd, size_t size)
{
    struct http_reply head = *reply;
    struct answer *a = &rq->conn->answer;

    head.n_body = 0;
    a->file = fd;
    a->file_offset = 0;
    a->file_left = gather(rq, &head, size);
    end_request(rq->conn, ENDING_REPLY);
}

void http_reply_mem(struct http_request *rq, int status, const char *type, const void *p, size_t n)
{
    struct iovec piece = {(void *)(uintptr_t)p, n};

    http_reply(rq,
               &(struct http_reply){.status = status, .type = type, .body = &piece, .n_body = 1});
}

static void add_escaped(struct str *b, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '<':
            str_add(b, "&lt;");
            break;
        case '>':
            str_add(b, "&gt;");
            break;
        case '&':
            str_add(b, "&amp;");
            break;
        case '"':
            str_add(b, "&quot;");
            break;
        default:
            str_add_char(b, *s);
        }
    }
}

void http_reply_text(struct http_request *rq, int status, const char *fmt, ...)
{
    _cleanup_str_ struct str page = STR_INIT;
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    str_printf(&page, "<html><head><title>%d %s</title></head><body><h1>%d %s</h1><p>", status,
               http_status_name(status), status, http_status_name(status));
    add_escaped(&page, text);
    str_add(&page, "</p></body></html>\n");
    http_reply_mem(rq, status, "text/html", arena_memdup(&rq->arena, page.s, page.len), page.len);
}

void http_return(struct http_request *rq, const char *resume)
{
    rq->resume = arena_strdup(&rq->arena, resume);
    end_request(rq->conn, ENDING_RETURN);
}

void http_drop(struct http_request *rq)
{
    end_request(rq->conn, ENDING_DROP);
}

void http_on_gone(struct http_request *rq, void (*fn)(void *ctx, struct http_request *rq),
                  void *ctx)
{
    struct conn *c = rq->conn;

    assert(c->dispatching && poller_is_current(c->shard->poller));
    c->on_gone = fn;
    c->gone_ctx = ctx;
}

bool http_is_gone(const struct http_request *rq)
{
    return atomic_load_explicit(&rq->conn->gone, memory_order_relaxed);
}

void http_run(struct http_request *rq, void (*fn)(void *ctx), void *ctx)
{
    rq->conn->run = fn;
    rq->conn->run_ctx = ctx;
    conn_request_run(rq->conn);
}

struct stream *http_take(struct http_request *rq)
{
    struct conn *c = rq->conn;

    /* The poller leaves a pending connection's parts alone, so they may go from any thread. */
    poller_remove(c->shard->poller, &c->source);
    rq->peer = arena_memdup(&rq->arena, &c->peer, sizeof(c->peer));
    rq->conn = NULL;
    size_t n;
    _cleanup_free_ char *unused = conn_copy_unused(c, &n);

    /* Or the client waits before it sends what the stream is for; that fails then if this does. */
    if (!n && rq->head.content_length > 0 && !conn_invite_body(c))
        shutdown(c->io.fd, SHUT_RDWR);
    struct stream *s = stream_adopt(&c->io, unused, n, c->ticket);

    c->ticket = (struct ticket){0};
    end_request(c, ENDING_TAKE);
    return s;
}

void http_request_free(struct http_request *rq)
{
    arena_fini(&rq->arena);
    free(rq);
}

struct error *http_stream_head(struct stream *s, int minor, const struct http_reply *reply,
                               int64_t length)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    struct iovec head = reply_head(&a, minor, reply, length, true);

    return stream_write(s, head.iov_base, head.iov_len);
}
