/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What disks and network cards have in common when they are plugged into a running VM. */

#include "base/error.h"
#include "gen/class/VM.h"
#include "gen/class/VM_guest_metrics.h"
#include "model/view.h"

/*
 * Can devices of a kind come and go while the guest runs? PV guests always; of HVM guests those
 * that said so (can_use_hotplug_*), or have full drivers and did not deny it. Not strict: every
 * guest that did not deny it, since the machine itself may be able to; a host whose machines are
 * not answers VM_MISSING_PV_DRIVERS when it is asked.
 * hotplug: the guest's answer for the kind, enum tristate_type; use hotplug_vbd/hotplug_vif.
 */
bool vm_can_hotplug(const struct view *v, const struct vm_rec *vm,
                    int (*hotplug)(const struct vm_guest_metrics_rec *guest), bool strict);
int hotplug_vbd(const struct vm_guest_metrics_rec *guest);
int hotplug_vif(const struct vm_guest_metrics_rec *guest);

/* Devices stay as they are while the VM starts, stops, moves or is saved: false and
 * OTHER_OPERATION_IN_PROGRESS ["VM", ...] then. */
bool vm_devices_free(const struct vm_rec *vm, struct error **ret_why);
