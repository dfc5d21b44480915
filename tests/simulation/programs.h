/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The two daemons as lives that begin, end and are killed. Each life has its own group of fibers
 * and leaves behind what it wrote: the database on the simulated disk, hostd's files in a directory
 * of this run.
 */

#include "task/daemon.h"

#include <stdbool.h>

struct machine;

/* Calls of the world (not of a program's fiber). None of them waits for a program that hangs. */
void daemon_start(const char *state_dir);
/* The parts of the living daemon once it is ready, else NULL. */
struct daemon *daemon_ready(void);
/* It began and neither ended nor was killed. */
bool daemon_lives(void);
void daemon_kill(void);
/* As SIGTERM; returns when it has ended, false if it did not. */
bool daemon_stop(void);
int daemon_group(void);
/* How the last life ended by itself, NULL = it did not or ended well. */
const char *daemon_failure(void);

void host_start(const char *state_dir);
struct machine *host_ready(void);
bool host_lives(void);
void host_kill(void);
bool host_stop(void);
int host_group(void);
const char *host_failure(void);
