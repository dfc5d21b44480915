/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/plans.h"

#include "api/vm/plans.h"

const struct plan_type *const api_plan_types[] = {
    &plan_vm_start,       &plan_vm_resume,         &plan_vm_suspend,       &plan_vm_pause,
    &plan_vm_unpause,     &plan_vm_clean_shutdown, &plan_vm_hard_shutdown, &plan_vm_clean_reboot,
    &plan_vm_hard_reboot, &plan_vm_stopped,        &plan_vm_restart,       NULL,
};
