/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who may connect: counts of open connections in all and by address. A connection is counted from
 * accept until it is closed, also after it became a stream; the counts outlive the server for
 * that. Any thread.
 */

#include "base/cleanup.h"

#include <stdint.h>

struct admission;
struct admission_entry;

/* One counted connection; all zero = none. */
struct ticket {
    struct admission *from;
    struct admission_entry *address; /* NULL: unix */
};

struct admission_limits {
    unsigned max_unix;
    unsigned max_tcp;
    unsigned max_per_address;
};

struct admission *admission_new(const struct admission_limits *limits);
/* The memory goes with the last ticket. */
void admission_free(struct admission *a);

/* address: text of a TCP peer, NULL for a unix peer. False: over a limit. */
bool admission_enter(struct admission *a, const char *address, struct ticket *ret);
void ticket_return(struct ticket *t);

void admission_counts(struct admission *a, unsigned *ret_unix, unsigned *ret_tcp);
