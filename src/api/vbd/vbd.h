/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the bodies of VBD. */

#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "task/plan.h"

struct call;

/* State of the plans of a VBD: references, the VM's uuid, its run (host_devices.h). */
#define P_VBD    "vbd"
#define P_VM     "vm"
#define P_VMUUID "uuid"
#define P_RUN    "run"

/* The rows on both sides of a VBD; vdi is NULL for an empty drive. */
struct vbd_ends {
    const struct vbd_rec *vbd;
    const struct vm_rec *vm;
    const struct vdi_rec *vdi;
};

_must_check_ struct error *vbd_ends(struct txn *t, const char *vbd, struct vbd_ends *ret);
/* A plan about one VBD: its state, and the mark. */
_must_check_ struct error *vbd_plan(struct call *c, const struct plan_type *type,
                                    const struct vbd_ends *ends, enum vbd_operations op,
                                    struct plan **ret);
/* The repository of the disk is attached to the host the VM runs on: SR_NOT_ATTACHED [sr]. */
_must_check_ struct error *vbd_check_storage(struct call *c, const struct vdi_rec *vdi);
/* What may be joined to a VBD of this type and mode: VDI_NOT_MANAGED, VDI_INCOMPATIBLE_TYPE,
 * VDI_READONLY, VDI_IS_NOT_ISO. */
_must_check_ struct error *vbd_check_disk(struct txn *t, const struct vdi_rec *vdi, int type,
                                          int mode);
/* While a VM moves or is saved its devices cannot be added or removed. */
_must_check_ struct error *vbd_check_vm(const struct vm_rec *vm);
