/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this virtual block device? */
#include "rules/ops.h"

#include "base/mem.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VM.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/hotplug.h"
#include "rules/lookup.h"
#include "rules/vm_tables.h"

#define VBD_OP(op) OP(VBD_OPERATIONS_##op)
#define ALL_OPS    (~(op_mask)0)
#define MEDIA_OPS  (VBD_OP(INSERT) | VBD_OP(EJECT))
#define UNPLUGS    (VBD_OP(UNPLUG) | VBD_OP(UNPLUG_FORCE))
#define PAUSES     (VBD_OP(PAUSE) | VBD_OP(UNPAUSE))

struct vbd_ask {
    const struct view *v;
    bool strict;
    const struct vbd_rec *vbd;
    const struct vm_rec *vm;
    const struct vdi_rec *vdi; /* NULL = empty drive */
};

static const char *op_name(enum vbd_operations op)
{
    return vbd_operations_info.names[op];
}

static bool not_busy(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    if (q->vbd->current_operations.n)
        REFUSE(ret_why, err_busy("VBD", q->vbd->self, &q->vbd->current_operations, ALL_OPS,
                                 &vbd_operations_info));
    return vm_devices_free(q->vm, ret_why);
}

/* No back end here pauses single devices; the calls exist for old storage managers. */
static bool cannot_pause(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    REFUSE(ret_why, err_sr_operation_not_supported(q->vdi ? q->vdi->SR : REF_NULL));
}

static bool medium_fits(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    if (q->vbd->type == VBD_TYPE_DISK)
        REFUSE(ret_why, err_vbd_not_removable_media(q->vbd->self));
    if (op == VBD_OPERATIONS_INSERT && !q->vbd->empty)
        REFUSE(ret_why, err_vbd_not_empty(q->vbd->self));
    if (op == VBD_OPERATIONS_EJECT && q->vbd->empty)
        REFUSE(ret_why, err_vbd_is_empty(q->vbd->self));
    return true;
}

/* Discs change in a stopped VM too (only rows do then), but not under a saved one. */
static bool power_state_fits(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    unsigned states = VM_STATE(PAUSED) | VM_STATE(RUNNING);

    if (MEDIA_OPS & OP(op))
        states |= VM_STATE(HALTED);
    if (!(states >> q->vm->power_state & 1))
        REFUSE(ret_why, vm_bad_power_state(q->vm, states));
    return true;
}

static bool attachment_fits(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    if (op == VBD_OPERATIONS_PLUG && q->vbd->currently_attached)
        REFUSE(ret_why, err_device_already_attached(q->vbd->self));
    if ((UNPLUGS & OP(op)) && !q->vbd->currently_attached)
        REFUSE(ret_why, err_device_already_detached(q->vbd->self));
    return true;
}

static bool may_be_unplugged(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    if (!q->vbd->unpluggable)
        REFUSE(ret_why, err_vbd_not_unpluggable(q->vbd->self));
    return true;
}

static bool guest_can_hotplug(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    bool hvm = !q->vm->is_control_domain && vm_domain_type(q->v, q->vm) == DOMAIN_TYPE_HVM;

    if (hvm && q->vbd->type != VBD_TYPE_DISK)
        REFUSE(ret_why,
               err_operation_not_allowed("An optical drive of an HVM guest cannot be hot-plugged"));
    if (!vm_can_hotplug(q->v, q->vm, hotplug_vbd, q->strict))
        REFUSE(ret_why, err_vm_missing_pv_drivers(q->vm->self));
    if (hvm && op == VBD_OPERATIONS_PLUG && q->vbd->mode == VBD_MODE_RO)
        REFUSE(ret_why, err_disk_vbd_must_be_readwrite_for_hvm(q->vbd->self));
    return true;
}

/* One writer, or any number of readers, unless the image says that its users know each other. */
static bool may_share(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    bool writes = q->vbd->mode == VBD_MODE_RW;

    if (q->vdi->sharable)
        return true;
    for (size_t i = 0; i < q->vdi->inv.VBDs.n; i++) {
        const struct vbd_rec *other = view_find(q->v, CLASS_VBD, q->vdi->inv.VBDs.v[i]);

        if (!other || streq(other->self, q->vbd->self) || !other->currently_attached)
            continue;
        if (writes || other->mode == VBD_MODE_RW)
            REFUSE(ret_why, err_vdi_in_use(q->vdi->self, op_name(op)));
    }
    return true;
}

static bool disk_fits(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    static const op_mask harmless = OP(VDI_OPERATIONS_SNAPSHOT) | OP(VDI_OPERATIONS_UPDATE) |
                                    OP(VDI_OPERATIONS_MIRROR) | OP(VDI_OPERATIONS_CLONE) |
                                    OP(VDI_OPERATIONS_ENABLE_CBT) | OP(VDI_OPERATIONS_DISABLE_CBT);
    const struct vdi_rec *vdi = q->vdi;

    if (!vdi) {
        if (!q->vbd->empty || q->vbd->type == VBD_TYPE_DISK)
            REFUSE(ret_why, err_vbd_is_empty(q->vbd->self));
        return true;
    }
    if (!vdi->managed)
        REFUSE(ret_why, err_vdi_not_managed(vdi->self));
    if (ops_current(&vdi->current_operations) & ~harmless)
        REFUSE(ret_why, err_busy("VDI", vdi->self, &vdi->current_operations, ~harmless,
                                 &vdi_operations_info));
    if (q->vbd->mode == VBD_MODE_RW && vdi->read_only)
        REFUSE(ret_why, err_vdi_readonly(vdi->self));
    return may_share(q, op, ret_why);
}

static const struct vbd_check {
    op_mask ops;
    bool (*ok)(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why);
} checks[] = {
    {PAUSES, cannot_pause},
    {ALL_OPS, not_busy},
    {MEDIA_OPS, medium_fits},
    {~(op_mask)VBD_OP(ATTACH), power_state_fits},
    {VBD_OP(PLUG) | UNPLUGS, attachment_fits},
    {UNPLUGS, may_be_unplugged},
    {VBD_OP(PLUG) | UNPLUGS, guest_can_hotplug},
    {VBD_OP(PLUG) | VBD_OP(ATTACH), disk_fits},
};

static bool run_checks(struct vbd_ask *q, enum vbd_operations op, struct error **ret_why)
{
    if (!q->vm)
        REFUSE(ret_why, error_api("HANDLE_INVALID", 2, "VM", q->vbd->VM));
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

static struct vbd_ask vbd_ask(const struct view *v, const struct vbd_rec *vbd, bool strict)
{
    return (struct vbd_ask){.v = v,
                            .strict = strict,
                            .vbd = vbd,
                            .vm = view_find(v, CLASS_VM, vbd->VM),
                            .vdi = view_find(v, CLASS_VDI, vbd->VDI)};
}

bool vbd_op_allowed(const struct view *v, const struct vbd_rec *vbd, enum vbd_operations op,
                    bool strict, struct error **ret_why)
{
    struct vbd_ask q = vbd_ask(v, vbd, strict);

    return run_checks(&q, op, ret_why);
}

void derive_vbd_allowed_operations(const struct view *v, struct arena *a, const struct vbd_rec *rec,
                                   struct set_enum *ret)
{
    struct vbd_ask q = vbd_ask(v, rec, true);
    op_mask allowed = 0;

    for (int op = 0; op < VBD_OPERATIONS_MAX; op++)
        if (run_checks(&q, (enum vbd_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
