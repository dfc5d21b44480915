/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan types of VMs, for the engine's table (api/plans.c). */

#include "task/plan.h"

extern const struct plan_type plan_vm_start;
extern const struct plan_type plan_vm_resume;
extern const struct plan_type plan_vm_suspend;
extern const struct plan_type plan_vm_migrate_send;
extern const struct plan_type plan_vm_pause;
extern const struct plan_type plan_vm_unpause;
extern const struct plan_type plan_vm_clean_shutdown;
extern const struct plan_type plan_vm_hard_shutdown;
extern const struct plan_type plan_vm_clean_reboot;
extern const struct plan_type plan_vm_hard_reboot;
extern const struct plan_type plan_vm_stopped;
extern const struct plan_type plan_vm_restart;
extern const struct plan_type plan_vm_destroy;
extern const struct plan_type plan_vm_set_memory_dynamic_range;
extern const struct plan_type plan_vm_set_vcpus_number_live;
extern const struct plan_type plan_vm_checkpoint;
extern const struct plan_type plan_vm_checkpoint_suspended;
extern const struct plan_type plan_vm_clone;
extern const struct plan_type plan_vm_copy;
extern const struct plan_type plan_vm_provision;
extern const struct plan_type plan_vm_revert;
extern const struct plan_type plan_vm_snapshot;
