/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is an operation allowed on this VM? A list of checks in a fixed order, each with the operations
 * it can refuse; the first refusal decides.
 */
#include "rules/ops.h"

#include "base/mem.h"
#include "base/str.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VGPU.h"
#include "gen/class/VGPU_type.h"
#include "gen/class/VM.h"
#include "gen/class/VM_guest_metrics.h"
#include "gen/class/VM_metrics.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/vm_tables.h"

#include <ctype.h>

/* One VM under question; what costs look-ups is fetched at first use and kept for the next
 * operation. */
struct vm_ask {
    const struct view *v;
    const struct vm_rec *vm;
    const struct pool_rec *pool;
    op_mask current;
    bool strict;
    bool guest_known;
    const struct vm_guest_metrics_rec *guest; /* NULL = no agent has reported */
    bool guest_decides; /* an HVM guest without full drivers: its feature flags matter */
    bool disks_known;
    bool disk_resets;
    bool cached_disk_resets;
};

static const struct pool_rec *ask_pool(struct vm_ask *q)
{
    if (!q->pool)
        q->pool = find_pool(q->v);
    return q->pool;
}

static unsigned states_of(struct vm_ask *q, enum vm_operations op)
{
    unsigned states = vm_op_states[op];

    if (q->vm->is_control_domain)
        states |= vm_op_states_control[op];
    if (!vm_op_states_snapshot[op])
        return states;
    const struct pool_rec *pool = q->vm->is_a_snapshot ? NULL : ask_pool(q);

    if (q->vm->is_a_snapshot ||
        (pool && config_is_true(&pool->other_config, "allow_clone_suspended_vm")))
        states |= vm_op_states_snapshot[op];
    return states;
}

static void add_lower(struct str *b, const char *text)
{
    for (; *text; text++)
        str_add_char(b, (char)tolower((unsigned char)*text));
}

struct error *vm_bad_power_state(const struct vm_rec *vm, unsigned states)
{
    _cleanup_str_ struct str expected = STR_INIT;
    _cleanup_str_ struct str actual = STR_INIT;

    for (int s = 0; s < VM_POWER_STATE_MAX; s++) {
        if (!(states >> s & 1))
            continue;
        if (expected.len)
            str_lit(&expected, ", ");
        add_lower(&expected, vm_power_state_info.names[s]);
    }
    add_lower(&actual, vm_power_state_info.names[vm->power_state]);
    return err_vm_bad_power_state(vm->self, str_cstr(&expected), str_cstr(&actual));
}

static const char *op_name(enum vm_operations op)
{
    return vm_operations_info.names[op];
}

static bool not_blocked(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    const struct map_enum_string *blocked = &q->vm->blocked_operations;

    for (size_t i = 0; i < blocked->n; i++)
        if (blocked->k[i] == (int)op)
            REFUSE(ret_why, err_operation_blocked(q->vm->self, blocked->v[i]));
    return true;
}

static bool power_state_fits(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    unsigned states = states_of(q, op);

    if (!(states >> q->vm->power_state & 1))
        REFUSE(ret_why, vm_bad_power_state(q->vm, states));
    return true;
}

static bool not_busy(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->current && !vm_ops_concurrent(q->current, op))
        REFUSE(ret_why, err_busy("VM", q->vm->self, &q->vm->current_operations, ~(op_mask)0,
                                 &vm_operations_info));
    return true;
}

static bool template_accepts(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    op_mask accepts = VM_TEMPLATE_OPS | (q->vm->is_default_template ? 0 : VM_OWN_TEMPLATE_OPS);

    if (q->vm->is_a_template && !q->vm->is_a_snapshot && !(accepts & OP(op)))
        REFUSE(ret_why, error_api(ERR_VM_IS_TEMPLATE, 2, q->vm->self, op_name(op)));
    return true;
}

static bool snapshot_accepts(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->vm->is_a_snapshot && !(VM_SNAPSHOT_OPS & OP(op)))
        REFUSE(ret_why, err_vm_is_snapshot(q->vm->self, op_name(op)));
    return true;
}

static bool right_kind_of_vm(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (op == VM_OPERATIONS_PROVISION && !q->vm->is_a_template)
        REFUSE(ret_why, err_provision_only_allowed_on_template());
    if (op == VM_OPERATIONS_REVERT && !q->vm->is_a_snapshot)
        REFUSE(ret_why, err_revert_only_allowed_on_snapshot());
    return true;
}

/* While a VM has a domain, what that was started with counts, not what the next start will use. */
static bool has_nested_virt(struct vm_ask *q)
{
    const struct vm_metrics_rec *m =
        vm_is_live(q->vm) ? view_find(q->v, CLASS_VM_METRICS, q->vm->metrics) : NULL;

    return m ? m->nested_virt : config_is_true(&q->vm->platform, "nested-virt");
}

static bool must_stay(struct vm_ask *q)
{
    const struct vm_metrics_rec *m =
        vm_is_live(q->vm) ? view_find(q->v, CLASS_VM_METRICS, q->vm->metrics) : NULL;

    return m ? m->nomigrate : config_is_true(&q->vm->platform, "nomigrate");
}

