/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the calls on VDIs. */

#include "api/sr/sr.h"
#include "gen/class/VDI_txn.h"
#include "rpc/call.h"

/* Plan states: the disk acted on and the one being made. */
#define P_VDI     "vdi" /* reference */
#define P_VDIUUID "vdi_uuid"
#define P_NEW     "new" /* uuid of the disk that is made */

/* A plan about this disk: marks it (op) and its repository (sr_op). */
_must_check_ struct error *vdi_plan_begin(struct call *c, const struct plan_type *type,
                                          const struct vdi_rec *vdi, enum vdi_operations op,
                                          enum storage_operations sr_op, struct plan **ret);

/* The strings kept with the image, from the row. */
struct map_string_string vdi_props(struct arena *a, const char *name, const char *description,
                                   int type);

/* A new row that inherits what snapshots, clones and copies inherit from their source. */
struct vdi_rec *vdi_inherit(struct txn *t, const struct vdi_rec *from);

/* Adds to the repository's sum of virtual sizes. */
_must_check_ struct error *sr_add_allocation(struct txn *t, const char *sr_ref, int64_t bytes);

/* Undo of whatever made P_NEW: at hostd, and its row. */
struct error *step_unmake(struct plan *p);
struct error *step_unrecord_new(struct plan *p, struct txn *t);
