/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Can this VM run here now? The checks of a start in the order clients know (semantics of the
 * XenAPI), each with its own error.
 */

#include "gen/class/VM_txn.h"
#include "task/daemon.h"

_must_check_ struct error *vm_boot_checks(struct daemon *d, struct txn *t, const struct vm_rec *vm);
