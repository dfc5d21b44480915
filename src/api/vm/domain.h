/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Between the rows of a VM and its domain on the host: the launch description made from rows, and
 * what the rows say once a domain runs, is saved or is gone. Used by every power plan.
 */

#include "gen/class/VM_txn.h"
#include "gen/host_proto.h"
#include "task/plan.h"

/*
 * Keys of the plan state that power plans share:
 *   vm       reference of the VM       uuid   its uuid
 *   paused   leave it paused           domid, kind, record   what hostd answered to vm_start
 *   run      the run that the plan began
 */

/* Everything the rows say, as hostd wants it. Reads rows in a transaction of its own; memory from
 * a. */
_must_check_ struct error *domain_describe(struct daemon *d, struct arena *a, const char *vm,
                                           struct host_vm_start_args *ret);

/* act halves: ask hostd. `vm` and `uuid` are in the plan's state. */
struct error *domain_start(struct plan *p); /* ends paused; fills domid, record and run */
struct error *domain_run(struct plan *p);   /* unpauses unless `paused` is set */
struct error *domain_destroy(struct plan *p);
/* The domain as hostd tells, NULL = there is none; memory of the plan. */
_must_check_ struct error *domain_find(struct plan *p, const struct host_domain_rec **ret);

/* record halves: what the rows say from now on. */
/* Hardly rows, but the plan's position is kept, so that a domain that has run since is not started
 * again. */
struct error *domain_started(struct plan *p, struct txn *t);
struct error *vm_now_running(struct plan *p, struct txn *t); /* Running, or Paused */
/* For the record of an operation on a running VM: a forced shutdown may have gone ahead of it, and
 * what that has ended must not be recorded as going on. VM_BAD_POWER_STATE then. */
struct error *vm_edit_live(struct plan *p, struct txn *t, struct vm_rec **ret);
struct error *vm_now_halted(struct plan *p, struct txn *t);
/* The same without a plan: devices unplugged, no host, no domain. */
_must_check_ struct error *vm_reset_rows(struct daemon *d, struct txn *t, const char *vm,
                                         enum vm_power_state state);
/* VM_metrics of the VM, made if it has none. */
_must_check_ struct error *vm_metrics_edit(struct txn *t, struct vm_rec *vm,
                                           struct vm_metrics_rec **ret);
/* The number in VBD.userdevice or VIF.device. */
int64_t device_number(const char *text);

/* Makes a plan about one VM: state keys vm and uuid, and the mark. */
_must_check_ struct error *vm_plan(struct call *c, const struct plan_type *type, const char *vm,
                                   enum vm_operations op, struct plan **ret);
