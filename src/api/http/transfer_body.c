/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a request, read by the thread of its transfer. */
#include "api/http/transfer.h"
#include "base/limit.h"
#include "base/world.h"

#include <errno.h>

/* Nothing for this long ends the transfer: the client is gone without a word. */
#define READ_TIMEOUT_US  (300ll * 1000000)
#define LOOK_EVERY_US    1000000ll
#define WRITE_TIMEOUT_US (60ll * 1000000)
#define DRAIN_TIMEOUT_US (2ll * 1000000)
#define DRAIN_MAX        (1ll << 20)

struct error *transfer_read(struct transfer *t, void *buf, size_t want, size_t *ret_n)
{
    int64_t deadline = mono_us() + limit_of("XENOLITH_UPLOAD_IDLE_US", READ_TIMEOUT_US);

    stream_set_timeouts(t->stream, LOOK_EVERY_US, WRITE_TIMEOUT_US);
    for (;;) {
        struct error *e = stream_read(t->stream, buf, want, ret_n);

        t->taken += e ? 0 : (int64_t)*ret_n;
        if (!e || e->errnum != ETIMEDOUT || mono_us() >= deadline)
            return e;
        error_free(e);
        TRY(transfer_check(t));
    }
}

struct error *transfer_fill(struct transfer *t, void *buf, size_t want, size_t *ret_n)
{
    for (*ret_n = 0; *ret_n < want;) {
        size_t got = 0;

        TRY(transfer_read(t, (char *)buf + *ret_n, want - *ret_n, &got));
        if (!got)
            break;
        *ret_n += got;
    }
    return NULL;
}

void transfer_drain(struct transfer *t)
{
    int64_t length = t->rq->head.content_length, left = DRAIN_MAX;
    char rest[4096];
    size_t n = 1;

    if (length >= 0)
        left = MIN(left, length - t->taken);
    stream_set_timeouts(t->stream, DRAIN_TIMEOUT_US, WRITE_TIMEOUT_US);
    while (left > 0 && n) {
        struct error *e =
            stream_read(t->stream, rest, (size_t)MIN(left, (int64_t)sizeof(rest)), &n);

        n = e ? 0 : n;
        error_free(e);
        left -= (int64_t)n;
    }
}
