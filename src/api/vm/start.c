/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.start, start_on, resume, resume_on: the checks in their order, and the plans. */
#include "api/vm/boot_checks.h"
#include "api/vm/domain.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "api/vm/saved.h"
#include "api/vm/suspend_disk.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *started(struct plan *p, struct txn *t)
{
    TRY(vm_now_running(p, t));
    return vm_plan_news(p, t, plan_bool(p, "resume") ? ALERT_VM_RESUMED : ALERT_VM_STARTED);
}

static const struct plan_step start_steps[] = {
    {.name = "start domain",
     .weight = 8,
     .act = domain_start,
     .record = domain_started,
     .undo = domain_destroy},
    {.name = "run", .weight = 1, .act = domain_run, .record = started},
};

const struct plan_type plan_vm_start = {
    .name = "VM.start", .steps = start_steps, .n_steps = ARRAY_SIZE(start_steps)};

static const struct plan_step resume_steps[] = {
    {.name = "restore domain",
     .weight = 8,
     .act = domain_start,
     .record = domain_started,
     .undo = domain_destroy},
    {.name = "run", .weight = 1, .act = saved_run, .record = started, .keeps = true},
    {.name = "remove suspend disk",
     .weight = 1,
     .act = suspend_disk_remove,
     .record = suspend_disk_removed},
};

const struct plan_type plan_vm_resume = {
    .name = "VM.resume", .steps = resume_steps, .n_steps = ARRAY_SIZE(resume_steps)};

static struct error *begin(struct call *c, const char *ref, const struct plan_type *type,
                           enum vm_operations op, bool paused)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    TRY(vm_boot_checks(c->daemon, c->txn, vm));
    TRY(vm_plan(c, type, ref, op, &p));
    plan_set_bool(p, "paused", paused);
    plan_set_bool(p, "resume", type == &plan_vm_resume);
    return NULL;
}

/* One host so far: it is the one asked for, or there is no such host. */
static struct error *check_host(struct call *c, const char *host)
{
    const void *rec;

    return txn_read(c->txn, CLASS_HOST, host, &rec);
}

struct error *api_vm_start(struct call *c, const struct vm_start_args *a)
{
    return begin(c, a->vm, &plan_vm_start, VM_OPERATIONS_START, a->start_paused);
}

struct error *api_vm_start_on(struct call *c, const struct vm_start_on_args *a)
{
    TRY(check_host(c, a->host));
    return begin(c, a->vm, &plan_vm_start, VM_OPERATIONS_START_ON, a->start_paused);
}

struct error *api_vm_resume(struct call *c, const struct vm_resume_args *a)
{
    return begin(c, a->vm, &plan_vm_resume, VM_OPERATIONS_RESUME, a->start_paused);
}

struct error *api_vm_resume_on(struct call *c, const struct vm_resume_on_args *a)
{
    TRY(check_host(c, a->host));
    return begin(c, a->vm, &plan_vm_resume, VM_OPERATIONS_RESUME_ON, a->start_paused);
}
