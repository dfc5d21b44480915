/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All commands with code of their own; each stands in the file of its group. */

#include "cli/command.h"

#define COMMAND(name, function) command_fn function;
#include "cli/commands.inc"
#undef COMMAND
