/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One life of a program: start, run until told to end, stop. */

#include "base/error.h"
#include "simulation/sched.h"

struct life {
    int group;
    bool begun, ready, ended, told;
    char *failure; /* of the start */
    struct error *(*start)(void *ctx);
    void (*stop)(void *ctx);
    void *ctx;
};

void life_begin(struct life *l, const char *name, struct error *(*start)(void *ctx),
                void (*stop)(void *ctx), void *ctx);
bool life_goes_on(const struct life *l);
/* Tells it to end and waits; false after ten virtual minutes. */
bool life_end(struct life *l);
