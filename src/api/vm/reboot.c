/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rebooting: the guest does it (clean), or the reset button (hard). */
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/guest_wait.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define CLEAN_REBOOT_US (1200 * SECOND_US)

static struct error *ask_reboot(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_set_on_reboot_args args = {.uuid = plan_str(p, "uuid"), .restart = true};
    struct error *e = hostd_vm_set_on_reboot(d->hostd, &args, plan_arena(p), NULL);

    return e ? from_host(d->store, e) : guest_ask(p, "reboot");
}

/* The host tells of a reset by an event, which notes it in VM_metrics.start_time. */
static struct error *has_rebooted(struct plan *p, bool *ret)
{
    struct daemon *d = plan_daemon(p);
    _cleanup_arena_ struct arena a;
    const struct vm_rec *vm;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vm(t, plan_str(p, "vm"), &vm));
    const struct vm_metrics_rec *m = txn_find_vm_metrics(t, vm->metrics);

    *ret = m && m->start_time > plan_int(p, "started");
    return NULL;
}

static struct error *wait_for_reboot(struct plan *p)
{
    bool done;

    TRY(has_rebooted(p, &done));
    if (done)
        return NULL;
    TRY(guest_is_stopped(p, &done));
    if (done)
        return NULL; /* it stopped instead; the next step starts it again */
    guest_ask_again(p, "reboot");
    if (mono_us() < guest_deadline(p))
        return guest_wait(p);
    return guest_too_slow(p);
}

/* Where a guest cannot be reset in place it runs on as another domain. */
static struct error *note_domid(struct plan *p)
{
    const struct host_domain_rec *dom;

    TRY(domain_find(p, &dom));
    if (dom)
        plan_set_int(p, "domid", dom->domid);
    return NULL;
}

static struct error *reset(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_reset_args args = {.uuid = plan_str(p, "uuid")};

    TRY(from_host(d->store, hostd_vm_reset(d->hostd, &args, plan_arena(p), NULL)));
    return note_domid(p);
}

static struct error *reset_if_stopped(struct plan *p)
{
    bool stopped;

    TRY(guest_is_stopped(p, &stopped));
    return stopped ? reset(p) : note_domid(p);
}

static struct error *rebooted(struct plan *p, struct txn *t)
{
    struct vm_metrics_rec *m;
    struct vm_rec *vm;

    TRY(vm_edit_live(p, t, &vm));
    vm->power_state = VM_POWER_STATE_RUNNING;
    if (plan_int(p, "domid"))
        vm->domid = plan_int(p, "domid");
    TRY(vm_metrics_edit(t, vm, &m));
    m->start_time = MAX(now_s(), m->start_time);
    return vm_news(t, vm, ALERT_VM_REBOOTED);
}

static const struct plan_step clean_steps[] = {
    {.name = "ask the guest", .weight = 1, .act = ask_reboot},
    {.name = "wait for the guest", .weight = 8, .act = wait_for_reboot},
    {.name = "running again", .weight = 1, .act = reset_if_stopped, .record = rebooted},
};

const struct plan_type plan_vm_clean_reboot = {
    .name = "VM.clean_reboot", .steps = clean_steps, .n_steps = ARRAY_SIZE(clean_steps)};

static const struct plan_step hard_steps[] = {
    {.name = "reset", .weight = 1, .act = reset, .record = rebooted},
};

const struct plan_type plan_vm_hard_reboot = {.name = "VM.hard_reboot",
                                              .steps = hard_steps,
                                              .n_steps = ARRAY_SIZE(hard_steps),
                                              .no_cancel = true};

static struct error *begin(struct call *c, const char *ref, const struct plan_type *type,
                           enum vm_operations op)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    const struct vm_metrics_rec *m = txn_find_vm_metrics(c->txn, vm->metrics);

    TRY(vm_plan(c, type, ref, op, &p));
    plan_set_int(p, "started", m ? m->start_time : 0);
    guest_set_patience(p, CLEAN_REBOOT_US);
    return NULL;
}

struct error *api_vm_clean_reboot(struct call *c, const struct vm_clean_reboot_args *a)
{
    return begin(c, a->vm, &plan_vm_clean_reboot, VM_OPERATIONS_CLEAN_REBOOT);
}

struct error *api_vm_hard_reboot(struct call *c, const struct vm_hard_reboot_args *a)
{
    return begin(c, a->vm, &plan_vm_hard_reboot, VM_OPERATIONS_HARD_REBOOT);
}
