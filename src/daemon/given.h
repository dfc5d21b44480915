/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection on its way between two programs as a message (take_over.h has the conversation). Any
 * thread, but one at a time for a socket. */

#include "base/arena.h"
#include "proto/frame.h"
#include "wire/server.h"

/* The descriptor stays the caller's. */
_must_check_ struct error *given_send(int socket, const struct given *g);
/* Texts from a and f; the descriptor is the caller's. ret->fd stays -1 for {"all"}. */
_must_check_ struct error *given_read(struct arena *a, struct frame *f, struct given *ret);
