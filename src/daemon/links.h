/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Questions of transfers that began in earlier programs (api/http/transfer.h): one socket a
 * predecessor, frames of JSON both ways; a question with "quiet" has no answer. One thread serves
 * them all. When a predecessor ends, killed perhaps, what its transfers held is given back.
 */

#include "base/error.h"
#include "base/vec.h"

#include <jansson.h>

struct daemon;
struct links;

struct link {
    int fd;
    json_t *held; /* by transfers when they were handed over: transfers_held. NULL = not known */
};

struct link_list VEC(struct link);

void link_list_fini(struct link_list *l);

/* Takes the links over. Questions that are there already are answered before it returns. */
_must_check_ struct error *links_start(struct daemon *d, struct link_list *list,
                                       struct links **ret);
/* No question is being answered after it returns; gives the links still open back. */
void links_stop(struct links *l, struct link_list *ret);
