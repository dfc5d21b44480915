/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a shell offers behind a line. `xe completion bash` (zsh, fish) prints a few lines for that
 * shell, which ask `xe completion candidates WORD...` with the words so far, the last one being
 * written. So no shell knows a command, and all offer the same.
 */

#include "cli/command.h"

/* words: what stands behind "completion". */
_must_check_ struct error *completion_run(struct xe *x, char *const *words, size_t n);
