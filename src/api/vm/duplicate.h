/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one place that copies a VM: its row with VBDs, VIFs and metrics. What a copy inherits and
 * what it does not is decided here, for snapshots (which stay what the VM was) and for clones
 * (which become VMs of their own).
 */

#include "gen/class/VM_txn.h"
#include "task/plan.h"

struct vm_copy {
    const char *name;
    bool snapshot;
    bool checkpoint;                /* a snapshot with memory */
    int64_t time;                   /* snapshot: when it was taken */
    int state_then;                 /* snapshot: enum vm_power_state of the VM at that time */
    struct map_string_string disks; /* VBD -> new disk; disks without an entry are left out */
};

/* The new row, off, with a fresh reference. A snapshot becomes the parent of what it was taken
 * from. */
_must_check_ struct error *vm_duplicate(struct txn *t, const char *vm, const struct vm_copy *how,
                                        struct vm_rec **ret);

/* VBDs and VIFs of `from` for `to` as well, unplugged. keep_macs: otherwise addresses come from
 * to's seed. */
_must_check_ struct error *vm_duplicate_devices(struct txn *t, const struct vm_rec *from,
                                                const struct vm_rec *to,
                                                const struct map_string_string *disks,
                                                bool keep_macs);

/* Takes from a copy what no copy has: the run of the original, and its place in groups and
 * schedules. */
void vm_forget_the_run(struct vm_rec *vm);

/* The record of a VM as VM.snapshot_metadata keeps it, and back (NULL = it is no such text). */
const char *vm_metadata_text(struct arena *a, const struct vm_rec *vm);
struct vm_rec *vm_metadata_read(struct arena *a, const char *text);

/* A number for generation_id that was never used, in the form Windows is told it. */
const char *generation_id_new(struct arena *a);

/* What a plan that copies keeps in its state, and the record half that makes the rows from it:
 * disks (disk_copies.h), then the VM. The result of the plan is the new VM. */
void vm_copy_plan(struct plan *p, const struct vm_copy *how);
struct error *vm_copy_record(struct plan *p, struct txn *t);
struct error *vm_copy_unrecord(struct plan *p, struct txn *t);
