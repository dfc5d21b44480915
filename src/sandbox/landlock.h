/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Landlock: the kernel keeps a thread, and all it starts, to named files and TCP ports (Linux,
 * Documentation/userspace-api/landlock.rst). It works for any user and cannot be taken back. What a
 * kernel does not know is left out; the caller hears how much there was.
 *
 * Not covered: sockets of the file system can be connected to wherever file permissions allow, and
 * descriptors that are open already stay what they are.
 */

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum landlock_access {
    LANDLOCK_READ,   /* files and directories below */
    LANDLOCK_USE,    /* and writing to files that are there */
    LANDLOCK_CHANGE, /* and making, renaming and removing them */
    LANDLOCK_RUN,    /* reading and executing */
};

struct landlock_path {
    const char *path; /* a file, or a directory with all below; absent or NULL = left out */
    enum landlock_access access;
};

struct landlock_spec {
    const struct landlock_path *paths;
    size_t n_paths;
    const uint16_t *bind_ports; /* TCP; 0 = one the kernel chooses. Nothing may be connected to. */
    size_t n_bind_ports;
    bool any_tcp; /* TCP as before */
    bool scoped;  /* no signals to and no abstract sockets of processes outside */
};

/* Version of the kernel's interface, 0 = it has none. */
int landlock_abi(void);
/* Needs privileges_no_new(). *ret_abi (may be NULL): what was in force, 0 = nothing. */
_must_check_ struct error *landlock_enter(const struct landlock_spec *spec, int *ret_abi);
