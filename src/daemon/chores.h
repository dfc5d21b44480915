/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the daemon does by itself now and then, on one thread: old sessions and tasks go, the
 * figures of the host and of guests are read, the pool's row is touched as a sign of life.
 */

#include "base/error.h"
#include "task/daemon.h"

struct chores;

/* Called by the thread that waits for signals: it gets SIGTERM when only another start helps. */
_must_check_ struct error *chores_start(struct daemon *d, struct chores **ret);
void chores_stop(struct chores *c); /* NULL is fine */
