/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_devices.h"

#include "base/mem.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/network_txn.h"
#include "gen/errors.h"
#include "rules/devices.h"
#include "rules/lookup.h"
#include "rules/ops.h"
#include "rules/vm_tables.h"

void host_disk_of(struct txn *t, const struct vbd_rec *vbd, struct host_disk_rec *ret)
{
    const struct vdi_rec *vdi = vbd->empty ? NULL : txn_find_vdi(t, vbd->VDI);
    const struct sr_rec *sr = vdi ? txn_find_sr(t, vdi->SR) : NULL;

    *ret = (struct host_disk_rec){
        .device = vbd_device_number(vbd->userdevice, vbd->type),
        .sr = sr ? sr->uuid : "",
        .vdi = sr ? vdi->uuid : "",
        .cd = vbd->type == VBD_TYPE_CD,
        .read_only = vbd->mode == VBD_MODE_RO,
        .bootable = vbd->bootable,
    };
}

void host_nic_of(struct txn *t, const struct vif_rec *vif, struct host_nic_rec *ret)
{
    const struct network_rec *network = txn_find_network(t, vif->network);

    *ret = (struct host_nic_rec){
        .device = vif_device_number(vif->device),
        .mac = vif->MAC,
        .bridge = network ? network->bridge : "",
        .mtu = vif->MTU,
        .locking = vif->locking_mode == VIF_LOCKING_MODE_DISABLED ? "disabled" : "",
    };
}

struct error *device_error(struct error *e, const char *ref)
{
    bool ours = error_is(e, ERR_DEVICE_DETACH_TIMEOUT) || error_is(e, ERR_DEVICE_DETACH_REJECTED);

    if (ours && e->n_params > 1) {
        free(e->params[1]);
        e->params[1] = xstrdup(ref);
    }
    return e;
}

void run_note(struct plan *p, const struct vm_rec *vm)
{
    plan_set_str(p, "run", vm->run);
}

struct error *run_check(const struct plan *p, struct txn *t)
{
    const struct vm_rec *vm;

    TRY(txn_vm(t, plan_str(p, "vm"), &vm));
    if (!vm_is_live(vm))
        return vm_bad_power_state(vm, VM_STATE(PAUSED) | VM_STATE(RUNNING));
    return streq(vm->run, plan_str(p, "run")) ? NULL : vm_bad_power_state(vm, VM_STATE(HALTED));
}

struct error *run_undone(struct error *e)
{
    if (!error_is(e, ERR_VM_BAD_POWER_STATE) && !error_is(e, ERR_HANDLE_INVALID))
        return e;
    error_free(e);
    return NULL;
}