static bool is_mobile(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->strict && (must_stay(q) || has_nested_virt(q)))
        REFUSE(ret_why, err_vm_is_immobile(q->vm->self));
    return true;
}

static bool can_balloon(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->strict && has_nested_virt(q))
        REFUSE(ret_why, err_vm_is_using_nested_virt(q->vm->self));
    return true;
}

static bool control_domain_accepts(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (!q->vm->is_control_domain)
        return true;
    if (vm_is_dom0(q->vm) && (VM_NOT_DOM0_OPS & OP(op)))
        REFUSE(ret_why, err_operation_not_allowed("This operation is not allowed on dom0"));
    if (!(VM_CONTROL_DOMAIN_OPS & OP(op)))
        REFUSE(ret_why,
               err_operation_not_allowed("This operation is not allowed on a control domain"));
    return true;
}

static void ask_guest(struct vm_ask *q)
{
    if (q->guest_known)
        return;
    q->guest_known = true;
    q->guest = view_find(q->v, CLASS_VM_GUEST_METRICS, q->vm->guest_metrics);
    q->guest_decides = q->vm->power_state == VM_POWER_STATE_RUNNING &&
                       !(q->guest && q->guest->PV_drivers_detected) && !vm_booted_pv(q->v, q->vm);
}

static bool guest_has(struct vm_ask *q, const char *feature)
{
    return q->guest && config_is_true(&q->guest->other, feature);
}

static bool guest_can_move(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    ask_guest(q);
    if (!q->guest_decides)
        return true;
    const char *reason =
        q->guest ? config_find(&q->guest->other, "data-cant-suspend-reason") : NULL;

    if (reason)
        REFUSE(ret_why, err_vm_non_suspendable(q->vm->self, reason));
    if (q->strict && !guest_has(q, "feature-suspend"))
        REFUSE(ret_why, err_vm_lacks_feature(q->vm->self));
    return true;
}

/* Not strictly known: a guest without agent may well answer the power button. */
static bool guest_obeys(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    ask_guest(q);
    if (!q->guest_decides)
        return true;
    if (op == VM_OPERATIONS_CHANGING_VCPUS_LIVE) {
        if (!guest_has(q, "feature-vcpu-hotplug"))
            REFUSE(ret_why, err_vm_lacks_feature(q->vm->self));
        return true;
    }
    const char *other = op == VM_OPERATIONS_CLEAN_REBOOT ? "feature-reboot" : "feature-poweroff";

    if (q->strict && !guest_has(q, "feature-shutdown") && !guest_has(q, other))
        REFUSE(ret_why, err_vm_lacks_feature(q->vm->self));
    return true;
}

static bool never_quiesces(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    REFUSE(ret_why, err_vm_snapshot_with_quiesce_not_supported(
                        q->vm->self, "no guest agent can quiesce the file systems"));
}

static void ask_disks(struct vm_ask *q)
{
    if (q->disks_known)
        return;
    q->disks_known = true;
    for (size_t i = 0; i < q->vm->inv.VBDs.n; i++) {
        const struct vbd_rec *vbd = view_find(q->v, CLASS_VBD, q->vm->inv.VBDs.v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? view_find(q->v, CLASS_VDI, vbd->VDI) : NULL;

        if (!vdi || vdi->on_boot != ON_BOOT_RESET)
            continue;
        q->disk_resets = true;
        q->cached_disk_resets |= vdi->allow_caching;
    }
}

static bool disks_persist(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    ask_disks(q);
    if (op == VM_OPERATIONS_POOL_MIGRATE ? q->cached_disk_resets : q->disk_resets)
        REFUSE(ret_why, err_vdi_on_boot_mode_incompatible_with_operation());
    return true;
}

/* NVIDIA's virtual functions can be saved and restored although they are PCI devices. */
static bool pci_can_move(struct vm_ask *q, const char *pci)
{
    for (size_t i = 0; i < q->vm->inv.VGPUs.n; i++) {
        const struct vgpu_rec *vgpu = view_find(q->v, CLASS_VGPU, q->vm->inv.VGPUs.v[i]);
        const struct vgpu_type_rec *type =
            vgpu && streq(vgpu->PCI, pci) ? view_find(q->v, CLASS_VGPU_TYPE, vgpu->type) : NULL;

        if (type && type->implementation == VGPU_TYPE_IMPLEMENTATION_NVIDIA_SRIOV)
            return true;
    }
    return false;
}

static bool pcis_can_move(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    for (size_t i = 0; i < q->vm->inv.attached_PCIs.n; i++)
        if (!pci_can_move(q, q->vm->inv.attached_PCIs.v[i]))
            REFUSE(ret_why, err_vm_has_pci_attached(q->vm->self));
    return true;
}

static bool vgpus_can_move(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (!vm_is_live(q->vm))
        return true;
    for (size_t i = 0; i < q->vm->inv.VGPUs.n; i++) {
        const struct vgpu_rec *vgpu = view_find(q->v, CLASS_VGPU, q->vm->inv.VGPUs.v[i]);
        const struct vgpu_type_rec *type =
            vgpu ? view_find(q->v, CLASS_VGPU_TYPE, vgpu->type) : NULL;

        if (!type || (type->implementation != VGPU_TYPE_IMPLEMENTATION_NVIDIA &&
                      type->implementation != VGPU_TYPE_IMPLEMENTATION_NVIDIA_SRIOV))
            REFUSE(ret_why, err_vm_has_vgpu(q->vm->self));
    }
    return true;
}

static bool has_no_usb(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->vm->inv.VUSBs.n)
        REFUSE(ret_why, err_vm_has_vusbs(q->vm->self));
    return true;
}

