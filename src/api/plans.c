/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/plans.h"

#include "api/vm/plans.h"

extern const struct plan_type pbd_plug_plan, pbd_unplug_plan;
extern const struct plan_type pif_plug_plan, pif_unplug_plan;
extern const struct plan_type sr_create_plan, sr_destroy_plan, sr_scan_plan;
extern const struct plan_type vdi_clone_plan, vdi_copy_plan, vdi_create_plan, vdi_destroy_plan,
    vdi_resize_plan, vdi_revert_plan, vdi_snapshot_plan;

const struct plan_type *const api_plan_types[] = {
    &plan_vm_start,
    &plan_vm_resume,
    &plan_vm_suspend,
    &plan_vm_pause,
    &plan_vm_unpause,
    &plan_vm_clean_shutdown,
    &plan_vm_hard_shutdown,
    &plan_vm_clean_reboot,
    &plan_vm_hard_reboot,
    &plan_vm_stopped,
    &plan_vm_restart,
    &pbd_plug_plan,
    &pbd_unplug_plan,
    &pif_plug_plan,
    &pif_unplug_plan,
    &sr_create_plan,
    &sr_destroy_plan,
    &sr_scan_plan,
    &vdi_clone_plan,
    &vdi_copy_plan,
    &vdi_create_plan,
    &vdi_destroy_plan,
    &vdi_resize_plan,
    &vdi_revert_plan,
    &vdi_snapshot_plan,
    NULL,
};
