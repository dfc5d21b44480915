/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Command line of xenolith-hostd. Strings point into argv. */

#include "base/error.h"

#include <stdint.h>

struct options {
    const char *state_dir;
    const char *api_state;             /* that of xenolithd, NULL = the same */
    const char *hv;                    /* "libxl", "qemu", "sim" */
    const char *auth;                  /* "file", "pam" */
    const char *mount_root;            /* this process is the one that mounts, there; else NULL */
    bool mounts;                       /* repositories may have file systems of their own */
    struct mount_helper *mount_helper; /* if so; main's */
    const char *user;       /* who may connect beside root and ourselves, NULL = nobody */
    int64_t merge_pause_us; /* between looks for images to merge */
    bool manage_machine;    /* name, clock, services and power of the machine may be changed */
    bool debug;
    bool pam_helper; /* this process checks one password and ends (pam.h) */
};

/* Prints help or version and exits for those. */
_must_check_ struct error *options_parse(int argc, char **argv, struct options *ret);
