/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/host_events.h"

#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/guest_metrics.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "base/log.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "rules/lookup.h"
#include "task/engine.h"

/* A crash this soon after the start is not answered by another start. Source: XenAPI semantics. */
#define CRASH_LOOP_S 120
#define COMMIT_TRIES 50
/* A guest takes longer to start again by itself. */
#define REBOOT_TOLD_S 3

static const struct plan_step stopped_steps[] = {
    {.name = "end domain", .weight = 1, .act = domain_destroy, .record = vm_now_halted},
};

const struct plan_type plan_vm_stopped = {.name = "VM.guest_stopped",
                                          .steps = stopped_steps,
                                          .n_steps = ARRAY_SIZE(stopped_steps),
                                          .no_cancel = true};

static const struct plan_step restart_steps[] = {
    {.name = "end domain", .weight = 1, .act = domain_destroy, .record = vm_now_halted},
    {.name = "start domain",
     .weight = 8,
     .act = domain_start,
     .record = domain_started,
     .undo = domain_destroy},
    {.name = "run", .weight = 1, .act = domain_run, .record = vm_now_running},
};

const struct plan_type plan_vm_restart = {.name = "VM.guest_restarted",
                                          .steps = restart_steps,
                                          .n_steps = ARRAY_SIZE(restart_steps),
                                          .no_cancel = true};

static bool restarts(const struct vm_rec *vm, const struct vm_metrics_rec *m, const char *stop)
{
    if (streq(stop, "poweroff"))
        return vm->actions_after_shutdown == ON_NORMAL_EXIT_RESTART;
    if (streq(stop, "reboot"))
        return vm->actions_after_reboot == ON_NORMAL_EXIT_RESTART;
    if (streq(stop, "crash"))
        return (vm->actions_after_crash == ON_CRASH_BEHAVIOUR_RESTART ||
                vm->actions_after_crash == ON_CRASH_BEHAVIOUR_COREDUMP_AND_RESTART) &&
               m && now_s() - m->start_time >= CRASH_LOOP_S;
    return false;
}

static bool preserves(const struct vm_rec *vm, const char *stop)
{
    return streq(stop, "crash") && vm->actions_after_crash == ON_CRASH_BEHAVIOUR_PRESERVE;
}

static struct error *begin_stopped(struct daemon *d, struct txn *t, const struct vm_rec *vm,
                                   const char *stop)
{
    const struct vm_metrics_rec *m = txn_find_vm_metrics(t, vm->metrics);
    bool again = restarts(vm, m, stop);
    struct plan *p;

    if (preserves(vm, stop))
        return NULL;
    p = plan_begin_internal(d, t, again ? &plan_vm_restart : &plan_vm_stopped,
                            again ? "VM.guest_restarted" : "VM.guest_stopped");
    plan_set_str(p, "vm", vm->self);
    plan_set_str(p, "uuid", vm->uuid);
    struct error *e = plan_mark(p, t, CLASS_VM, vm->self,
                                again ? VM_OPERATIONS_HARD_REBOOT : VM_OPERATIONS_HARD_SHUTDOWN);

    if (!e)
        e = vm_news(t, vm,
                    streq(stop, "crash") ? ALERT_VM_CRASHED
                    : again              ? ALERT_VM_REBOOTED
                                         : ALERT_VM_SHUTDOWN);
    if (e) {
        plan_discard(p);
        return e;
    }
    log_info("guest of VM %s stopped by itself: %s", vm->uuid, stop);
    return engine_commit(d->engine, t, p, "guest stopped");
}

/* The event may be older than what the rows say (a start pauses and runs in one go), so what is
 * true now is asked after the rows were read: whatever changes them from here on is a conflict. */
static struct error *look(struct daemon *d, struct txn *t, const char *uuid,
                          struct host_domain_rec *ret)
{
    const struct host_vm_query_args args = {.uuid = uuid};
    struct host_vm_query_result r;

    TRY(hostd_vm_query(d->hostd, &args, txn_arena(t), &r));
    if (r.found && r.domains.n)
        *ret = r.domains.v[0];
    else
        *ret = (struct host_domain_rec){.state = "stopped", .stop = "lost"};
    return NULL;
}

