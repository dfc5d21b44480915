/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One command from its words to the exit code, whoever asks: the engine behind both ways in. */

#include "cli/command.h"

/* Connection and front are ready; args[0] is the name of the command. */
void xe_init(struct xe *x, const struct options *o, struct front *front);
/* Runs it, tells what failed, logs out and releases all; the exit code. */
int xe_run(struct xe *x, char *const *args, size_t n);
