/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames of a console in a browser, arriving in pieces: bytes come out at most once and bounded,
 * what is sent back are whole frames of a server, and everything ends. The stream below is made
 * here: the first byte of the input says how much of the rest it moves at a time.
 */
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "wire/stream_private.h"
#include "wire/websocket.h"

#include <assert.h>
#include <poll.h>

struct stream {
    const uint8_t *in;
    size_t in_left, step;
    unsigned waits;
    struct str out;
    bool closed;
};

static struct stream wire;

/* ---- instead of wire/stream.c and wire/request.c ---- */

struct stream *http_take(struct http_request *rq)
{
    return &wire;
}

struct error *http_stream_head(struct stream *s, int minor, const struct http_reply *reply,
                               int64_t length)
{
    assert(reply->status == 101);
    return NULL;
}

struct error *stream_try_read(struct stream *s, void *p, size_t n, size_t *ret_n, short *ret_events,
                              bool *ret_eof)
{
    *ret_n = MIN(MIN(n, s->step), s->in_left);
    memcpy(p, s->in, *ret_n);
    s->in += *ret_n;
    s->in_left -= *ret_n;
    *ret_eof = *ret_n == 0;
    *ret_events = POLLIN;
    return NULL;
}

struct error *stream_try_write(struct stream *s, const void *p, size_t n, size_t *ret_n,
                               short *ret_events)
{
    /* Now and then the peer does not read. */
    *ret_n = s->waits++ % 3 ? MIN(n, s->step) : 0;
    *ret_events = POLLOUT;
    str_add_mem(&s->out, p, *ret_n);
    return NULL;
}

struct error *stream_wait(struct stream *s, short events, int64_t timeout_us)
{
    assert(s->waits++ < 1000000); /* else it waits for what never comes */
    return NULL;
}

void stream_cancel(struct stream *s)
{
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    assert(!s->closed);
    s->closed = true;
}

/* ---- what must hold ---- */

/* RFC 6455 5.2: whole, not masked, not in pieces, nothing behind a close. */
static void check_frames(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;
    bool closed = false;

    while (len) {
        assert(len >= 2 && !closed);
        unsigned op = p[0] & 15, head = p[1] == 126 ? 4 : 2;
        size_t n = p[1];

        assert((p[0] & 0xf0) == 0x80 && (op == 2 || op == 8 || op == 10));
        assert(p[1] <= 126 && len >= head);
        if (head == 4)
            n = (size_t)p[2] << 8 | p[3];
        assert(len - head >= n && (op == 2 || n <= 125));
        closed = op == 8;
        p += head + n;
        len -= head + n;
    }
}

static struct websocket *open_socket(struct http_request *rq)
{
    static struct http_field headers[] = {{"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                          {"sec-websocket-version", "13"}};
    struct websocket *ws;

    rq->head = (struct http_head){.verb = VERB_GET,
                                  .minor = 1,
                                  .upgrade_websocket = true,
                                  .headers = headers,
                                  .n_headers = ARRAY_SIZE(headers)};
    struct error *e = websocket_accept(rq, &ws);

    assert(!e);
    return ws;
}

/* As an echo does. */
static struct error *send_back(struct websocket *ws, const char *p, size_t n)
{
    short events;

    for (size_t sent = 0, done; sent < n; sent += done) {
        TRY(websocket_try_write(ws, p + sent, n - sent, &done, &events));
        assert(done <= n - sent && wire.waits++ < 1000000);
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request rq = {0};
    struct error *e = NULL;
    size_t total = 0, n;
    bool eof = false;
    short events;

    if (!size)
        return 0;
    wire = (struct stream){.in = data + 1, .in_left = size - 1, .step = data[0] % 64 + 1u};
    arena_init(&rq.arena);
    struct websocket *ws = open_socket(&rq);

    while (!e && !eof) {
        char buf[300];

        e = websocket_try_read(ws, buf, sizeof(buf), &n, &events, &eof);
        assert(e || n <= sizeof(buf));
        total += e ? 0 : n;
        assert(total <= size && wire.waits++ < 1000000);
        if (!e)
            e = send_back(ws, buf, n);
    }
    error_free(e);
    websocket_close(ws, 1000);
    assert(wire.closed);
    check_frames(wire.out.s, wire.out.len);
    str_fini(&wire.out);
    arena_fini(&rq.arena);
    return 0;
}