/* A guest that cannot be reset in place runs on as another domain. */
static struct error *follow_domid(struct daemon *d, struct txn *t, const struct vm_rec *vm)
{
    struct host_domain_rec now;
    struct vm_rec *edit;

    TRY(look(d, t, vm->uuid, &now));
    if (streq(now.state, "stopped") || now.domid == vm->domid)
        return NULL;
    TRY(txn_edit_vm(t, vm->self, &edit));
    edit->domid = now.domid;
    return NULL;
}

/* Wakes plans that wait for this VM: a soft stamp that readers see as "last updated". */
static struct error *touch(struct daemon *d, struct txn *t, const struct vm_rec *vm, bool rebooted)
{
    const struct commit_info info = {.who = "", .task = "", .call = "guest event"};
    struct vm_metrics_rec *m;

    if (!txn_find_vm_metrics(t, vm->metrics))
        return NULL;
    if (rebooted)
        TRY(follow_domid(d, t, vm));
    TRY(txn_edit_vm_metrics(t, vm->metrics, &m));
    TRY(txn_touch(t, CLASS_VM_METRICS, vm->metrics)); /* the second may be the same as before */
    m->last_updated = now_s();
    if (rebooted) {
        /* Of one that was asked for the plan tells, perhaps before this event came. */
        bool told = vm->current_operations.n || now_s() - m->start_time < REBOOT_TOLD_S;

        m->start_time = MAX(now_s(), m->start_time + 1);
        if (!told)
            TRY(vm_news(t, vm, ALERT_VM_REBOOTED));
    }
    return txn_commit(t, &info);
}

static struct error *follow_memory(struct txn *t, const struct vm_rec *vm, int64_t actual)
{
    const struct commit_info info = {.who = "", .task = "", .call = "guest event"};
    struct vm_metrics_rec *m;

    if (!txn_find_vm_metrics(t, vm->metrics))
        return NULL;
    TRY(txn_edit_vm_metrics(t, vm->metrics, &m));
    m->memory_actual = actual;
    m->last_updated = now_s();
    return txn_commit(t, &info);
}

static struct error *set_power_state(struct txn *t, const struct vm_rec *vm,
                                     enum vm_power_state state)
{
    const struct commit_info info = {.who = "", .task = "", .call = "guest event"};
    struct vm_rec *edit;

    TRY(txn_edit_vm(t, vm->self, &edit));
    edit->power_state = (int)state;
    return txn_commit(t, &info);
}

/* Is this news to the rows? */
static bool differs(const struct vm_rec *vm, const char *state)
{
    if (streq(state, "stopped"))
        return vm->power_state == VM_POWER_STATE_RUNNING ||
               vm->power_state == VM_POWER_STATE_PAUSED;
    if (streq(state, "paused"))
        return vm->power_state == VM_POWER_STATE_RUNNING;
    return streq(state, "running") && vm->power_state == VM_POWER_STATE_PAUSED;
}

/* What was written besides. */
static struct error *commit_rest(struct txn *t)
{
    const struct commit_info info = {.who = "", .task = "", .call = "guest event"};

    return txn_has_writes(t) ? txn_commit(t, &info) : NULL;
}

static struct error *follow_state(struct daemon *d, struct txn *t, const struct vm_rec *vm,
                                  const char *state)
{
    struct host_domain_rec now;

    if (streq(state, "running")) /* it was paused when the others were asked, maybe */
        TRY(guest_metrics_follow(d, t, vm));
    if (vm->current_operations.n)
        return touch(d, t, vm, false); /* a plan is at it and will look */
    if (!differs(vm, state))
        return commit_rest(t);
    TRY(look(d, t, vm->uuid, &now));
    if (!differs(vm, now.state))
        return commit_rest(t);
    if (streq(now.state, "stopped"))
        return begin_stopped(d, t, vm, now.stop);
    return set_power_state(
        t, vm, streq(now.state, "paused") ? VM_POWER_STATE_PAUSED : VM_POWER_STATE_RUNNING);
}

