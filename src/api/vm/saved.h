/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A guest whose memory was saved: its way back when what it was saved for is undone, and the moment
 * from which its memory must never be used again, because it runs and writes to its disks.
 * Halves of plan steps; the plan's state is that of suspend_disk.h, with "resume" set.
 */

#include "task/plan.h"

/* Undo of saving: a guest that was never saved just runs on, one that was comes back from its
 * memory. One that cannot come back, or of which nothing can be learnt, keeps it. */
_must_check_ struct error *saved_return(struct plan *p);
_must_check_ struct error *saved_returned(struct plan *p, struct txn *t);
/* Undo of making the disk for the memory, unless that is all that is left of the guest. */
_must_check_ struct error *saved_unmake(struct plan *p);
_must_check_ struct error *saved_unmade(struct plan *p, struct txn *t);
/* A restored guest runs, for a step that keeps. One that has run and stopped meanwhile is no
 * failure: its end is followed like any other. */
_must_check_ struct error *saved_run(struct plan *p);
