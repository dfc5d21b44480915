/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the host tells of domains, and what follows: a guest that powered off is Halted, one that
 * crashed is treated as its actions_after_crash says, a reboot is noted. And at every start (of
 * this daemon, or of hostd) the rows are compared with the domains that exist.
 */

#include "base/error.h"
#include "gen/host_proto.h"
#include "task/daemon.h"

/* Any thread but the one that reads hostd's connection: asks hostd and commits. */
void vm_host_event(struct daemon *d, const struct host_event_rec *event);
/* Rows against domains. After engine_recover: VMs with a plan under way are left to it. Where
 * events were missed, guests are asked what they said, and domains that no row knows are ended. */
_must_check_ struct error *vm_compare(struct daemon *d);
/* The same at a connection to hostd: all may have been missed. What fails is for the next
 * vm_compare. */
_must_check_ struct error *vm_reconcile(struct daemon *d);
