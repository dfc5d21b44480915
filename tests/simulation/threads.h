/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the rest of the simulation knows of its threads and clocks. */

#include <pthread.h>
#include <stdbool.h>

#define SIM_EPOCH_US 1700000000000000ll /* wall clock at the start */
#define SIM_MONO_US  100000000000ll     /* monotonic clock at the start */

/* Could it be locked without waiting? */
bool mutex_is_free(pthread_mutex_t *m);
