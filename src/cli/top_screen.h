/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `xe top`: the screen, until 'q'. Where standard output is no terminal, one reading as text. */

#include "cli/options.h"

/* The exit code. */
int top_run(const struct options *o);
