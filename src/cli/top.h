/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hosts and VMs with what they use, for `xe top`: read again and again, rates between two readings.
 */

#include "base/vec.h"
#include "cli/session.h"

struct top_row {
    char *ref;
    char *name;
    char *state; /* as lists show it */
    int64_t vcpus;
    int64_t memory;  /* bytes */
    double total[3]; /* since the VM runs: seconds of processor, bytes of disks, of networks */
    double rate[3];  /* a second; negative = not known */
    bool measured;   /* total is known */
};

struct top_host {
    char *name;
    bool enabled;
    int64_t memory_total;
    int64_t memory_free;
};

enum top_order { TOP_CPU, TOP_MEMORY, TOP_NAME };

struct top {
    struct VEC(struct top_host) hosts;
    struct VEC(struct top_row) rows;
    int64_t read_us; /* 0 = never */
    enum top_order order;
};

void top_fini(struct top *t);
/* Three round trips, whatever there is; figures of the first 500 running VMs only. */
_must_check_ struct error *top_read(struct top *t, struct client *c);
/* Hosts, a head, then VMs: lines without colours. */
void top_text(const struct top *t, struct str *out);
