/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this virtual network card? */
#include "rules/ops.h"

#include "gen/class/PIF.h"
#include "gen/class/VIF.h"
#include "gen/class/VM.h"
#include "gen/class/network.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/hotplug.h"
#include "rules/lookup.h"
#include "rules/vm_tables.h"

#define ALL_OPS (~(op_mask)0)

struct vif_ask {
    const struct view *v;
    bool strict;
    const struct vif_rec *vif;
    const struct vm_rec *vm;
};

static bool not_busy(struct vif_ask *q, enum vif_operations op, struct error **ret_why)
{
    if (q->vif->current_operations.n)
        REFUSE(ret_why, err_busy("VIF", q->vif->self, &q->vif->current_operations, ALL_OPS,
                                 &vif_operations_info));
    return vm_devices_free(q->vm, ret_why);
}

static bool power_state_fits(struct vif_ask *q, enum vif_operations op, struct error **ret_why)
{
    unsigned states = VM_STATE(PAUSED) | VM_STATE(RUNNING);

    if (!(states >> q->vm->power_state & 1))
        REFUSE(ret_why, vm_bad_power_state(q->vm, states));
    return true;
}

static bool attachment_fits(struct vif_ask *q, enum vif_operations op, struct error **ret_why)
{
    if (op == VIF_OPERATIONS_PLUG && q->vif->currently_attached)
        REFUSE(ret_why, err_device_already_attached(q->vif->self));
    if (op == VIF_OPERATIONS_UNPLUG && !q->vif->currently_attached)
        REFUSE(ret_why, err_device_already_detached(q->vif->self));
    return true;
}

static bool network_is_sriov(const struct view *v, const struct network_rec *network)
{
    for (size_t i = 0; network && i < network->inv.PIFs.n; i++) {
        const struct pif_rec *pif = view_find(v, CLASS_PIF, network->inv.PIFs.v[i]);

        if (pif && pif->inv.sriov_logical_PIF_of.n)
            return true;
    }
    return false;
}

static bool guest_can_hotplug(struct vif_ask *q, enum vif_operations op, struct error **ret_why)
{
    if (network_is_sriov(q->v, view_find(q->v, CLASS_NETWORK, q->vif->network)))
        REFUSE(ret_why,
               err_operation_not_allowed("A VIF on an SR-IOV network cannot be hot-plugged"));
    if (!vm_can_hotplug(q->v, q->vm, hotplug_vif, q->strict))
        REFUSE(ret_why, err_vm_missing_pv_drivers(q->vm->self));
    return true;
}

static const struct vif_check {
    op_mask ops;
    bool (*ok)(struct vif_ask *q, enum vif_operations op, struct error **ret_why);
} checks[] = {
    {ALL_OPS, not_busy},
    {~OP(VIF_OPERATIONS_ATTACH), power_state_fits},
    {~OP(VIF_OPERATIONS_ATTACH), attachment_fits},
    {~OP(VIF_OPERATIONS_ATTACH), guest_can_hotplug},
};

static bool run_checks(struct vif_ask *q, enum vif_operations op, struct error **ret_why)
{
    if (!q->vm)
        REFUSE(ret_why, error_api("HANDLE_INVALID", 2, "VM", q->vif->VM));
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

bool vif_op_allowed(const struct view *v, const struct vif_rec *vif, enum vif_operations op,
                    bool strict, struct error **ret_why)
{
    struct vif_ask q = {
        .v = v, .strict = strict, .vif = vif, .vm = view_find(v, CLASS_VM, vif->VM)};

    return run_checks(&q, op, ret_why);
}

void derive_vif_allowed_operations(const struct view *v, struct arena *a, const struct vif_rec *rec,
                                   struct set_enum *ret)
{
    struct vif_ask q = {.v = v, .strict = true, .vif = rec, .vm = view_find(v, CLASS_VM, rec->VM)};
    op_mask allowed = 0;

    for (int op = 0; op < VIF_OPERATIONS_MAX; op++)
        if (run_checks(&q, (enum vif_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
