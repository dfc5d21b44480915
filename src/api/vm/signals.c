/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Poking at a running guest: keys, triggers, plugins of its agent. */
#include "api/common/host_error.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/VM.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *find(struct call *c, const char *ref, enum vm_operations op,
                          const struct vm_rec **ret)
{
    TRY(txn_vm(c->txn, ref, ret));
    return vm_op_check(txn_view(c->txn), *ret, op);
}

/* The key would travel through a channel that only paravirtualised Linux guests have. */
struct error *api_vm_send_sysrq(struct call *c, const struct vm_send_sysrq_args *a)
{
    const struct vm_rec *vm;

    TRY(find(c, a->vm, VM_OPERATIONS_SEND_SYSRQ, &vm));
    return err_not_implemented("VM.send_sysrq");
}

struct error *api_vm_send_trigger(struct call *c, const struct vm_send_trigger_args *a)
{
    const struct vm_rec *vm;

    TRY(find(c, a->vm, VM_OPERATIONS_SEND_TRIGGER, &vm));
    if (streq(a->trigger, "reset")) {
        const struct host_vm_reset_args args = {.uuid = vm->uuid};

        return from_host(c->daemon->store, hostd_vm_reset(c->daemon->hostd, &args, c->arena, NULL));
    }
    if (!streq(a->trigger, "nmi") && !streq(a->trigger, "power"))
        return err_invalid_value("trigger", a->trigger);
    const struct host_vm_signal_args args = {
        .uuid = vm->uuid, .signal = streq(a->trigger, "nmi") ? "nmi" : "poweroff"};

    return from_host(c->daemon->store, hostd_vm_signal(c->daemon->hostd, &args, c->arena, NULL));
}

/* No agent that offers plugins is known here; what is missing is told by name. */
struct error *api_vm_call_plugin(struct call *c, const struct vm_call_plugin_args *a,
                                 const char **ret)
{
    const struct vm_rec *vm;

    c->no_wait = true;
    TRY(find(c, a->vm, VM_OPERATIONS_CALL_PLUGIN, &vm));
    return err_xenapi_missing_plugin(a->plugin);
}

/* Of the host it runs on; one that is off has this one. */
struct error *api_vm_call_host_plugin(struct call *c, const struct vm_call_host_plugin_args *a,
                                      const char **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    const struct host_call_plugin_args there = {
        .host = txn_find_host(c->txn, vm->resident_on) ? vm->resident_on : c->daemon->host_ref,
        .plugin = a->plugin,
        .fn = a->fn,
        .args = a->args,
    };

    return api_host_call_plugin(c, &there, ret);
}

struct error *api_vm_query_services(struct call *c, const struct vm_query_services_args *a,
                                    struct map_string_string *ret)
{
    const struct vm_rec *vm;

    return find(c, a->self, VM_OPERATIONS_QUERY_SERVICES, &vm); /* none are offered: empty */
}
