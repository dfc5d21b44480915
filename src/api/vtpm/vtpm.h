/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual TPMs: the row, and its state as a secret, which nobody but the program that plays the TPM
 * may read. Copies of a VM have copies of them.
 */

#include "gen/class/VM_txn.h"

/* A new one with this state; its reference. */
const char *vtpm_add(struct txn *t, const char *vm, bool unique, const char *contents);
/* VTPMs of `from` for `to` as well. exact: with their state; otherwise one that must be unique
 * starts empty. */
_must_check_ struct error *vtpm_copy_all(struct txn *t, const struct vm_rec *from,
                                         const struct vm_rec *to, bool exact);
/* Those of the VM go, with their secrets. */
_must_check_ struct error *vtpm_remove_all(struct txn *t, const struct vm_rec *vm);
