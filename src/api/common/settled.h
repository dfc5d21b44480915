/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading many objects of which none may be older than another. */

#include "base/error.h"

struct store;

/*
 * Calls fn, and again while something durable was committed meanwhile; so fn begins anew each time.
 * After some attempts the commits of others wait. What fn held onto last belongs together, but for
 * soft fields. Any thread; not within a turn of the caller.
 */
_must_check_ struct error *read_settled(struct store *s, struct error *(*fn)(void *ctx), void *ctx);
