/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of VM with a rule of their own; those without are served from the tables. */
#include "api/common/lists.h"
#include "api/vm/params.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_appliance_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"

#include <inttypes.h>

static struct error *set_count(struct call *c, const char *field, int64_t value, int64_t *at)
{
    if (value < 0)
        return err_invalid_value(field, arena_printf(c->arena, "%" PRId64, value));
    *at = value;
    return NULL;
}

struct error *api_vm_set_order(struct call *c, const struct vm_set_order_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    return set_count(c, "order", a->value, &vm->order);
}

struct error *api_vm_set_start_delay(struct call *c, const struct vm_set_start_delay_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    return set_count(c, "start_delay", a->value, &vm->start_delay);
}

struct error *api_vm_set_shutdown_delay(struct call *c, const struct vm_set_shutdown_delay_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    return set_count(c, "shutdown_delay", a->value, &vm->shutdown_delay);
}

struct error *api_vm_set_actions_after_crash(struct call *c,
                                             const struct vm_set_actions_after_crash_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    vm->actions_after_crash = a->value;
    return NULL;
}

struct error *api_vm_set_ha_restart_priority(struct call *c,
                                             const struct vm_set_ha_restart_priority_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(ha_priority_check(a->value));
    if (vm->is_control_domain)
        return err_operation_not_allowed("A control domain cannot be restarted elsewhere");
    vm->ha_restart_priority = a->value;
    return NULL;
}

struct error *api_vm_set_ha_always_run(struct call *c, const struct vm_set_ha_always_run_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    vm->ha_always_run = a->value;
    return NULL;
}

struct error *api_vm_set_domain_type(struct call *c, const struct vm_set_domain_type_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (a->value == DOMAIN_TYPE_UNSPECIFIED)
        return err_invalid_value("domain_type", domain_type_info.names[a->value]);
    vm->domain_type = a->value;
    vm->HVM_boot_policy = policy_of_domain_type(a->value);
    vm->memory_overhead = vm_memory_overhead(vm);
    return NULL;
}

struct error *api_vm_set_hvm_boot_policy(struct call *c,
                                         const struct vm_set_hvm_boot_policy_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    vm->HVM_boot_policy = a->value;
    vm->domain_type = domain_type_of_policy(a->value);
    vm->memory_overhead = vm_memory_overhead(vm);
    return NULL;
}

/* The device is part of the machine, which does not change under a guest; snapshots and templates
 * are machines that are off. */
struct error *api_vm_set_has_vendor_device(struct call *c,
                                           const struct vm_set_has_vendor_device_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (vm->power_state != VM_POWER_STATE_HALTED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_HALTED);
    vm->has_vendor_device = a->value;
    return NULL;
}

/* A copy of the saved memory takes the place of the original. */
struct error *api_vm_set_suspend_vdi(struct call *c, const struct vm_set_suspend_vdi_args *a)
{
    const struct vdi_rec *vdi;
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (vm->power_state != VM_POWER_STATE_SUSPENDED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_SUSPENDED);
    TRY(txn_vdi(c->txn, a->value, &vdi));
    if (vdi->type != VDI_TYPE_SUSPEND)
        return err_vdi_incompatible_type(vdi->self, vdi_type_info.names[vdi->type]);
    vm->suspend_VDI = vdi->self;
    return NULL;
}

/* Groups and schedules are for VMs that live, not for what they are made from. */
static struct error *check_is_a_vm(const struct vm_rec *vm, const char *what)
{
    if (vm->is_control_domain)
        return err_operation_not_allowed("This is not possible for a control domain");
    if (vm->is_a_snapshot)
        return err_vm_is_snapshot(vm->self, what);
    return vm->is_a_template ? err_vm_is_template(vm->self, what) : NULL;
}

struct error *api_vm_set_appliance(struct call *c, const struct vm_set_appliance_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (txn_find_vm_appliance(c->txn, a->value))
        TRY(check_is_a_vm(vm, "set_appliance"));
    vm->appliance = a->value;
    return NULL;
}

struct error *api_vm_set_snapshot_schedule(struct call *c,
                                           const struct vm_set_snapshot_schedule_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (!is_null_ref(a->value))
        TRY(check_is_a_vm(vm, "set_snapshot_schedule"));
    vm->snapshot_schedule = a->value;
    return NULL;
}

struct error *api_vm_set_groups(struct call *c, const struct vm_set_groups_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (a->value.n)
        TRY(check_is_a_vm(vm, "set_groups"));
    if (a->value.n > 1)
        return error_api(ERR_TOO_MANY_GROUPS, 0);
    vm->groups = a->value;
    return NULL;
}
