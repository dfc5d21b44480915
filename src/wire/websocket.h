/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The server's side of a WebSocket (RFC 6455) over a stream, for consoles. Messages in both
 * directions are bytes: fragments are joined, text counts as bytes, pings are answered while
 * reading. Frames of the client must be masked; a message is at most WEBSOCKET_MAX_MESSAGE.
 *
 * Threads and blocking: as the stream (wire/stream.h).
 */

#include "wire/server.h"

#define WEBSOCKET_MAX_MESSAGE (1u << 20)

struct websocket;

/* Takes the connection of a request that asks for the upgrade and answers 101, with
 * `Sec-WebSocket-Protocol: binary` always. A request that is no valid upgrade is answered 400 and
 * yields an error. Either way the connection is gone from the request, which the caller frees. */
_must_check_ struct error *websocket_accept(struct http_request *rq, struct websocket **ret);

/* Sends a close frame with the status (1000 = normal), closes the stream, frees. */
void websocket_close(struct websocket *ws, int status);

void websocket_cancel(struct websocket *ws); /* any thread: as stream_cancel */

/* For relays: the stream below to wait on, and attempts as of wire/stream.h. Where a message of the
 * client ends and the next begins is not kept; what is written is one binary message. Written bytes
 * may be kept inside; they go out with later attempts. */
struct stream *websocket_stream(struct websocket *ws);
_must_check_ struct error *websocket_try_read(struct websocket *ws, void *p, size_t n,
                                              size_t *ret_n, short *ret_events, bool *ret_eof);
_must_check_ struct error *websocket_try_write(struct websocket *ws, const void *p, size_t n,
                                               size_t *ret_n, short *ret_events);
