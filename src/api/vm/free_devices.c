/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.get_allowed_VBD_devices and get_allowed_VIF_devices: numbers for the next device. */
#include "gen/class/VBD_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/devices.h"

struct error *api_vm_get_allowed_vbd_devices(struct call *c,
                                             const struct vm_get_allowed_vbd_devices_args *a,
                                             struct set_string *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    *ret = vbd_devices_free(txn_view(c->txn), c->arena, vm, VBD_TYPE_DISK);
    return NULL;
}

struct error *api_vm_get_allowed_vif_devices(struct call *c,
                                             const struct vm_get_allowed_vif_devices_args *a,
                                             struct set_string *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    *ret = vif_devices_free(txn_view(c->txn), c->arena, vm);
    return NULL;
}
