/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Confinement of programs that xenolith-hostd starts: no capability but those named, no new
 * privileges, and of the file system only the system's programs and libraries, those of PATH, and
 * the paths named here. Where the kernel has no Landlock, files are as open as before.
 */

#include "sandbox/landlock.h"

#define CHILD_PATHS_MAX 16

struct child_confine {
    struct landlock_path paths[CHILD_PATHS_MAX]; /* strings are borrowed */
    size_t n_paths;
    bool network;          /* TCP, as a guest's user-mode network needs */
    uint64_t capabilities; /* kept where there are any (privileges.h); of most programs none */
};

void child_allow(struct child_confine *c, const char *path, enum landlock_access access);
/* What libc reads to look up names of servers. */
void child_allow_resolver(struct child_confine *c);
/* For spawn.h, `confine`: confines the calling thread. arg is a struct child_confine. */
_must_check_ struct error *child_confine(void *arg);
