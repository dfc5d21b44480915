/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The rows of a device as hostd wants to hear of it, and its refusals as the API names devices.
 */

#include "gen/class/VBD_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/host_proto.h"
#include "task/plan.h"

/* Strings belong to the rows, pinned by t. */
void host_disk_of(struct txn *t, const struct vbd_rec *vbd, struct host_disk_rec *ret);
void host_nic_of(struct txn *t, const struct vif_rec *vif, struct host_nic_rec *ret);

/* hostd knows a device by its number; DEVICE_DETACH_* of the API name it by reference. Takes and
 * returns ownership of e; NULL and other errors pass. */
struct error *device_error(struct error *e, const char *ref);

/*
 * A device that comes or goes does so in one run of its VM. A forced shutdown goes ahead of such
 * operations, and the VM may have been started again before they are recorded: plans about devices
 * note the run and look whether it is over.
 */
void run_note(struct plan *p, const struct vm_rec *vm);
bool run_is_over(const struct plan *p, const struct vm_rec *vm);
/*
 * For an undo that makes a device attached or not: is it to be done? A VM that has stopped
 * meanwhile needs none, nor does one that was started again, with the device as its row says.
 */
bool run_needs_undo(struct plan *p, const char *vm, bool row_attached, bool attach);
