/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages to the administrator, as rows. Bounded: the oldest go when there are too many. */

#include "gen/class/message_txn.h"

/* Source: XenAPI servers keep 10,000. */
#define MESSAGES_MAX 10000

struct message_text {
    const char *name; /* "VM_STARTED" */
    int64_t priority; /* 1 is worst, 5 is news */
    enum cls cls;
    const char *uuid; /* of the object it is about */
    const char *body;
};

_must_check_ struct error *message_post(struct txn *t, const struct message_text *m,
                                        struct message_rec **ret); /* ret may be NULL */
