/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a VM: limits while it is off, ballooning while it runs. */
#include "rules/memory.h"
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/params.h"
#include "api/vm/plans.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"

/* How long wait_memory_target_live waits, and how near is near enough. Source: XenAPI servers. */
#define TARGET_WAIT_US   (256 * SECOND_US)
#define TARGET_TOLERANCE (4ll << 20)

static struct memory_limits limits_of(const struct vm_rec *vm)
{
    return (struct memory_limits){
        .static_min = vm->memory_static_min,
        .dynamic_min = vm->memory_dynamic_min,
        .dynamic_max = vm->memory_dynamic_max,
        .static_max = vm->memory_static_max,
    };
}

/* NULL: its memory may change while it runs. */
static const char *pinned_because(const struct vm_rec *vm)
{
    return config_is_true(&vm->platform, "nested-virt") ? "nested-virt" : NULL;
}

static struct error *check(struct call *c, const struct vm_rec *vm, enum vm_operations op,
                           const struct memory_limits *m)
{
    c->no_wait = true;
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    if (vm->is_control_domain)
        return err_operation_not_allowed("The memory of a control domain is the host's own");
    TRY(memory_check_order(m));
    return pinned_because(vm) ? memory_check_pinned(m, pinned_because(vm)) : NULL;
}

static struct error *write_limits(struct txn *t, const char *ref, const struct memory_limits *m)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, ref, &vm));
    vm->memory_static_min = m->static_min;
    vm->memory_dynamic_min = m->dynamic_min;
    vm->memory_dynamic_max = m->dynamic_max;
    vm->memory_static_max = m->static_max;
    vm->memory_overhead = vm_memory_overhead(vm);
    return NULL;
}

static struct error *balloon_to(struct plan *p, int64_t target)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_set_memory_args args = {.uuid = plan_str(p, "uuid"), .target = target};

    return from_host(d->store, hostd_vm_set_memory(d->hostd, &args, plan_arena(p), NULL));
}

static struct error *balloon(struct plan *p)
{
    return balloon_to(p, plan_int(p, "max"));
}

static struct error *balloon_back(struct plan *p)
{
    return balloon_to(p, plan_int(p, "before"));
}

static struct error *ballooned(struct plan *p, struct txn *t)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    vm->memory_dynamic_min = plan_int(p, "min");
    vm->memory_dynamic_max = vm->memory_target = plan_int(p, "max");
    return NULL;
}

static const struct plan_step steps[] = {
    {.name = "balloon", .act = balloon, .record = ballooned, .undo = balloon_back},
};

const struct plan_type plan_vm_set_memory_dynamic_range = {
    .name = "VM.set_memory_dynamic_range", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

/* A running guest is told first; otherwise it is a matter of rows. */
static struct error *set_dynamic(struct call *c, const char *ref, const int64_t *min,
                                 const int64_t *max)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, ref, &vm));
    struct memory_limits m = limits_of(vm);

    m.dynamic_min = min ? *min : m.dynamic_min;
    m.dynamic_max = max ? *max : m.dynamic_max;
    TRY(check(c, vm, VM_OPERATIONS_CHANGING_DYNAMIC_RANGE, &m));
    if (vm->power_state != VM_POWER_STATE_RUNNING)
        return write_limits(c->txn, ref, &m);
    TRY(vm_plan(c, &plan_vm_set_memory_dynamic_range, ref, VM_OPERATIONS_CHANGING_DYNAMIC_RANGE,
                &p));
    plan_set_int(p, "min", m.dynamic_min);
    plan_set_int(p, "max", m.dynamic_max);
    plan_set_int(p, "before", vm->memory_target ? vm->memory_target : vm->memory_dynamic_max);
    return NULL;
}

static struct error *set_static(struct call *c, const char *ref, const int64_t *min,
                                const int64_t *max)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    struct memory_limits m = limits_of(vm);

    m.static_min = min ? *min : m.static_min;
    m.static_max = max ? *max : m.static_max;
    TRY(check(c, vm, VM_OPERATIONS_CHANGING_STATIC_RANGE, &m));
    return write_limits(c->txn, ref, &m);
}

struct error *api_vm_set_memory_dynamic_range(struct call *c,
                                              const struct vm_set_memory_dynamic_range_args *a)
{
    return set_dynamic(c, a->self, &a->min, &a->max);
}

struct error *api_vm_set_memory_dynamic_min(struct call *c,
                                            const struct vm_set_memory_dynamic_min_args *a)
{
    return set_dynamic(c, a->self, &a->value, NULL);
}

struct error *api_vm_set_memory_dynamic_max(struct call *c,
                                            const struct vm_set_memory_dynamic_max_args *a)
{
    return set_dynamic(c, a->self, NULL, &a->value);
}

