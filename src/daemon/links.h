/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Questions of transfers that began in earlier programs (api/http/transfer.h): one socket a
 * predecessor, frames of JSON both ways; a question with "quiet" has no answer. One thread serves
 * them all.
 */

#include "base/error.h"
#include "base/vec.h"

struct daemon;
struct links;

struct link_fds VEC(int);

/* Takes the sockets over. Questions that are there already are answered before it returns. */
_must_check_ struct error *links_start(struct daemon *d, struct link_fds *fds, struct links **ret);
/* No question is being answered after it returns; gives the sockets still open back. */
void links_stop(struct links *l, struct link_fds *ret);
