/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who kills and who starts again. Accidents happen at steps drawn in advance; a program that has
 * ended is started again a little later.
 */

#include "simulation/random.h"

struct accidents_config {
    struct chance *chance;
    const char *state_dir;
    unsigned n;           /* kills, power cuts, restarts, lost connections */
    uint64_t from, steps; /* they happen between these steps */
    bool guests;          /* guests do things of their own accord */
};

/* Starts both programs and what keeps them running. */
void accidents_keep_running(const char *state_dir);
/* No more of it: who ends stays down. */
void accidents_let_go(void);
void accidents_start(const struct accidents_config *c);
/* Those that have not happened by now do not. */
void accidents_end(void);
/* Until both are ready; how long is not bounded by clocks but by the deadlock check and an hour. */
void accidents_await_ready(void);
unsigned accidents_count(void);
