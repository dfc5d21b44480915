/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_devices.h"

#include "base/mem.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/network_txn.h"
#include "gen/errors.h"
#include "rules/devices.h"
#include "rules/lookup.h"

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
    plan_set_int(p, "run", vm->domid);
}

bool run_is_over(const struct plan *p, const struct vm_rec *vm)
{
    return vm->domid != plan_int(p, "run");
}

bool run_needs_undo(struct plan *p, const char *vm, bool row_attached, bool attach)
{
    _cleanup_version_ struct version *v = store_find(plan_daemon(p)->store, CLASS_VM, vm);

    return v && (!run_is_over(p, v->rec) || (vm_is_live(v->rec) && row_attached == attach));
}
