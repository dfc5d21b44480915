/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM.pool_migrate, migrate_send and what belongs to them. Within a pool of one host a VM is where
 * it is to go. Sending one elsewhere is not possible yet: the checks come in the order clients
 * know, and the last of them says so.
 */
#include "api/common/lists.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/VM.h"
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

static struct error *check_send(struct call *c, const char *ref,
                                const struct map_string_string *dest,
                                const struct map_ref_ref *vdi_map)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_MIGRATE_SEND));
    TRY(check_dest(dest));
    TRY(check_disks(c->txn, vm, vdi_map));
    return err_vm_migrate_failed(vm->self, c->daemon->host_ref, map_find(dest, "host"),
                                 "A VM cannot be sent to another host yet");
}

struct error *api_vm_migrate_send(struct call *c, const struct vm_migrate_send_args *a,
                                  const char **ret)
{
    return check_send(c, a->vm, &a->dest, &a->vdi_map);
}

struct error *api_vm_assert_can_migrate(struct call *c, const struct vm_assert_can_migrate_args *a)
{
    return check_send(c, a->vm, &a->dest, &a->vdi_map);
}

struct error *api_vm_assert_can_migrate_sender(struct call *c,
                                               const struct vm_assert_can_migrate_sender_args *a)
{
    return check_send(c, a->vm, &a->dest, &a->vdi_map);
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
