/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What xenolithd may do for the rest of its life, decided before its first thread starts: no
 * privilege, its own files, its own TCP ports, the system calls of the list in sandbox.c. It starts
 * no program (launcher.h does, for it) and connects to no network address.
 *
 * As root without a user to become it keeps its number but no capability; then the kernel must have
 * Landlock, or root's files would be open to it (an error otherwise).
 *
 * XENOLITH_SANDBOX in the environment of test builds: "die" ends the process at the first refused
 * system call, "off" enters nothing. Builds with sanitizers, which need more, enter nothing.
 */

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct sandbox_options {
    const char *user;      /* become this user first, NULL = stay */
    const char *state_dir; /* made if absent */
    const char *web_dir;   /* NULL = none */
    const uint16_t *ports; /* TCP ports it will listen on, 0 = any free one */
    size_t n_ports;
    bool tell; /* a line in the log for each refused system call */
};

_must_check_ struct error *sandbox_enter(const struct sandbox_options *o);
