/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bytes of binary objects: <state>/blobs/<uuid>. A file comes whole or not at all; the one of a row
 * that is gone is removed by a chore. Any thread.
 */

#include "base/arena.h"
#include "base/error.h"
#include "task/daemon.h"

/* One object, and all together. */
#define BLOB_MAX  (64ll << 20)
#define BLOBS_MAX (2ll << 30)

const char *blob_path(const struct daemon *d, struct arena *a, const char *uuid);
/* Removes files that no row names. */
_must_check_ struct error *blob_sweep(struct daemon *d);
