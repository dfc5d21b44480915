/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the server, the WebSocket and the relay need of a stream beyond wire/stream.h. */

#include "wire/admission.h"
#include "wire/stream.h"
#include "wire/transport.h"

/* Moves transport and ticket into the stream, copies the bytes read ahead. */
struct stream *stream_adopt(struct transport *io, const void *early, size_t n,
                            struct ticket ticket);

/* Waits until the socket is ready (POLLIN, POLLOUT), or fails: time-out, cancelled. */
_must_check_ struct error *stream_wait(struct stream *s, short events, int64_t timeout_us);
/* The same for the socket and one more descriptor, whichever comes first. */
_must_check_ struct error *stream_wait_either(struct stream *s, short events, int fd,
                                              short fd_events, int64_t timeout_us);