struct error *api_vm_set_memory_target_live(struct call *c,
                                            const struct vm_set_memory_target_live_args *a)
{
    return set_dynamic(c, a->self, &a->target, &a->target);
}

struct error *api_vm_set_memory_static_range(struct call *c,
                                             const struct vm_set_memory_static_range_args *a)
{
    return set_static(c, a->self, &a->min, &a->max);
}

struct error *api_vm_set_memory_static_min(struct call *c,
                                           const struct vm_set_memory_static_min_args *a)
{
    return set_static(c, a->self, &a->value, NULL);
}

struct error *api_vm_set_memory_static_max(struct call *c,
                                           const struct vm_set_memory_static_max_args *a)
{
    return set_static(c, a->self, NULL, &a->value);
}

struct error *api_vm_set_memory_limits(struct call *c, const struct vm_set_memory_limits_args *a)
{
    const struct memory_limits m = {
        .static_min = a->static_min,
        .dynamic_min = a->dynamic_min,
        .dynamic_max = a->dynamic_max,
        .static_max = a->static_max,
    };
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(check(c, vm, VM_OPERATIONS_CHANGING_MEMORY_LIMITS, &m));
    return write_limits(c->txn, a->self, &m);
}

/* The least memory its system needs stays what it is. */
struct error *api_vm_set_memory(struct call *c, const struct vm_set_memory_args *a)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    struct memory_limits m = limits_of(vm);

    m.dynamic_min = m.dynamic_max = m.static_max = a->value;
    TRY(check(c, vm, VM_OPERATIONS_CHANGING_MEMORY_LIMITS, &m));
    return write_limits(c->txn, a->self, &m);
}

static bool at_target(struct txn *t, const struct vm_rec *vm)
{
    const struct vm_metrics_rec *m = txn_find_vm_metrics(t, vm->metrics);
    int64_t off = m ? m->memory_actual - vm->memory_target : 0;

    return off >= -TARGET_TOLERANCE && off <= TARGET_TOLERANCE;
}

struct error *api_vm_wait_memory_target_live(struct call *c,
                                             const struct vm_wait_memory_target_live_args *a)
{
    static const bool of_interest[CLASS_MAX] = {[CLASS_VM] = true, [CLASS_VM_METRICS] = true};
    int64_t *deadline = c->memo;
    const struct vm_rec *vm;

    c->no_wait = true;
    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_AWAITING_MEMORY_LIVE));
    if (at_target(c->txn, vm))
        return NULL;
    if (!deadline) {
        deadline = c->memo = arena_new(c->arena, int64_t);
        *deadline = mono_us() + TARGET_WAIT_US;
    }
    if (mono_us() >= *deadline)
        return err_vm_memory_target_wait_timeout(c->task);
    return call_park(c, of_interest, *deadline);
}

struct error *api_vm_compute_memory_overhead(struct call *c,
                                             const struct vm_compute_memory_overhead_args *a,
                                             int64_t *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    *ret = vm_memory_overhead(vm);
    return NULL;
}

struct error *api_vm_maximise_memory(struct call *c, const struct vm_maximise_memory_args *a,
                                     int64_t *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    const struct memory_shape shape = {
        .domain_type = vm_domain_type(txn_view(c->txn), vm),
        .vcpus = vm->VCPUs_max,
        .shadow_multiplier = vm->HVM_shadow_multiplier,
    };

    *ret = memory_largest(&shape, a->total);
    return NULL;
}

/* Whether a guest gives memory back when asked was once guessed at; every guest is trusted now. */
struct error *api_vm_get_cooperative(struct call *c, const struct vm_get_cooperative_args *a,
                                     bool *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    *ret = true;
    return NULL;
}

static struct error *set_shadow(struct call *c, const char *ref, enum vm_operations op,
                                double multiplier)
{
    struct vm_rec *vm;

    c->no_wait = true;
    TRY(txn_edit_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    TRY(shadow_multiplier_check(multiplier));
    vm->HVM_shadow_multiplier = multiplier;
    vm->memory_overhead = vm_memory_overhead(vm);
    return NULL;
}

struct error *api_vm_set_hvm_shadow_multiplier(struct call *c,
                                               const struct vm_set_hvm_shadow_multiplier_args *a)
{
    return set_shadow(c, a->self, VM_OPERATIONS_CHANGING_SHADOW_MEMORY, a->value);
}

/* Hypervisors that keep no shadow page tables have nothing to change; the reckoning follows. */
struct error *api_vm_set_shadow_multiplier_live(struct call *c,
                                                const struct vm_set_shadow_multiplier_live_args *a)
{
    return set_shadow(c, a->self, VM_OPERATIONS_CHANGING_SHADOW_MEMORY_LIVE, a->multiplier);
}
