/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.create: a row from what the client says, with what every VM has. */
#include "api/common/lists.h"
#include "api/vm/params.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "value/value.h"

/* A new VM is off, unless a client brings the memory of a suspended one along. */
static struct error *check_power_state(const struct vm_rec *n)
{
    if (n->power_state == VM_POWER_STATE_HALTED ||
        (n->power_state == VM_POWER_STATE_SUSPENDED && ref_is_set(n->suspend_VDI)))
        return NULL;
    return err_invalid_value("power_state", vm_power_state_info.names[n->power_state]);
}

/* What a client may send, because records have it, but only the server decides. */
static void ignore_members(struct vm_rec *vm)
{
    vm->blocked_operations = (struct map_enum_string){0};
    vm->protection_policy = REF_NULL;
    vm->is_snapshot_from_vmpp = vm->is_vmss_snapshot = false;
    vm->ha_always_run = false;
    vm->memory_target = 0;
    vm->last_booted_record = "";
}

static void complete(struct txn *t, struct vm_rec *vm)
{
    struct vm_metrics_rec *m = txn_new_vm_metrics(t);

    m->install_time = m->last_updated = now_s();
    vm->metrics = m->self;
    vm->domid = -1;
    if (vm->domain_type == DOMAIN_TYPE_UNSPECIFIED)
        vm->domain_type = domain_type_of_policy(vm->HVM_boot_policy);
    else if (!*vm->HVM_boot_policy)
        vm->HVM_boot_policy = policy_of_domain_type(vm->domain_type);
    if (!map_find(&vm->other_config, "mac_seed"))
        map_set(txn_arena(t), &vm->other_config, "mac_seed", uuid_random().s);
    vm->memory_overhead = vm_memory_overhead(vm);
}

struct error *api_vm_create(struct call *c, const struct vm_create_args *a, const char **ret)
{
    struct vm_rec *vm = txn_new_vm(c->txn);

    record_take(&vm_rec_info, vm, &vm_ctor_info, &a->args);
    TRY(check_power_state(vm));
    TRY(vm_settings_check(vm));
    ignore_members(vm);
    complete(c->txn, vm);
    *ret = vm->self;
    return NULL;
}
