/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing answers, and the slow goodbye after an early refusal. */
#include "wire/conn.h"

#include <errno.h>
#include <sys/socket.h>

#define LINGER_BYTES (1u << 20) /* read and thrown away at most */

bool conn_invite_body(struct conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = {(void *)(uintptr_t)go_on, sizeof(go_on) - 1};
    size_t done = 0;

    if (!c->rq->head.expect_continue)
        return true;
    /* These bytes fit in any socket's buffer, or the peer has stopped reading. */
    return transport_write(&c->io, &iov, 1, &done) == TRANSPORT_OK && done == iov.iov_len;
}

/* The answer is out. */
static bool finish(struct conn *c)
{
    bool last = c->answer.close || c->unread ||
                atomic_load_explicit(&c->shard->draining, memory_order_relaxed);

    conn_free_request(c);
    conn_want_out(c, false);
    if (!last) {
        c->state = CONN_HEAD;
        return true;
    }
    /* Closing a socket that holds unread bytes resets it, and the peer may lose the answer. */
    if (!c->unread && !conn_buffered(c)) {
        conn_close(c);
        return false;
    }
    transport_end(&c->io);
    conn_give_buffer(c);
    c->state = CONN_LINGER;
    c->readable = true;
    conn_set_deadline(c, conn_limits(c)->linger_us);
    return true;
}

static void advance(struct answer *a, size_t done)
{
    while (a->n_pieces && done >= a->pieces->iov_len) {
        done -= a->pieces->iov_len;
        a->pieces++;
        a->n_pieces--;
    }
    if (done) {
        a->pieces->iov_base = (char *)a->pieces->iov_base + done;
        a->pieces->iov_len -= done;
    }
}

bool conn_step_answer(struct conn *c)
{
    struct answer *a = &c->answer;
    enum transport_status st;
    size_t done = 0;

    if (a->n_pieces) {
        st = transport_write(&c->io, a->pieces, a->n_pieces, &done);
        if (st == TRANSPORT_OK)
            advance(a, done);
    } else if (a->file_left) {
        st = transport_send_file(&c->io, a->file, &a->file_offset, a->file_left, &done);
        a->file_left -= done;
    } else {
        return finish(c);
    }
    switch (st) {
    case TRANSPORT_OK:
        if (!a->n_pieces && !a->file_left)
            return finish(c);
        /* Progress: the time-out begins anew. */
        conn_set_deadline(c, conn_limits(c)->write_us);
        return true;
    case TRANSPORT_WANT_WRITE:
        conn_want_out(c, true);
        return false;
    case TRANSPORT_WANT_READ:
        return false;
    case TRANSPORT_EOF:
    case TRANSPORT_FAILED:
        break;
    }
    conn_close(c);
    return false;
}

bool conn_step_linger(struct conn *c)
{
    char scrap[4096];

    /* The rest stays in the socket until the time is up. A peer that goes on writing is stopped by
     * that, and reads; a reset would tell it before the answer does. */
    if (c->lingered >= LINGER_BYTES)
        return false;
    /* Below TLS: nobody looks at these bytes. */
    ssize_t n = TEMP_FAILURE_RETRY(recv(c->io.fd, scrap, sizeof(scrap), MSG_DONTWAIT));

    if (n > 0) {
        c->lingered += (size_t)n;
        return true;
    }
    if (n < 0 && errno == EAGAIN)
        return false;
    conn_close(c);
    return false;
}
