/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An appliance starts or stops: its VMs one group after the other as VM.order says (backwards when
 * it stops), those of a group side by side, with the longest delay of a group behind it. VMs that
 * are already where they should be are left alone. A group in which something failed is the last.
 *
 * VMs that start with their machine do so in the same way, but each as well as it can: they have
 * nobody to ask what to do without one of them.
 */
#include "api/common/lists.h"
#include "api/common/subcall.h"
#include "api/vm_appliance/autostart.h"
#include "api/vm_appliance/plans.h"
#include "base/log.h"
#include "base/vec.h"
#include "base/world.h"
#include "gen/class/VM_appliance_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/VM.h"
#include "gen/msg/VM_appliance.h"
#include "rpc/call.h"
#include "rules/ops.h"
#include "task/engine.h"

#include <stdlib.h>

#define COMMIT_TRIES 50

/*
 * Plan state: name (of the call, for errors), message (what each VM is told), paused,
 * groups: [[VM]], group: the one at work, acted: it had something to do, until: mono_us, boot: with
 * the machine, failures do not end it.
 */

static bool starts(const struct plan *p)
{
    return streq(plan_str(p, "message"), "VM.start");
}

/* What the rows say now; a VM that is gone needs nothing. */
static bool needs(struct plan *p, const char *ref, int64_t *ret_delay)
{
    _cleanup_version_ struct version *v = store_find(plan_daemon(p)->store, CLASS_VM, ref);
    const struct vm_rec *vm = v ? v->rec : NULL;

    *ret_delay = vm ? starts(p) ? vm->start_delay : vm->shutdown_delay : 0;
    return vm && (vm->power_state == VM_POWER_STATE_HALTED) == starts(p);
}

static enum subcall_state tell(struct plan *p, const char *vm)
{
    const struct vm_start_args start = {.vm = vm, .start_paused = plan_bool(p, "paused")};
    const struct vm_shutdown_args stop = {.vm = vm}; /* the other calls take the same */

    plan_set_bool(p, "acted", true);
    return subcall_begin(p, vm, plan_str(p, "message"),
                         starts(p) ? (const void *)&start : (const void *)&stop);
}

/* Its domain has gone with the last boot; the plan that notes it is under way. */
static bool is_ending(struct plan *p, const char *ref)
{
    _cleanup_version_ struct version *v = store_find(plan_daemon(p)->store, CLASS_VM, ref);
    const struct vm_rec *vm = v ? v->rec : NULL;

    for (size_t i = 0; vm && i < vm->current_operations.n; i++) {
        if (vm->current_operations.v[i] == VM_OPERATIONS_HARD_SHUTDOWN)
            return true;
    }
    return false;
}

static enum subcall_state look_after(struct plan *p, const char *vm)
{
    enum subcall_state s = subcall_state(p, vm);
    int64_t delay;

    if (s != SUBCALL_NONE)
        return s;
    if (plan_bool(p, "boot") && is_ending(p, vm))
        return SUBCALL_NONE;
    return needs(p, vm, &delay) ? tell(p, vm) : SUBCALL_DONE;
}

static struct error *partially_failed(struct plan *p, const json_t *group)
{
    const char **params = arena_array(plan_arena(p), const char *, json_array_size(group) + 1);
    int n = 1;
    size_t i;
    json_t *vm;

    params[0] = plan_str(p, "name");
    json_array_foreach (group, i, vm) {
        if (subcall_state(p, json_string_value(vm)) == SUBCALL_FAILED)
            params[n++] = json_string_value(vm);
    }
    return error_api_v(ERR_OPERATION_PARTIALLY_FAILED, params, n);
}

static int64_t delay_of(struct plan *p, const json_t *group)
{
    int64_t delay, longest = 0;
    size_t i;
    json_t *vm;

    json_array_foreach (group, i, vm) {
        needs(p, json_string_value(vm), &delay);
        longest = MAX(longest, delay);
    }
    return longest;
}

/* Through the group; *ret_busy: there is something to wait for. */
static struct error *run_group(struct plan *p, const json_t *group, bool *ret_busy)
{
    bool failed = false;
    size_t i;
    json_t *vm;

    *ret_busy = false;
    json_array_foreach (group, i, vm) {
        enum subcall_state s = look_after(p, json_string_value(vm));

        failed = failed || s == SUBCALL_FAILED;
        *ret_busy = *ret_busy || s == SUBCALL_RUNS || s == SUBCALL_NONE;
    }
    return failed && !*ret_busy && !plan_bool(p, "boot") ? partially_failed(p, group) : NULL;
}

static struct error *run(struct plan *p)
{
    const json_t *groups = plan_json(p, "groups");

    for (size_t g = (size_t)plan_int(p, "group"); g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g);
        bool busy;

        plan_set_int(p, "group", (int64_t)g);
        TRY(run_group(p, group, &busy));
        if (busy)
            return subcall_wait(p);
        if (plan_bool(p, "acted") && g + 1 < json_array_size(groups)) {
            if (!plan_int(p, "until"))
                plan_set_int(p, "until", mono_us() + delay_of(p, group) * SECOND_US);
            if (mono_us() < plan_int(p, "until"))
                return plan_wait(p, CLASS_VM_APPLIANCE, NULL, plan_int(p, "until"));
        }
        plan_set_int(p, "until", 0);
        plan_set_bool(p, "acted", false);
    }
    return NULL;
}

static struct error *failed(struct plan *p, struct txn *t, const struct error *why)
{
    return subcall_forget_all(p, t);
}

static const struct plan_step steps[] = {
    {.name = "virtual machines",
     .act = run,
     .record = subcall_forget_all,
     .undo = subcall_cancel_all},
};

