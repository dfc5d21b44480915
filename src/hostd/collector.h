/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A thread that looks now and then for images which only one other image still reads, and merges
 * them (storage/sr.h, sr_collect): so chains stay short after snapshots were removed. It goes at a
 * bounded speed and gives way to everyone.
 */

#include "base/error.h"

#include <stdint.h>

struct storage;
struct ticker;

/* ticker_stop ends it: a merge under way is broken off, and can be done again. */
_must_check_ struct error *collector_start(struct storage *s, int64_t pause_us,
                                           struct ticker **ret);
