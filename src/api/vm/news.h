/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages to the administrator about what became of a VM. */

#include "gen/alerts.h"
#include "gen/class/VM_txn.h"
#include "task/plan.h"

/* alert: one of gen/alerts.h, whose priority it has. */
_must_check_ struct error *vm_news(struct txn *t, const struct vm_rec *vm, const char *alert);
/* Of the VM a plan is about. */
_must_check_ struct error *vm_plan_news(struct plan *p, struct txn *t, const char *alert);
