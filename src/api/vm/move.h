/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Disks of a VM to other repositories of the pool. vdi_map: disk -> repository; disks that are
 * there already stay, and disks that are not named. Errors: SR_DOES_NOT_SUPPORT_MIGRATION if a disk
 * of a VM that is not off would move, VDI_IN_USE, those of VDI.copy.
 */

#include "gen/class/VM_txn.h"

struct call;

_must_check_ struct error *vm_check_move(struct call *c, const struct vm_rec *vm,
                                         const struct map_ref_ref *vdi_map);
/* The call becomes a plan whose result is the VM, unless nothing moves. */
_must_check_ struct error *vm_move(struct call *c, const struct vm_rec *vm,
                                   const struct map_ref_ref *vdi_map);
