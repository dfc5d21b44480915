/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/boot_checks.h"

#include "api/vm/params.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VGPU_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VUSB_txn.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/ops.h"

#include <inttypes.h>

static struct error *check_params(const struct vm_rec *vm)
{
    TRY(firmware_check(&vm->HVM_boot_params));
    if (vm->VCPUs_at_startup <= 0 || vm->VCPUs_at_startup > vm->VCPUs_max)
        return err_vm_no_vcpus(vm->self);
    return platform_check(&vm->platform, vm->VCPUs_max);
}

static struct error *check_host(struct daemon *d, struct txn *t)
{
    const struct host_rec *host;

    TRY(txn_host(t, d->host_ref, &host));
    return host->enabled ? NULL : err_host_disabled(host->self);
}

static bool sr_is_plugged(struct daemon *d, struct txn *t, const struct sr_rec *sr)
{
    const struct sr_inv *inv = txn_inv_sr(t, sr);

    for (size_t i = 0; i < inv->PBDs.n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(t, inv->PBDs.v[i]);

        if (pbd && pbd->currently_attached && streq(pbd->host, d->host_ref))
            return true;
    }
    return false;
}

/* Someone else writes to the disk, or would be written under. */
static struct error *check_sharing(struct txn *t, const struct vbd_rec *mine,
                                   const struct vdi_rec *vdi)
{
    const struct vdi_inv *inv = txn_inv_vdi(t, vdi);

    if (vdi->sharable)
        return NULL;
    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *other = txn_find_vbd(t, inv->VBDs.v[i]);

        if (!other || streq(other->self, mine->self) || !other->currently_attached)
            continue;
        if (other->mode == VBD_MODE_RW || mine->mode == VBD_MODE_RW)
            return err_vdi_in_use(vdi->self, "attach");
    }
    return NULL;
}

static struct error *check_disk(struct daemon *d, struct txn *t, const struct vm_rec *vm,
                                const struct vbd_rec *vbd)
{
    const struct vdi_rec *vdi;
    const struct sr_rec *sr;

    if (vbd->empty)
        return NULL;
    if (!(vdi = txn_find_vdi(t, vbd->VDI)))
        return err_vm_requires_vdi(vm->self, vbd->VDI);
    TRY(txn_sr(t, vdi->SR, &sr));
    if (!sr_is_plugged(d, t, sr))
        return err_vm_requires_sr(vm->self, sr->self);
    return check_sharing(t, vbd, vdi);
}

static struct error *check_disks(struct daemon *d, struct txn *t, const struct vm_rec *vm)
{
    const struct vm_inv *inv = txn_inv_vm(t, vm);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, inv->VBDs.v[i]);

        if (vbd)
            TRY(check_disk(d, t, vm, vbd));
    }
    return NULL;
}

/* What is left of the host's memory after what its running VMs may use. */
static struct error *check_memory(struct daemon *d, struct txn *t, const struct vm_rec *vm)
{
    const struct host_rec *host;
    const struct host_metrics_rec *m;

    TRY(txn_host(t, d->host_ref, &host));
    if (!(m = txn_find_host_metrics(t, host->metrics)))
        return NULL;
    const struct host_inv *inv = txn_inv_host(t, host);
    int64_t needed = vm->memory_dynamic_min + vm_memory_overhead(vm);
    int64_t free = m->memory_total - host->memory_overhead;

    /* The list is read in the transaction. What is in it, as it is now: a thousand reads that could
     * each bring a conflict would cost more than the rest of the call. */
    for (size_t i = 0; i < inv->resident_VMs.n; i++) {
        _cleanup_version_ struct version *v =
            store_find(d->store, CLASS_VM, inv->resident_VMs.v[i]);
        const struct vm_rec *other = v ? v->rec : NULL;

        if (other && !other->is_control_domain)
            free -= other->memory_dynamic_min + vm_memory_overhead(other);
    }
    if (needed <= free)
        return NULL;
    _cleanup_free_ char *n = xasprintf("%" PRId64, needed);
    _cleanup_free_ char *f = xasprintf("%" PRId64, MAX(free, 0));

    return err_host_not_enough_free_memory(n, f);
}

/* Devices of the machine cannot be given to guests yet: a VM that needs one does not start. */
static struct error *check_hardware(struct txn *t, const struct vm_rec *vm)
{
    const struct vm_inv *inv = txn_inv_vm(t, vm);
    const struct vgpu_rec *vgpu = inv->VGPUs.n ? txn_find_vgpu(t, inv->VGPUs.v[0]) : NULL;
    const struct vusb_rec *vusb = inv->VUSBs.n ? txn_find_vusb(t, inv->VUSBs.v[0]) : NULL;

    if (vgpu)
        return err_vm_requires_gpu(vm->self, vgpu->GPU_group);
    return vusb ? err_vm_requires_vusb(vm->self, vusb->USB_group) : NULL;
}

struct error *vm_boot_checks(struct daemon *d, struct txn *t, const struct vm_rec *vm)
{
    TRY(check_params(vm));
    TRY(check_host(d, t));
    TRY(check_disks(d, t, vm));
    TRY(check_hardware(t, vm));
    return check_memory(d, t, vm);
}
