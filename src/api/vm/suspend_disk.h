/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The VDI that holds the memory of a suspended VM: VM.suspend_VDI. */

#include "task/plan.h"

struct vm_rec;

/* In a body: where the memory will go (VM.suspend_SR, the pool's, the host's choice, plugged here),
 * noted in the plan. VM_NO_SUSPEND_SR [vm]. */
_must_check_ struct error *suspend_disk_choose(struct plan *p, struct txn *t,
                                               const struct vm_rec *vm);
/* Halves of steps. */
struct error *suspend_disk_make(struct plan *p);
struct error *suspend_disk_made(struct plan *p, struct txn *t);
struct error *suspend_disk_unmake(struct plan *p);
struct error *suspend_disk_unmade(struct plan *p, struct txn *t);
/* Removes the VM's suspend disk, if it has one. */
struct error *suspend_disk_remove(struct plan *p);
struct error *suspend_disk_removed(struct plan *p, struct txn *t);
