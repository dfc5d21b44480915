/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the agent in a guest says, as the VM's guest metrics: made when it first says something,
 * dropped when the VM starts or has stopped. An agent that went away leaves what it said, not live.
 */

#include "gen/class/VM_txn.h"
#include "task/daemon.h"

/* Asks hostd and edits; the caller commits. Any thread that may wait. */
_must_check_ struct error *guest_metrics_follow(struct daemon *d, struct txn *t,
                                                const struct vm_rec *vm);
/* They are gone; vm is an edit of the same transaction. */
_must_check_ struct error *guest_metrics_drop(struct txn *t, struct vm_rec *vm);
