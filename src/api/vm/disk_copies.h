/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The disks of a VM, all of them, made anew by one step of a plan: as snapshots, as clones that
 * share their contents, or as full copies; or put back to what a snapshot of theirs holds. Used by
 * VM.snapshot, clone, copy, revert and checkpoint.
 *
 * In the body: disk_copies_new, an add for each disk, disk_copies_begin. Then the step's halves.
 * The names of new disks are chosen in the body, so every half may run again. Between body and
 * step the list is the plan's state "disks".
 */

#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "task/plan.h"

#include <jansson.h>

struct call;

enum disk_how { DISK_SNAPSHOT, DISK_CLONE, DISK_COPY, DISK_REVERT, DISK_HOW_MAX };

/*
 * All disks (VBDs of type Disk) of a VM, checked: the operation is allowed on disk and repository,
 * which is attached here. ignore: VDIs to leave out, may be NULL. to: repository of the new disks,
 * NULL = where the originals are. A clone on a repository that has no clones is a copy. The caller
 * owns the list.
 */
_must_check_ struct error *disk_copies_of_vm(struct call *c, const struct vm_rec *vm,
                                             enum disk_how how, const char *to,
                                             const struct set_ref *ignore, json_t **ret);
/* One more, checked in the same way. vbd: what it is for, disk_copies_map's key. DISK_REVERT:
 * target becomes what vdi, its snapshot, holds. */
_must_check_ struct error *disk_copies_add(struct call *c, json_t *list, const char *vbd,
                                           const struct vdi_rec *vdi, enum disk_how how,
                                           const char *to, const struct vdi_rec *target);
/* State of plans whose step must not stop between two disks when the task is cancelled. */
#define DISK_COPIES_FINISH "finish disks"

/* Hands the list to the plan and marks disks and repositories. */
_must_check_ struct error *disk_copies_begin(struct plan *p, struct txn *t, json_t *list);

/* Halves of the step; snapshots are dated by the state "time". Rows of reverted disks are not taken
 * back. */
struct error *disk_copies_make(struct plan *p);
struct error *disk_copies_record(struct plan *p, struct txn *t);
struct error *disk_copies_unmake(struct plan *p);
struct error *disk_copies_unrecord(struct plan *p, struct txn *t);

/* VBD -> the disk it has in the copy, after disk_copies_record. Memory from a. */
struct map_string_string disk_copies_map(struct plan *p, struct arena *a);
