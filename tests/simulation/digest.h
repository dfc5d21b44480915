/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The content of a version as two numbers: fields of its own, and inverse and derived ones. */

#include "model/version.h"

struct digest {
    uint64_t own, rel;
};

/* Remembered; the version is kept for the rest of the run. */
struct digest digest_of(struct version *v);
