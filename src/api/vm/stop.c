/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shutting down: by asking the guest (clean), by pulling the plug (hard), or one after the other
 * (VM.shutdown). A suspended VM is shut down by throwing its memory away.
 */
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/guest_wait.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "api/vm/suspend_disk.h"
#include "base/world.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

/* A guest has this long to show that it heard, and to be done. */
#define CLEAN_SHUTDOWN_US (1200 * SECOND_US)
/* A suspend that a hard shutdown overtakes has this long to let go of its disk. */
#define BUSY_DISK_US (60 * SECOND_US)

static struct error *ask_poweroff(struct plan *p)
{
    bool stopped;

    /* After a restart of the daemon it may have been asked before and have obeyed. */
    TRY(guest_is_stopped(p, &stopped));
    struct error *e = stopped ? NULL : guest_ask(p, "poweroff");

    if (!e || !e->code || !plan_bool(p, "then hard"))
        return e;
    error_free(e); /* one that cannot be asked need not be waited for */
    plan_set_bool(p, "unheard", true);
    return NULL;
}

static struct error *wait_for_end(struct plan *p)
{
    bool stopped, hard_too = plan_bool(p, "then hard");

    TRY(guest_is_stopped(p, &stopped));
    if (stopped || plan_bool(p, "unheard"))
        return NULL;
    guest_ask_again(p, "poweroff");
    if (mono_us() < guest_deadline(p))
        return guest_wait(p);
    if (hard_too)
        return NULL; /* the next step pulls the plug */
    return guest_too_slow(p);
}

static struct error *halted(struct plan *p, struct txn *t)
{
    TRY(vm_plan_news(p, t, ALERT_VM_SHUTDOWN)); /* while it says where it ran */
    return vm_now_halted(p, t);
}

static const struct plan_step clean_steps[] = {
    {.name = "ask the guest", .weight = 1, .act = ask_poweroff},
    {.name = "wait for the guest", .weight = 8, .act = wait_for_end},
    {.name = "end domain", .weight = 1, .act = domain_destroy, .record = halted},
};

const struct plan_type plan_vm_clean_shutdown = {
    .name = "VM.clean_shutdown", .steps = clean_steps, .n_steps = ARRAY_SIZE(clean_steps)};

static const struct plan_step hard_steps[] = {
    {.name = "end domain", .weight = 8, .act = domain_destroy},
    {.name = "remove suspend disk",
     .weight = 1,
     .act = suspend_disk_remove,
     .record = suspend_disk_removed},
    {.name = "halted", .weight = 1, .record = halted},
};

const struct plan_type plan_vm_hard_shutdown = {.name = "VM.hard_shutdown",
                                                .steps = hard_steps,
                                                .n_steps = ARRAY_SIZE(hard_steps),
                                                .no_cancel = true};

static struct error *begin(struct call *c, const char *ref, const struct plan_type *type,
                           enum vm_operations op, struct plan **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    return vm_plan(c, type, ref, op, ret);
}

struct error *api_vm_clean_shutdown(struct call *c, const struct vm_clean_shutdown_args *a)
{
    struct plan *p;

    TRY(begin(c, a->vm, &plan_vm_clean_shutdown, VM_OPERATIONS_CLEAN_SHUTDOWN, &p));
    guest_set_patience(p, CLEAN_SHUTDOWN_US);
    return NULL;
}

static struct error *begin_hard(struct call *c, const char *ref)
{
    struct plan *p;

    TRY(begin(c, ref, &plan_vm_hard_shutdown, VM_OPERATIONS_HARD_SHUTDOWN, &p));
    guest_set_patience(p, BUSY_DISK_US);
    return NULL;
}

struct error *api_vm_hard_shutdown(struct call *c, const struct vm_hard_shutdown_args *a)
{
    return begin_hard(c, a->vm);
}

struct error *api_vm_shutdown(struct call *c, const struct vm_shutdown_args *a)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, a->vm, &vm));
    if (vm->power_state != VM_POWER_STATE_RUNNING)
        return begin_hard(c, a->vm);
    TRY(begin(c, a->vm, &plan_vm_clean_shutdown, VM_OPERATIONS_SHUTDOWN, &p));
    plan_set_bool(p, "then hard", true);
    guest_set_patience(p,
                       vm->shutdown_delay > 0 ? vm->shutdown_delay * SECOND_US : CLEAN_SHUTDOWN_US);
    return NULL;
}
