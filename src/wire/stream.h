/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A connection as a blocking duplex byte stream, plain or TLS: what http_take() hands to a worker
 * for transfers and consoles. Bytes that the server had already read come first.
 *
 * Threads: one at a time. Blocking: reads and writes wait, at most the time-outs set (no progress
 * for that long is an error with errnum ETIMEDOUT). stream_cancel is the one call for other
 * threads: it makes every present and later wait fail with ECANCELED.
 */

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream;

/* Reads at least one byte; *ret_n = 0 is the end of the stream. */
_must_check_ struct error *stream_read(struct stream *s, void *p, size_t n, size_t *ret_n);
/* Writes everything. */
_must_check_ struct error *stream_write(struct stream *s, const void *p, size_t n);
/* Sends what is left on the way out, closes, frees. NULL is fine. */
void stream_close(struct stream *s);

/* Microseconds without progress; 0 = wait for ever. Reads default to 0, writes to 60 s. */
void stream_set_timeouts(struct stream *s, int64_t read_us, int64_t write_us);
void stream_cancel(struct stream *s);

/* For relays: single attempts that do not wait. *ret_n: bytes moved, 0 = would wait for *ret_events
 * (POLLIN or POLLOUT). *ret_eof is set at the end of the stream. */
_must_check_ struct error *stream_try_read(struct stream *s, void *p, size_t n, size_t *ret_n,
                                           short *ret_events, bool *ret_eof);
_must_check_ struct error *stream_try_write(struct stream *s, const void *p, size_t n,
                                            size_t *ret_n, short *ret_events);

static inline void cleanup_stream(struct stream **s)
{
    stream_close(*s);
}

#define _cleanup_stream_ _cleanup_(cleanup_stream)
