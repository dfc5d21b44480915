/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Recovery of VMs in another pool: what a VM needs there. `session` is one of that pool. */

#include "gen/class/VM_txn.h"

struct call;

/* VM_REQUIRES_SR [vm, sr]: a repository that is not there. */
_must_check_ struct error *recovery_check(struct call *c, const char *vm, const char *session);
/* Adds the repositories of its disks to ret. */
_must_check_ struct error *recovery_srs(struct call *c, const char *vm, const char *session,
                                        struct set_ref *ret);
/* A session of this pool finds the VM in place: VM_TO_IMPORT_IS_NOT_NEWER_VERSION unless forced. */
_must_check_ struct error *recovery_do(struct call *c, const char *vm, const char *session,
                                       bool force);