static bool belongs_nowhere(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    const struct vm_rec *vm = q->vm;

    if (ref_is_set(vm->appliance))
        REFUSE(ret_why, err_vm_is_part_of_an_appliance(vm->self, vm->appliance));
    if (ref_is_set(vm->protection_policy))
        REFUSE(ret_why, err_vm_assigned_to_protection_policy(vm->self, vm->protection_policy));
    if (ref_is_set(vm->snapshot_schedule))
        REFUSE(ret_why, err_vm_assigned_to_snapshot_schedule(vm->self, vm->snapshot_schedule));
    return true;
}

static bool is_system_domain(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (!config_is_true(&q->vm->other_config, "is_system_domain"))
        REFUSE(ret_why, err_not_system_domain(q->vm->self));
    return true;
}

static bool not_upgrading(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    const struct pool_rec *pool = ask_pool(q);

    if (pool && config_find(&pool->other_config, "rolling_upgrade_in_progress"))
        REFUSE(ret_why, err_not_supported_during_upgrade());
    return true;
}

static bool has_no_vtpm(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    if (q->vm->inv.VTPMs.n)
        REFUSE(ret_why, err_vtpm_max_amount_reached("1"));
    return true;
}

#define ALL_OPS (~(op_mask)0)
#define MOVES   (VM_OP(SUSPEND) | VM_OP(CHECKPOINT) | VM_OP(POOL_MIGRATE) | VM_OP(MIGRATE_SEND))

/* The order is part of the API: clients look at the first reason. */
static const struct vm_check {
    op_mask ops; /* the operations the check can refuse */
    bool (*ok)(struct vm_ask *q, enum vm_operations op, struct error **ret_why);
} checks[] = {
    {ALL_OPS, not_blocked},
    {ALL_OPS, power_state_fits},
    {ALL_OPS, not_busy},
    {~VM_TEMPLATE_OPS, template_accepts},
    {~VM_SNAPSHOT_OPS, snapshot_accepts},
    {VM_OP(PROVISION) | VM_OP(REVERT), right_kind_of_vm},
    {MOVES, is_mobile},
    {VM_OP(CHANGING_DYNAMIC_RANGE), can_balloon},
    {~VM_CONTROL_DOMAIN_OPS | VM_NOT_DOM0_OPS, control_domain_accepts},
    {MOVES, guest_can_move},
    {VM_OP(CLEAN_SHUTDOWN) | VM_OP(CLEAN_REBOOT) | VM_OP(CHANGING_VCPUS_LIVE), guest_obeys},
    {VM_OP(SNAPSHOT_WITH_QUIESCE), never_quiesces},
    {VM_OP(CHECKPOINT) | VM_OP(SNAPSHOT) | VM_OP(SUSPEND) | VM_OP(POOL_MIGRATE), disks_persist},
    {MOVES, pcis_can_move},
    {MOVES, vgpus_can_move},
    {MOVES | VM_OP(SNAPSHOT), has_no_usb},
    {VM_OP(MAKE_INTO_TEMPLATE), belongs_nowhere},
    {VM_OP(QUERY_SERVICES), is_system_domain},
    {~VM_UPGRADE_OPS, not_upgrading},
    {VM_OP(CREATE_VTPM), has_no_vtpm},
};

static bool run_checks(struct vm_ask *q, enum vm_operations op, struct error **ret_why)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

bool vm_op_allowed(const struct view *v, const struct vm_rec *vm, enum vm_operations op,
                   bool strict, struct error **ret_why)
{
    struct vm_ask q = {
        .v = v, .vm = vm, .current = ops_current(&vm->current_operations), .strict = strict};

    return run_checks(&q, op, ret_why);
}

void derive_vm_allowed_operations(const struct view *v, struct arena *a, const struct vm_rec *rec,
                                  struct set_enum *ret)
{
    struct vm_ask q = {
        .v = v, .vm = rec, .current = ops_current(&rec->current_operations), .strict = true};
    op_mask allowed = 0;

    for (int op = 0; op < VM_OPERATIONS_MAX; op++)
        if (!(VM_UNLISTED_OPS & OP(op)) && run_checks(&q, (enum vm_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
