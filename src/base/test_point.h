/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Named moments at which the crash tests stop a program, to kill it or another one there, or make
 * a step fail: "VM.start/run/act". In builds without XENOLITH_TEST_HOOKS nothing is left of them;
 * in others nothing happens unless XENOLITH_POINTS names a directory. In it:
 *
 *   rules   lines "stop NAME N" (the N-th pass of the point waits) and "fail NAME N" (the N-th pass
 *           and those behind it fail). Passes are counted from the last change of the file on.
 *   gate    a FIFO: who is stopped waits until somebody opens it for writing.
 *   passed  written by the program: a line for each point it comes by.
 *
 * Any thread. Never fails: a directory that cannot be read holds no rules.
 */

#include <stdbool.h>

#ifdef XENOLITH_TEST_HOOKS
/* The parts of the name, joined by '/'. True: the caller fails here, as if what it did had. */
bool test_point(const char *whole, const char *part, const char *moment);
#else
static inline bool test_point(const char *whole, const char *part, const char *moment)
{
    return false;
}
#endif
