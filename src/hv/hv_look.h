/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The domains of a state directory, of all drivers, as their records and processes tell without a
 * driver being opened: nothing is connected to, adopted or ended. For checks from outside.
 */

#include "base/error.h"
#include "base/uuid.h"

#include <sys/types.h>

struct hv_found {
    const char *driver; /* "qemu", "libxl", "sim" */
    const char *uuid;
    const char *path;    /* its directory or file */
    pid_t pid;           /* 0 = none known */
    bool lives;          /* its process runs; sim: it has not stopped; Xen: has it */
    const char *problem; /* its record cannot be read: why; NULL = it can */
};

/* Strings live during the call. */
void hv_look(const char *state_dir, void *ctx, void (*fn)(void *ctx, const struct hv_found *f));
