/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ends the process without a word at its n-th change of the file system. A program that is linked
 * with this has its own rename(), renameat(), unlinkat() and fsync(), which the linker prefers to
 * libc's.
 */

#define STEPS_CRASHED 99 /* exit code */

/* n = 1: at the next change; 0: never. */
void steps_crash_at(int n);