const struct plan_type plan_vm_appliance = {
    .name = "VM_appliance.power", .steps = steps, .n_steps = ARRAY_SIZE(steps), .failed = failed};

static int by_order(const void *x, const void *y)
{
    const struct vm_rec *const *a = x, *const *b = y;

    return (*a)->order < (*b)->order ? -1 : (*a)->order > (*b)->order;
}

static json_t *grouped(const struct vm_rec **vms, size_t n, bool backwards)
{
    json_t *groups = json_array(), *group = NULL;

    qsort(vms, n, sizeof(*vms), by_order);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || vms[i]->order != vms[i - 1]->order) {
            group = json_array();
            if (backwards)
                json_array_insert_new(groups, 0, group);
            else
                json_array_append_new(groups, group);
        }
        json_array_append_new(group, json_string(vms[i]->self));
    }
    return groups;
}

static json_t *members(struct call *c, const struct vm_appliance_rec *appliance, bool backwards)
{
    const struct set_ref *refs = &txn_inv_vm_appliance(c->txn, appliance)->VMs;
    const struct vm_rec **vms = arena_array(c->arena, const struct vm_rec *, refs->n);
    size_t n = 0;

    for (size_t i = 0; i < refs->n; i++)
        if ((vms[n] = txn_find_vm(c->txn, refs->v[i])))
            n++;
    return grouped(vms, n, backwards);
}

static struct error *begin(struct call *c, const char *ref, enum vm_appliance_operation op,
                           const char *message, bool paused)
{
    const struct vm_appliance_rec *appliance;

    TRY(txn_vm_appliance(c->txn, ref, &appliance));
    TRY(vm_appliance_op_check(appliance));
    struct plan *p = plan_begin(c, &plan_vm_appliance);

    plan_set_str(p, "name", c->msg->name);
    plan_set_str(p, "message", message);
    plan_set_bool(p, "paused", paused);
    plan_set_json(p, "groups", members(c, appliance, op != VM_APPLIANCE_OPERATION_START));
    return plan_mark(p, c->txn, CLASS_VM_APPLIANCE, appliance->self, (int)op);
}

struct error *api_vm_appliance_start(struct call *c, const struct vm_appliance_start_args *a)
{
    return begin(c, a->self, VM_APPLIANCE_OPERATION_START, "VM.start", a->paused);
}

struct error *api_vm_appliance_clean_shutdown(struct call *c,
                                              const struct vm_appliance_clean_shutdown_args *a)
{
    return begin(c, a->self, VM_APPLIANCE_OPERATION_CLEAN_SHUTDOWN, "VM.clean_shutdown", false);
}

struct error *api_vm_appliance_hard_shutdown(struct call *c,
                                             const struct vm_appliance_hard_shutdown_args *a)
{
    return begin(c, a->self, VM_APPLIANCE_OPERATION_HARD_SHUTDOWN, "VM.hard_shutdown", false);
}

struct error *api_vm_appliance_shutdown(struct call *c, const struct vm_appliance_shutdown_args *a)
{
    return begin(c, a->self, VM_APPLIANCE_OPERATION_SHUTDOWN, "VM.shutdown", false);
}

struct error *api_vm_appliance_destroy(struct call *c, const struct vm_appliance_destroy_args *a)
{
    const struct vm_appliance_rec *appliance;

    TRY(txn_vm_appliance(c->txn, a->self, &appliance));
    TRY(vm_appliance_op_check(appliance));
    return txn_delete_vm_appliance(c->txn, appliance->self);
}

/* ---- with the machine ---- */

/* Those that are wanted, in groups; NULL = nobody is. */
static json_t *wanted(struct daemon *d, struct txn *t)
{
    const struct pool_rec *pool = txn_find_pool(t, d->pool_ref);
    const struct vm_rec *const *all;
    size_t n_all = txn_all_vm(t, &all), n = 0;
    const struct vm_rec **vms = arena_array(txn_arena(t), const struct vm_rec *, n_all);

    if (!pool || !map_is_true(&pool->other_config, AUTOSTART_KEY))
        return NULL;
    for (size_t i = 0; i < n_all; i++) {
        if (map_is_true(&all[i]->other_config, AUTOSTART_KEY) && !all[i]->is_a_template &&
            !all[i]->is_a_snapshot && !all[i]->is_control_domain)
            vms[n++] = all[i];
    }
    return n ? grouped(vms, n, false) : NULL;
}

/* The boot is noted with the intent, so that it does not come twice. */
static struct error *autostart_once(struct daemon *d)
{
    static const struct commit_info info = {.who = "", .task = "", .call = "start"};
    _cleanup_arena_ struct arena a;
    struct host_rec *host;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_edit_host(t, d->host_ref, &host));
    if (streq(host->boot_id, d->boot_id))
        return NULL;
    /* Who has not seen a boot before was installed, or made newer, while the machine ran. */
    json_t *groups = *host->boot_id ? wanted(d, t) : NULL;

    host->boot_id = arena_strdup(&a, d->boot_id);
    if (!groups)
        return txn_commit(t, &info);
    struct plan *p = plan_begin_internal(d, t, &plan_vm_appliance, "VM.autostart");

    plan_set_str(p, "name", "VM.autostart");
    plan_set_str(p, "message", "VM.start");
    plan_set_bool(p, "boot", true);
    plan_set_json(p, "groups", groups);
    TRY(engine_commit(d->engine, t, p, "VM.autostart"));
    log_info("the machine was started: its VMs follow");
    return NULL;
}

struct error *vm_autostart(struct daemon *d)
{
    struct error *e;
    int tries = 0;

    /* VMs that went with the last boot are being noted as halted. */
    while (error_is(e = autostart_once(d), DB_CONFLICT) && tries++ < COMMIT_TRIES)
        error_free(e);
    return e;
}
