/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.power_state_reset: the rows say Halted again, after a host lost its guests. */
#include "api/common/host_error.h"
#include "api/vm/domain.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#include <inttypes.h>

static struct error *check_no_domain(struct call *c, const struct vm_rec *vm)
{
    const struct host_vm_query_args args = {.uuid = vm->uuid};
    struct host_vm_query_result result;
    struct error *e = hostd_vm_query(c->daemon->hostd, &args, c->arena, &result);

    if (e)
        return from_host(c->daemon->store, e);
    if (!result.found || !result.domains.n || streq(result.domains.v[0].state, "stopped"))
        return NULL;
    return err_domain_exists(vm->self,
                             arena_printf(c->arena, "%" PRId64, result.domains.v[0].domid));
}

static struct error *check_elsewhere(struct call *c, const struct vm_rec *vm)
{
    const struct host_rec *host = txn_find_host(c->txn, vm->resident_on);
    const struct host_metrics_rec *m = host ? txn_find_host_metrics(c->txn, host->metrics) : NULL;

    if (host && !streq(host->self, c->daemon->host_ref) && m && m->live)
        return err_host_is_live(host->self);
    return NULL;
}

struct error *api_vm_power_state_reset(struct call *c, const struct vm_power_state_reset_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    if (vm->is_control_domain)
        return err_cannot_reset_control_domain(vm->self);
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_POWER_STATE_RESET));
    TRY(check_elsewhere(c, vm));
    TRY(check_no_domain(c, vm));
    vm->suspend_VDI = REF_NULL;
    return vm_reset_rows(c->daemon, c->txn, vm->self, VM_POWER_STATE_HALTED);
}
