/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small process beside xenolithd that starts its successors, and a worker for each thin client
 * (src/cli/thin_main.c). It is made before the sandbox is
 * entered, since what is inside may start nothing, and a program started inside would be confined
 * twice. All it does is to start the program that lies at our path, or our own image, with the
 * arguments we had, or confined workers, 32 at a time; it ends with us, workers with their client.
 *
 * Any thread; the program is started and ended by one of them.
 */

#include "base/error.h"

struct launcher;

/* In main, before anything else: does not return if this process is to be a launcher. */
void launcher_main(int argc, char **argv);
_must_check_ struct error *launcher_start(int argc, char **argv, struct launcher **ret);
void launcher_free(struct launcher *l); /* NULL is fine */
/* Tells whether another program lies at our path: the same text = the same file. */
const char *launcher_program_id(const struct launcher *l);

/* The new program sees `channel` as the descriptor that take_over.h tells of. ourselves: our own
 * image, whatever lies at the path by now. */
_must_check_ struct error *launcher_run(struct launcher *l, bool ourselves, int channel);
/* A worker that sees these as descriptors 3 and 4. TOO_MANY_PENDING_TASKS: there are as many as may
 * be. */
_must_check_ struct error *launcher_cli(struct launcher *l, const int fds[2]);
/* Kills the program last started. */
void launcher_end(struct launcher *l);
