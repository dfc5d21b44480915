/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/plans.h"

#include "api/network/plans.h"
#include "api/pbd/plans.h"
#include "api/pif/plans.h"
#include "api/sr/plans.h"
#include "api/vbd/plans.h"
#include "api/vdi/plans.h"
#include "api/vif/plans.h"
#include "api/vm/plans.h"
#include "api/vm_appliance/plans.h"
#include "api/vmss/plans.h"

#include <stddef.h>

const struct plan_type *const plan_types[] = {
    &plan_network_attach,
    &plan_pbd_plug,
    &plan_pbd_unplug,
    &plan_pif_plug,
    &plan_pif_unplug,
    &plan_sr_create,
    &plan_sr_destroy,
    &plan_sr_scan,
    &plan_vbd_eject,
    &plan_vbd_insert,
    &plan_vbd_plug,
    &plan_vbd_unplug,
    &plan_vdi_checksum,
    &plan_vdi_clone,
    &plan_vdi_copy,
    &plan_vdi_create,
    &plan_vdi_destroy,
    &plan_vdi_resize,
    &plan_vdi_revert,
    &plan_vdi_snapshot,
    &plan_vif_move,
    &plan_vif_plug,
    &plan_vif_unplug,
    &plan_vm_appliance,
    &plan_vm_checkpoint,
    &plan_vm_checkpoint_suspended,
    &plan_vm_clean_reboot,
    &plan_vm_clean_shutdown,
    &plan_vm_clone,
    &plan_vm_copy,
    &plan_vm_destroy,
    &plan_vm_hard_reboot,
    &plan_vm_hard_shutdown,
    &plan_vm_migrate_send,
    &plan_vm_pause,
    &plan_vm_provision,
    &plan_vm_restart,
    &plan_vm_resume,
    &plan_vm_revert,
    &plan_vm_set_memory_dynamic_range,
    &plan_vm_set_vcpus_number_live,
    &plan_vm_snapshot,
    &plan_vm_start,
    &plan_vm_stopped,
    &plan_vm_suspend,
    &plan_vm_unpause,
    &plan_vmss,
    NULL,
};
