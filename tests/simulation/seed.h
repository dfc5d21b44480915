/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One seed, from the first start of two daemons to their end. */

#include <stdbool.h>
#include <stdint.h>

struct seed_options {
    uint64_t seed;
    bool verbose;       /* the daemons' log lines */
    bool tell;          /* figures and the digest of the trace at the end */
    const char *mutant; /* a fault to be found, NULL = none */
    const char *trace;  /* file for the whole trace, NULL = none */
};

/* Returns if nothing was found; ends the process otherwise. */
void seed_run(const struct seed_options *o);
