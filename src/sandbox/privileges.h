/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Giving up what a process may do by being root, or by having been started by root. All of it is
 * for good. The kernel keeps these facts per thread: called before the first thread starts they
 * hold for the program; called in one thread (spawn.h, `confine`) they hold for it and its child.
 */

#include "base/error.h"

#include <stdint.h>

#define CAPABILITY(n) (1ull << (n)) /* CAP_* of linux/capability.h */

/* Root becomes this user with its groups; who is that user already stays it. EPERM for others. */
_must_check_ struct error *privileges_become(const char *user);
/* Keeps no capability but those of the mask, here and in all programs started from here. */
_must_check_ struct error *privileges_keep(uint64_t capabilities);
/* No program started from here gains anything: set-user-id bits and file capabilities are dead. */
_must_check_ struct error *privileges_no_new(void);
/* No core dumps, and no other process of the same user may trace this one or read its memory. */
_must_check_ struct error *privileges_no_dump(void);
