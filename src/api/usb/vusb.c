/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VUSB: a USB device as part of a VM; USB_group: what it is asked from. */
#include "gen/msg/VUSB.h"
#include "api/usb/usb.h"
#include "gen/class/USB_group_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/VUSB_txn.h"
#include "gen/msg/USB_group.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define VUSB_MAX 6

struct error *api_usb_group_create(struct call *c, const struct usb_group_create_args *a,
                                   const char **ret)
{
    struct usb_group_rec *group = txn_new_usb_group(c->txn);

    group->name_label = a->name_label;
    group->name_description = a->name_description;
    group->other_config = a->other_config;
    *ret = group->self;
    return NULL;
}

struct error *api_usb_group_destroy(struct call *c, const struct usb_group_destroy_args *a)
{
    const struct usb_group_rec *group;

    TRY(txn_usb_group(c->txn, a->self, &group));
    const struct usb_group_inv *inv = txn_inv_usb_group(c->txn, group);

    if (inv->PUSBs.n)
        return error_api_v(ERR_USB_GROUP_CONTAINS_PUSB, inv->PUSBs.v, (int)inv->PUSBs.n);
    if (inv->VUSBs.n)
        return error_api_v(ERR_USB_GROUP_CONTAINS_VUSB, inv->VUSBs.v, (int)inv->VUSBs.n);
    return txn_delete_usb_group(c->txn, group->self);
}

struct error *api_vusb_create(struct call *c, const struct vusb_create_args *a, const char **ret)
{
    const struct usb_group_rec *group;
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->VM, &vm));
    TRY(txn_usb_group(c->txn, a->USB_group, &group));
    if (vm->power_state != VM_POWER_STATE_HALTED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_HALTED);
    if (streq(vm->ha_restart_priority, "restart"))
        return err_operation_not_allowed("The VM is protected by HA: it could not restart on a "
                                         "host without the device");
    if (txn_inv_vm(c->txn, vm)->VUSBs.n >= VUSB_MAX)
        return err_too_many_vusbs(arena_printf(c->arena, "%d", VUSB_MAX));
    if (txn_inv_usb_group(c->txn, group)->VUSBs.n)
        return err_usb_group_conflict(group->self);
    struct vusb_rec *vusb = txn_new_vusb(c->txn);

    vusb->VM = vm->self;
    vusb->USB_group = group->self;
    vusb->other_config = a->other_config;
    *ret = vusb->self;
    return NULL;
}

/* Nothing is ever attached as long as guests cannot be given USB devices (see vm_boot_checks). */
struct error *api_vusb_unplug(struct call *c, const struct vusb_unplug_args *a)
{
    const struct vusb_rec *vusb;

    TRY(txn_vusb(c->txn, a->self, &vusb));
    return err_device_already_detached(vusb->self);
}

struct error *api_vusb_destroy(struct call *c, const struct vusb_destroy_args *a)
{
    const struct vusb_rec *vusb;

    TRY(txn_vusb(c->txn, a->self, &vusb));
    if (vusb->currently_attached)
        return err_operation_not_allowed("VUSB is attached to a running VM");
    return txn_delete_vusb(c->txn, vusb->self);
}
