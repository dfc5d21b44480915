/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The list of commands and the description of one, in the layout that the completion reads. */

#include "cli/command.h"

_must_check_ struct error *help_run(struct xe *x);
/* Switches in short. */
void help_usage(FILE *f);
