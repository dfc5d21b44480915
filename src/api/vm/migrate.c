/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM.pool_migrate, migrate_send and what belongs to them. Within a pool of one host a VM is where
 * it is to go; its disks can go to other repositories while it is off. Sending one to another pool
 * is not possible yet: the checks come in the order clients know, and the last of them says so.
 */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "api/vm/move.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/VM.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *check_here(struct call *c, const char *vm_ref, const char *host_ref)
{
    const struct host_rec *host;
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, vm_ref, &vm));
    TRY(txn_host(c->txn, host_ref, &host));
    return vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_POOL_MIGRATE);
}

struct error *api_vm_pool_migrate(struct call *c, const struct vm_pool_migrate_args *a)
{
    return check_here(c, a->vm, a->host);
}

struct error *api_vm_pool_migrate_complete(struct call *c,
                                           const struct vm_pool_migrate_complete_args *a)
{
    return check_here(c, a->vm, a->host);
}

/* What host.migrate_receive answered. */
static struct error *check_dest(const struct map_string_string *dest)
{
    static const char *const keys[] = {"host", "SM", "xenops", "session_id", "master"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!map_find(dest, keys[i]))
            return err_invalid_value("dest", keys[i]);
    return NULL;
}

static const char *find(const struct map_ref_ref *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return m->v[i];
    return NULL;
}

static struct error *check_disks(struct txn *t, const struct vm_rec *vm,
                                 const struct map_ref_ref *vdi_map)
{
    const struct set_ref *vbds = &txn_inv_vm(t, vm)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(t, vbd->VDI) : NULL;

        if (!vdi)
            continue;
        if (!find(vdi_map, vdi->self))
            return err_vdi_not_in_map(vdi->self);
        if (vdi->cbt_enabled)
            return err_vdi_cbt_enabled(vdi->self);
    }
    return NULL;
}

struct sending {
    const char *vm;
    const struct map_string_string *dest, *options;
    const struct map_ref_ref *vdi_map, *vif_map;
};

static struct error *check_send(struct call *c, const struct sending *s, const struct vm_rec **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, s->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_MIGRATE_SEND));
    TRY(check_dest(s->dest));
    TRY(check_disks(c->txn, vm, s->vdi_map));
    const char *host = map_find(s->dest, "host");

    if (!txn_find_host(c->txn, host))
        return err_vm_migrate_failed(vm->self, c->daemon->host_ref, host,
                                     "A VM cannot be sent to another pool yet");
    if (s->vif_map->n)
        return err_operation_not_allowed("Within a pool a VM keeps its networks");
    if (map_is_true(s->options, "copy"))
        return err_operation_not_allowed("Within a pool a VM is copied by VM.copy");
    *ret = vm;
    return NULL;
}

struct error *api_vm_migrate_send(struct call *c, const struct vm_migrate_send_args *a,
                                  const char **ret)
{
    const struct sending s = {a->vm, &a->dest, &a->options, &a->vdi_map, &a->vif_map};
    const struct vm_rec *vm;

    TRY(check_send(c, &s, &vm));
    *ret = vm->self;
    return vm_move(c, vm, &a->vdi_map);
}

struct error *api_vm_assert_can_migrate(struct call *c, const struct vm_assert_can_migrate_args *a)
{
    const struct sending s = {a->vm, &a->dest, &a->options, &a->vdi_map, &a->vif_map};
    const struct vm_rec *vm;

    TRY(check_send(c, &s, &vm));
    return vm_check_move(c, vm, &a->vdi_map);
}

/* Where the data would arrive, by the address of the host on that network. */
struct error *api_host_migrate_receive(struct call *c, const struct host_migrate_receive_args *a,
                                       struct map_string_string *ret)
{
    const struct network_rec *network;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(txn_network(c->txn, a->network, &network));
    const struct pif_rec *pif = pif_on_network(c->txn, network->self, host->self);

    if (!pif)
        return err_host_cannot_attach_network(host->self, network->self);
    if (pif->ip_configuration_mode == IP_CONFIGURATION_MODE_NONE)
        return err_pif_has_no_network_configuration(pif->self);
    if (!*pif->IP)
        return err_interface_has_no_ip(pif->device);
    const char *service = arena_printf(c->arena, "http://%s/services/", pif->IP);
    const char *const pairs[] = {
        "SM",         arena_printf(c->arena, "%sSM?session_id=%s", service, c->session),
        "host",       host->self,
        "xenops",     arena_printf(c->arena, "%sxenops?session_id=%s", service, c->session),
        "session_id", c->session,
        "master",     arena_printf(c->arena, "http://%s", host->address),
        NULL,
    };

    *ret = map_of(c->arena, pairs);
    return NULL;
}

/* The machine around a running guest is changed by moving the guest into a new one. */
struct error *api_vm_restart_device_models(struct call *c,
                                           const struct vm_restart_device_models_args *a)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_POOL_MIGRATE));
    return err_cannot_restart_device_model(vm->self);
}

struct error *api_vm_atomic_set_resident_on(struct call *c,
                                            const struct vm_atomic_set_resident_on_args *a)
{
    const struct host_rec *host;
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    TRY(txn_host(c->txn, a->host, &host));
    if (vm->power_state != VM_POWER_STATE_RUNNING && vm->power_state != VM_POWER_STATE_PAUSED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_RUNNING | 1u << VM_POWER_STATE_PAUSED);
    vm->resident_on = host->self;
    vm->scheduled_to_be_resident_on = REF_NULL;
    return NULL;
}
