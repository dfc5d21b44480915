/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Pumps bytes between a client's connection and a descriptor (a VNC socket, a terminal) until one
 * side ends, fails, is cancelled, or nothing moves for idle_us (0 = for ever). Blocks its thread.
 * The descriptor becomes non-blocking and stays the caller's; the stream stays open too.
 * NULL: one side ended in order. A side's end is passed on only after its last bytes.
 */

#include "wire/websocket.h"

struct relay_stats {
    uint64_t to_client;
    uint64_t from_client;
};

_must_check_ struct error *relay_stream(struct stream *s, int fd, int64_t idle_us,
                                        struct relay_stats *ret_stats);
_must_check_ struct error *relay_websocket(struct websocket *ws, int fd, int64_t idle_us,
                                           struct relay_stats *ret_stats);
