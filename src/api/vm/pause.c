/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "api/vm/news.h"
#include "api/vm/plans.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *pause_domain(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_pause_args args = {.uuid = plan_str(p, "uuid")};

    return from_host(d->store, hostd_vm_pause(d->hostd, &args, plan_arena(p), NULL));
}

static struct error *set_state(struct plan *p, struct txn *t, enum vm_power_state state,
                               const char *news)
{
    struct vm_rec *vm;

    TRY(vm_edit_live(p, t, &vm));
    vm->power_state = (int)state;
    return vm_news(t, vm, news);
}

static struct error *now_paused(struct plan *p, struct txn *t)
{
    return set_state(p, t, VM_POWER_STATE_PAUSED, ALERT_VM_PAUSED);
}

static struct error *now_unpaused(struct plan *p, struct txn *t)
{
    return set_state(p, t, VM_POWER_STATE_RUNNING, ALERT_VM_UNPAUSED);
}

static const struct plan_step pause_steps[] = {
    {.name = "pause", .act = pause_domain, .record = now_paused, .undo = domain_run}};
static const struct plan_step unpause_steps[] = {
    {.name = "unpause", .act = domain_run, .record = now_unpaused, .undo = pause_domain}};

const struct plan_type plan_vm_pause = {
    .name = "VM.pause", .steps = pause_steps, .n_steps = ARRAY_SIZE(pause_steps)};
const struct plan_type plan_vm_unpause = {
    .name = "VM.unpause", .steps = unpause_steps, .n_steps = ARRAY_SIZE(unpause_steps)};

static struct error *begin(struct call *c, const char *ref, const struct plan_type *type,
                           enum vm_operations op)
{
    const struct vm_rec *vm;
    struct plan *p;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, op));
    return vm_plan(c, type, ref, op, &p);
}

struct error *api_vm_pause(struct call *c, const struct vm_pause_args *a)
{
    return begin(c, a->vm, &plan_vm_pause, VM_OPERATIONS_PAUSE);
}

struct error *api_vm_unpause(struct call *c, const struct vm_unpause_args *a)
{
    return begin(c, a->vm, &plan_vm_unpause, VM_OPERATIONS_UNPAUSE);
}
