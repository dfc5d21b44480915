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
 * A device that comes or goes does so in one run of its VM, which may end meanwhile: a forced
 * shutdown goes ahead of such operations, and the VM may have been started again, with its devices
 * as the rows say. Plans about devices (state keys "vm" and "run") note the run and name it in what
 * they ask of hostd, which refuses it in every other.
 */
void run_note(struct plan *p, const struct vm_rec *vm);
/* For records: is it under way? Else VM_BAD_POWER_STATE, and no row changes. */
_must_check_ struct error *run_check(const struct plan *p, struct txn *t);
/* For undo: with the run, or the VM, its devices are gone, so there is nothing left to take back.
 * Takes and returns ownership of e. */
struct error *run_undone(struct error *e);
