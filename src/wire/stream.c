/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/stream.h"

#include "base/mem.h"
#include "base/world.h"
#include "wire/stream_private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define WRITE_TIMEOUT_US (60 * SECOND_US)
#define CLOSE_BYTES      (256u << 10)

struct stream {
    struct transport io;
    struct ticket ticket;
    char *early; /* read by the server before the stream was made */
    size_t early_at;
    size_t early_end;
    int64_t read_timeout_us;
    int64_t write_timeout_us;
    int cancel_fd; /* eventfd, readable once cancelled */
    atomic_bool cancelled;
};

struct stream *stream_adopt(struct transport *io, const void *early, size_t n, struct ticket ticket)
{
    struct stream *s = xnew(struct stream);

    s->io = *io;
    *io = (struct transport){.fd = -1};
    s->ticket = ticket;
    if (n) {
        s->early = xmalloc(n);
        memcpy(s->early, early, n);
        s->early_end = n;
    }
    s->write_timeout_us = WRITE_TIMEOUT_US;
    /* Without it (no descriptor left) a cancellation is noticed at the next wake-up only. */
    s->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s;
}

void stream_set_timeouts(struct stream *s, int64_t read_us, int64_t write_us)
{
    s->read_timeout_us = read_us;
    s->write_timeout_us = write_us;
}

void stream_cancel(struct stream *s)
{
    uint64_t one = 1;

    atomic_store(&s->cancelled, true);
    if (s->cancel_fd >= 0 && TEMP_FAILURE_RETRY(write(s->cancel_fd, &one, sizeof(one))) < 0)
        assert(errno == EAGAIN);
}

static struct error *check_cancelled(const struct stream *s)
{
    return atomic_load(&s->cancelled) ? error_errno(ECANCELED, "connection") : NULL;
}

static struct error *failed(const struct stream *s, const char *what)
{
    return error_errno(s->io.failure, "cannot %s the client", what);
}

struct error *stream_wait_either(struct stream *s, short events, int fd, short fd_events,
                                 int64_t timeout_us)
{
    struct pollfd fds[3] = {{.fd = s->io.fd, .events = events},
                            {.fd = fd, .events = fd_events},
                            {.fd = s->cancel_fd, .events = POLLIN}};
    int64_t end = timeout_us ? mono_us() + timeout_us : 0;

    /* A side that is not waited for would report its hang-up over and over. */
    if (!events)
        fds[0].fd = -1;
    if (!fd_events)
        fds[1].fd = -1;
    for (;;) {
        TRY(check_cancelled(s));
        int64_t left = end ? end - mono_us() : -1;

        if (end && left <= 0)
            return error_errno(ETIMEDOUT, "nothing moved on the connection");
        int ms = left < 0 ? -1 : (int)MIN((left + 999) / 1000, 3600 * 1000);
        int n = poll(fds, ARRAY_SIZE(fds), ms);

        if (n < 0 && errno != EINTR)
            return error_errno(errno, "cannot wait for the client");
        if (n > 0 && (fds[0].revents || fds[1].revents))
            return NULL;
    }
}

struct error *stream_wait(struct stream *s, short events, int64_t timeout_us)
{
    return stream_wait_either(s, events, -1, 0, timeout_us);
}

static size_t take_early(struct stream *s, void *p, size_t n)
{
    n = MIN(n, s->early_end - s->early_at);
    if (!n)
        return 0;
    memcpy(p, s->early + s->early_at, n);
    s->early_at += n;
    if (s->early_at == s->early_end) {
        free(TAKE_PTR(s->early));
        s->early_at = s->early_end = 0;
    }
    return n;
}

static short poll_events(enum transport_status st)
{
    return st == TRANSPORT_WANT_WRITE ? POLLOUT : POLLIN;
}

struct error *stream_try_read(struct stream *s, void *p, size_t n, size_t *ret_n, short *ret_events,
                              bool *ret_eof)
{
    enum transport_status st;

    TRY(check_cancelled(s));
    *ret_eof = false;
    *ret_n = take_early(s, p, n);
    if (*ret_n)
        return NULL;
    st = transport_read(&s->io, p, n, ret_n);
    switch (st) {
    case TRANSPORT_OK:
        return NULL;
    case TRANSPORT_EOF:
        *ret_n = 0;
        *ret_eof = true;
        return NULL;
    case TRANSPORT_WANT_READ:
    case TRANSPORT_WANT_WRITE:
        *ret_n = 0;
        *ret_events = poll_events(st);
        return NULL;
    case TRANSPORT_FAILED:
        break;
    }
    return failed(s, "read from");
}

struct error *stream_try_write(struct stream *s, const void *p, size_t n, size_t *ret_n,
                               short *ret_events)
{
    struct iovec iov = {(void *)(uintptr_t)p, n};

    TRY(check_cancelled(s));
    enum transport_status st = transport_write(&s->io, &iov, 1, ret_n);

    switch (st) {
    case TRANSPORT_OK:
        return NULL;
    case TRANSPORT_WANT_READ:
    case TRANSPORT_WANT_WRITE:
        *ret_n = 0;
        *ret_events = poll_events(st);
        return NULL;
    case TRANSPORT_EOF:
        return error_errno(EPIPE, "cannot write to the client");
    case TRANSPORT_FAILED:
        break;
    }
    return failed(s, "write to");
}

struct error *stream_read(struct stream *s, void *p, size_t n, size_t *ret_n)
{
    assert(n);
    for (;;) {
        short events;
        bool eof;

        TRY(stream_try_read(s, p, n, ret_n, &events, &eof));
        if (*ret_n || eof)
            return NULL;
        TRY(stream_wait(s, events, s->read_timeout_us));
    }
}

struct error *stream_write(struct stream *s, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        short events;
        size_t done;

        TRY(stream_try_write(s, at, n, &done, &events));
        at += done;
        n -= done;
        if (!done)
            TRY(stream_wait(s, events, s->write_timeout_us));
    }
    return NULL;
}

void stream_close(struct stream *s)
{
    char scrap[4096];

    if (!s)
        return;
    transport_end(&s->io);
    /* Unread bytes would turn the close into a reset, and the peer may lose what we sent. */
    for (size_t n = 0; n < CLOSE_BYTES; n += sizeof(scrap)) {
        if (recv(s->io.fd, scrap, sizeof(scrap), MSG_DONTWAIT) <= 0)
            break;
    }
    transport_fini(&s->io);
    ticket_return(&s->ticket);
    cleanup_close(&s->cancel_fd);
    free(s->early);
    free(s);
}
