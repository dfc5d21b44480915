/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A thread that does something again and again, with a pause before each time.
 */

#include "base/error.h"

#include <stdint.h>

struct ticker;

/* run(ctx, t) on the ticker's own thread. Fails only if there can be no thread. */
_must_check_ struct error *ticker_start(int64_t pause_us, void (*run)(void *ctx, struct ticker *t),
                                        void *ctx, struct ticker **ret);
/* For a run that takes long: it should end soon. Any thread. */
bool ticker_is_stopping(struct ticker *t);
/* Waits for a run under way; no other begins. NULL is accepted. */
void ticker_stop(struct ticker *t);
