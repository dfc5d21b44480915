/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of plugging shared by VBDs and VIFs. */
#include "rules/hotplug.h"

#include "rules/lookup.h"
#include "rules/vm_tables.h"

int hotplug_vbd(const struct vm_guest_metrics_rec *guest)
{
    return guest->can_use_hotplug_vbd;
}

int hotplug_vif(const struct vm_guest_metrics_rec *guest)
{
    return guest->can_use_hotplug_vif;
}

bool vm_can_hotplug(const struct view *v, const struct vm_rec *vm,
                    int (*hotplug)(const struct vm_guest_metrics_rec *guest), bool strict)
{
    if (vm->is_control_domain || vm_domain_type(v, vm) != DOMAIN_TYPE_HVM)
        return true;
    const struct vm_guest_metrics_rec *guest =
        view_find(v, CLASS_VM_GUEST_METRICS, vm->guest_metrics);

    if (!guest)
        return !strict;
    if (!strict)
        return hotplug(guest) != TRISTATE_TYPE_NO;
    return hotplug(guest) == TRISTATE_TYPE_YES ||
           (guest->PV_drivers_detected && hotplug(guest) != TRISTATE_TYPE_NO);
}

bool vm_devices_free(const struct vm_rec *vm, struct error **ret_why)
{
    static const op_mask fixing =
        VM_OP(START) | VM_OP(START_ON) | VM_OP(CLEAN_SHUTDOWN) | VM_OP(CLEAN_REBOOT) |
        VM_OP(HARD_SHUTDOWN) | VM_OP(HARD_REBOOT) | VM_OP(SHUTDOWN) | VM_OP(POWER_STATE_RESET) |
        VM_OP(SUSPEND) | VM_OP(CHECKPOINT) | VM_OP(CSVM) | VM_OP(RESUME) | VM_OP(RESUME_ON) |
        VM_OP(POOL_MIGRATE) | VM_OP(MIGRATE_SEND) | VM_OP(REVERTING) | VM_OP(DESTROY);

    if (ops_current(&vm->current_operations) & fixing)
        REFUSE(ret_why,
               err_busy("VM", vm->self, &vm->current_operations, fixing, &vm_operations_info));
    return true;
}