static struct error *handle_once(struct daemon *d, const struct host_event_rec *event)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    const struct vm_rec *vm = txn_find_uuid(t, CLASS_VM, event->uuid);

    if (!vm)
        return NULL;
    if (streq(event->kind, "rebooted"))
        return touch(d, t, vm, true);
    if (streq(event->kind, "state"))
        return follow_state(d, t, vm, event->state);
    if (streq(event->kind, "memory"))
        return follow_memory(t, vm, event->memory_actual);
    if (streq(event->kind, "guest"))
        TRY(guest_metrics_follow(d, t, vm));
    return touch(d, t, vm, false);
}

void vm_host_event(struct daemon *d, const struct host_event_rec *event)
{
    struct error *e;
    int tries = 0;

    while (error_is(e = handle_once(d, event), DB_CONFLICT) && tries++ < COMMIT_TRIES)
        error_free(e);
    if (e)
        atomic_fetch_add(&d->events_missed, 1);
    log_and_free(LOG_ERROR, e, "cannot follow event %s of VM %s", event->kind, event->uuid);
}

static const struct host_domain_rec *find_domain(const struct host_vm_list_result *l,
                                                 const char *uuid)
{
    for (size_t i = 0; i < l->domains.n; i++)
        if (streq(l->domains.v[i].uuid, uuid))
            return &l->domains.v[i];
    return NULL;
}

static void reconcile_vm(struct daemon *d, const struct vm_rec *vm,
                         const struct host_vm_list_result *l)
{
    const struct host_domain_rec *dom = find_domain(l, vm->uuid);
    bool live =
        vm->power_state == VM_POWER_STATE_RUNNING || vm->power_state == VM_POWER_STATE_PAUSED;
    bool another = dom && dom->domid != vm->domid && !streq(dom->state, "stopped");
    const struct host_event_rec event = {
        .kind = another ? "rebooted" : "state",
        .uuid = vm->uuid,
        .state = dom ? dom->state : "stopped",
        .stop = dom ? dom->stop : "lost",
    };

    if (vm->current_operations.n || vm->is_control_domain || !live ||
        !streq(vm->resident_on, d->host_ref))
        return;
    if (another || differs(vm, event.state))
        vm_host_event(d, &event);
}

/* A domain nobody has a running VM for: left by an operation that was undone while hostd was away.
 */
static void remove_stray(struct daemon *d, const struct host_domain_rec *dom)
{
    const struct host_vm_destroy_args args = {.uuid = dom->uuid, .run = dom->run};
    _cleanup_version_ struct version *v = store_find_uuid(d->store, CLASS_VM, dom->uuid);
    const struct vm_rec *vm = v ? v->rec : NULL;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    if (vm && (vm->current_operations.n || vm->power_state == VM_POWER_STATE_RUNNING ||
               vm->power_state == VM_POWER_STATE_PAUSED))
        return;
    log_warning("domain %s belongs to no running VM and is ended", dom->uuid);
    struct error *e = hostd_vm_destroy(d->hostd, &args, &a, NULL);

    if (e)
        atomic_fetch_add(&d->events_missed, 1);
    log_and_free(LOG_ERROR, e, "cannot end domain %s", dom->uuid);
}

/* What its agent said to a former xenolithd was not kept. */
static void ask_guest(struct daemon *d, const struct host_domain_rec *dom)
{
    const struct host_event_rec event = {.kind = "guest", .uuid = dom->uuid};

    if (streq(dom->state, "running"))
        vm_host_event(d, &event);
}

static void compare(struct daemon *d, const struct host_vm_list_result *l)
{
    struct version_list vms;

    store_all(d->store, CLASS_VM, &vms);
    vec_foreach (v, &vms)
        reconcile_vm(d, (*v)->rec, l);
    version_list_fini(&vms);
}

struct error *vm_compare(struct daemon *d)
{
    const unsigned missed = atomic_load(&d->events_missed);
    struct host_vm_list_result l;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    TRY(hostd_vm_list(d->hostd, &(struct host_vm_list_args){0}, &a, &l));
    compare(d, &l);
    if (missed == atomic_exchange(&d->events_made_good, missed))
        return NULL;
    for (size_t i = 0; i < l.domains.n; i++) {
        remove_stray(d, &l.domains.v[i]);
        ask_guest(d, &l.domains.v[i]);
    }
    return NULL;
}

struct error *vm_reconcile(struct daemon *d)
{
    atomic_fetch_add(&d->events_missed, 1);
    return vm_compare(d);
}
