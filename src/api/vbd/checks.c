/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_devices.h"
#include "api/vbd/vbd.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "rpc/call.h"
#include "rules/hotplug.h"
#include "rules/ops.h"
#include "rules/vm_tables.h"

struct error *vbd_ends(struct txn *t, const char *vbd, struct vbd_ends *ret)
{
    TRY(txn_vbd(t, vbd, &ret->vbd));
    TRY(txn_vm(t, ret->vbd->VM, &ret->vm));
    ret->vdi = txn_find_vdi(t, ret->vbd->VDI);
    return NULL;
}

struct error *vbd_plan(struct call *c, const struct plan_type *type, const struct vbd_ends *ends,
                       enum vbd_operations op, struct plan **ret)
{
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, P_VBD, ends->vbd->self);
    plan_set_str(p, P_VM, ends->vm->self);
    plan_set_str(p, P_VMUUID, ends->vm->uuid);
    run_note(p, ends->vm);
    *ret = p;
    return plan_mark(p, c->txn, CLASS_VBD, ends->vbd->self, (int)op);
}

struct error *vbd_check_storage(struct call *c, const struct vdi_rec *vdi)
{
    const struct sr_rec *sr;

    if (!vdi)
        return NULL;
    TRY(txn_sr(c->txn, vdi->SR, &sr));
    const struct set_ref *pbds = &txn_inv_sr(c->txn, sr)->PBDs;

    for (size_t i = 0; i < pbds->n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(c->txn, pbds->v[i]);

        if (pbd && pbd->currently_attached && streq(pbd->host, c->daemon->host_ref))
            return NULL;
    }
    return err_sr_not_attached(sr->self);
}

struct error *vbd_check_disk(struct txn *t, const struct vdi_rec *vdi, int type, int mode)
{
    const struct sr_rec *sr;

    if (!vdi->managed)
        return err_vdi_not_managed(vdi->self);
    if (vdi->missing)
        return err_vdi_missing(vdi->SR, vdi->self);
    if (vdi->type == VDI_TYPE_CBT_METADATA)
        return err_vdi_incompatible_type(vdi->self, vdi_type_info.names[vdi->type]);
    TRY(txn_sr(t, vdi->SR, &sr));
    if (type == VBD_TYPE_CD && !streq(sr->content_type, "iso"))
        return err_vdi_is_not_iso(vdi->self, sr->content_type);
    if (mode == VBD_MODE_RW && vdi->read_only)
        return err_vdi_readonly(vdi->self);
    return NULL;
}

struct error *vbd_check_vm(const struct vm_rec *vm)
{
    struct error *why = NULL;

    if (!vm_devices_free(vm, &why))
        return why;
    if (vm->power_state == VM_POWER_STATE_SUSPENDED)
        return vm_bad_power_state(vm, VM_STATE(HALTED) | VM_STATE(PAUSED) | VM_STATE(RUNNING));
    return NULL;
}
