/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Writes an empty qcow2 image. This is the one thing of the format that is done here: starting
 * qemu-img for it costs 6 ms, more than all the rest of a snapshot. Everything that touches data is
 * QEMU's (decisions/0002). Format: QEMU's docs/interop/qcow2, version 3 with extended L2 entries.
 */

#include "base/error.h"

#include <stdint.h>

/* The file must not exist. backing NULL: none; else the name and format written into the header,
 * for people (readers get the chain from records). Flushed when it returns. */
_must_check_ struct error *qcow2_create(int dir_fd, const char *name, int64_t size,
                                        const char *backing, const char *backing_format);
/* Was nothing ever written to an image that qcow2_create made? Only surely empty ones say yes: its
 * length is what it was, and no table of data hangs in it. */
bool qcow2_is_untouched(int dir_fd, const char *name, int64_t size);
