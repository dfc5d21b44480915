/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many virtual processors a VM has: the most, at the next start, now; how they are scheduled.
 */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vm/domain.h"
#include "api/vm/params.h"
#include "api/vm/plans.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/memory.h"
#include "rules/ops.h"

#include <inttypes.h>

static struct error *bad_count(struct call *c, const char *field, int64_t value)
{
    return err_invalid_value(field, arena_printf(c->arena, "%" PRId64, value));
}

struct error *api_vm_set_vcpus_max(struct call *c, const struct vm_set_vcpus_max_args *a)
{
    struct vm_rec *vm;

    c->no_wait = true;
    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHANGING_VCPUS));
    if (a->value <= 0 || a->value < vm->VCPUs_at_startup)
        return bad_count(c, "VCPUs_max", a->value);
    vm->VCPUs_max = a->value;
    vm->memory_overhead = vm_memory_overhead(vm);
    return NULL;
}

struct error *api_vm_set_vcpus_at_startup(struct call *c,
                                          const struct vm_set_vcpus_at_startup_args *a)
{
    struct vm_rec *vm;

    c->no_wait = true;
    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHANGING_VCPUS));
    TRY(vcpus_check(a->value, vm->VCPUs_max));
    vm->VCPUs_at_startup = a->value;
    return NULL;
}

struct error *api_vm_add_to_vcpus_params_live(struct call *c,
                                              const struct vm_add_to_vcpus_params_live_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (!vm_is_live(vm))
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_RUNNING | 1u << VM_POWER_STATE_PAUSED);
    const struct host_vm_set_scheduling_args args = {
        .uuid = vm->uuid, .key = a->key, .value = a->value};

    TRY(from_host(c->daemon->store,
                  hostd_vm_set_scheduling(c->daemon->hostd, &args, c->arena, NULL)));
    map_set(c->arena, &vm->VCPUs_params, a->key, a->value);
    return NULL;
}

static struct error *plug_to(struct plan *p, int64_t n)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_set_vcpus_args args = {.uuid = plan_str(p, "uuid"), .vcpus = n};

    return from_host(d->store, hostd_vm_set_vcpus(d->hostd, &args, plan_arena(p), NULL));
}

static struct error *plug(struct plan *p)
{
    return plug_to(p, plan_int(p, "vcpus"));
}

static struct error *plug_back(struct plan *p)
{
    return plug_to(p, plan_int(p, "before"));
}

static struct error *plugged(struct plan *p, struct txn *t)
{
    struct vm_metrics_rec *m;
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    vm->VCPUs_at_startup = plan_int(p, "vcpus");
    TRY(vm_metrics_edit(t, vm, &m));
    m->VCPUs_number = plan_int(p, "vcpus");
    return NULL;
}

static const struct plan_step steps[] = {
    {.name = "plug processors", .act = plug, .record = plugged, .undo = plug_back},
};

const struct plan_type plan_vm_set_vcpus_number_live = {
    .name = "VM.set_VCPUs_number_live", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

struct error *api_vm_set_vcpus_number_live(struct call *c,
                                           const struct vm_set_vcpus_number_live_args *a)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHANGING_VCPUS_LIVE));
    if (a->nvcpu <= 0 || a->nvcpu > vm->VCPUs_max)
        return bad_count(c, "VCPUs_number_live", a->nvcpu);
    const struct vm_metrics_rec *m = txn_find_vm_metrics(c->txn, vm->metrics);

    TRY(vm_plan(c, &plan_vm_set_vcpus_number_live, vm->self, VM_OPERATIONS_CHANGING_VCPUS_LIVE,
                &p));
    plan_set_int(p, "vcpus", a->nvcpu);
    plan_set_int(p, "before", m && m->VCPUs_number ? m->VCPUs_number : vm->VCPUs_at_startup);
    return NULL;
}
