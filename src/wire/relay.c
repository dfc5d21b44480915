/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/relay.h"

#include "base/io.h"
#include "wire/stream_private.h"

#include <errno.h>
#include <poll.h>

#define CHUNK 65536

/* The client's side: a stream or a WebSocket. */
struct client {
    void *self;
    struct stream *stream; /* to wait on */
    struct error *(*try_read)(void *self, void *p, size_t n, size_t *ret_n, short *ret_events,
                              bool *ret_eof);
    struct error *(*try_write)(void *self, const void *p, size_t n, size_t *ret_n,
                               short *ret_events);
};

/* One direction. `wants_*` is what to poll for; 0 while it does not wait on that side. */
struct flow {
    char *buf; /* CHUNK bytes; at..end are on their way */
    size_t at;
    size_t end;
    bool eof;
    short wants_in;
    short wants_out;
    uint64_t total;
};

static void flow_fini(struct flow *f)
{
    free(f->buf);
}

static struct error *stream_read_step(void *self, void *p, size_t n, size_t *ret_n,
                                      short *ret_events, bool *ret_eof)
{
    return stream_try_read(self, p, n, ret_n, ret_events, ret_eof);
}

static struct error *stream_write_step(void *self, const void *p, size_t n, size_t *ret_n,
                                       short *ret_events)
{
    return stream_try_write(self, p, n, ret_n, ret_events);
}

static struct error *websocket_read_step(void *self, void *p, size_t n, size_t *ret_n,
                                         short *ret_events, bool *ret_eof)
{
    return websocket_try_read(self, p, n, ret_n, ret_events, ret_eof);
}

static struct error *websocket_write_step(void *self, const void *p, size_t n, size_t *ret_n,
                                          short *ret_events)
{
    return websocket_try_write(self, p, n, ret_n, ret_events);
}

static struct error *fd_read(int fd, struct flow *f)
{
    ssize_t n = read(fd, f->buf, CHUNK);

    if (n > 0)
        f->end = (size_t)n;
    else if (n < 0 && errno == EAGAIN)
        f->wants_in = POLLIN;
    else if (n == 0 || errno == EIO || errno == ECONNRESET) /* EIO: a terminal's other side */
        f->eof = true;
    else if (errno != EINTR)
        return error_errno(errno, "cannot read from the console");
    return NULL;
}

static struct error *fd_write(int fd, struct flow *f, size_t *ret_n)
{
    ssize_t n = write(fd, f->buf + f->at, f->end - f->at);

    *ret_n = n > 0 ? (size_t)n : 0;
    if (n >= 0 || errno == EINTR)
        return NULL;
    if (errno != EAGAIN)
        return error_errno(errno, "cannot write to the console");
    f->wants_out = POLLOUT;
    return NULL;
}

static void advance(struct flow *f, size_t n, bool *ret_moved)
{
    f->at += n;
    f->total += n;
    *ret_moved |= n > 0;
    if (f->at == f->end)
        f->at = f->end = 0;
}

static struct error *from_client(struct client *c, int fd, struct flow *f, bool *ret_moved)
{
    size_t n;

    f->wants_in = f->wants_out = 0;
    if (f->at == f->end && !f->eof) {
        TRY(c->try_read(c->self, f->buf, CHUNK, &n, &f->wants_in, &f->eof));
        if (n)
            f->wants_in = 0;
        f->end = n;
    }
    if (f->at == f->end)
        return NULL;
    TRY(fd_write(fd, f, &n));
    advance(f, n, ret_moved);
    return NULL;
}

static struct error *to_client(struct client *c, int fd, struct flow *f, bool *ret_moved)
{
    size_t n;

    f->wants_in = f->wants_out = 0;
    if (f->at == f->end && !f->eof)
        TRY(fd_read(fd, f));
    if (f->at == f->end)
        return NULL;
    TRY(c->try_write(c->self, f->buf + f->at, f->end - f->at, &n, &f->wants_out));
    if (n)
        f->wants_out = 0;
    advance(f, n, ret_moved);
    return NULL;
}

static struct error *pump(struct client *c, int fd, int64_t idle_us, struct flow *up,
                          struct flow *down)
{
    for (;;) {
        bool moved = false;

        TRY(from_client(c, fd, up, &moved));
        TRY(to_client(c, fd, down, &moved));
        if ((up->eof && up->at == up->end) || (down->eof && down->at == down->end))
            return NULL;
        if (!moved)
            TRY(stream_wait_either(c->stream, (short)(up->wants_in | down->wants_out), fd,
                                   (short)(up->wants_out | down->wants_in), idle_us));
    }
}

static struct error *relay(struct client *c, int fd, int64_t idle_us, struct relay_stats *ret_stats)
{
    _cleanup_(flow_fini) struct flow up = {.buf = xmalloc(CHUNK)};
    _cleanup_(flow_fini) struct flow down = {.buf = xmalloc(CHUNK)};

    TRY(io_set_nonblock(fd, true));
    struct error *e = pump(c, fd, idle_us, &up, &down);

    if (ret_stats)
        *ret_stats = (struct relay_stats){.to_client = down.total, .from_client = up.total};
    return e;
}

struct error *relay_stream(struct stream *s, int fd, int64_t idle_us, struct relay_stats *ret_stats)
{
    struct client c = {s, s, stream_read_step, stream_write_step};

    return relay(&c, fd, idle_us, ret_stats);
}

struct error *relay_websocket(struct websocket *ws, int fd, int64_t idle_us,
                              struct relay_stats *ret_stats)
{
    struct client c = {ws, websocket_stream(ws), websocket_read_step, websocket_write_step};

    return relay(&c, fd, idle_us, ret_stats);
}
