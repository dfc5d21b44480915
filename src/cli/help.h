/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The list of commands and the description of one, in the layout that the completion reads. */

#include "cli/command.h"

_must_check_ struct error *help_run(struct xe *x);
/* The description of one command; "Unknown command" if there is none. */
void help_topic(struct xe *x, const char *name);
/* All commands that help lists, in their order. */
void help_each_name(void (*fn)(void *ctx, const char *name), void *ctx);
/* Switches in short. */
void help_usage(FILE *f);
