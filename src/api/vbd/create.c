/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VBD.create and VBD.destroy: rows only; a device of a running VM is plugged by a call of its own.
 */
#include "api/vbd/vbd.h"
#include "gen/msg/VBD.h"
#include "rpc/call.h"
#include "rules/devices.h"
#include "rules/ops.h"

/* The number, as VBD.userdevice keeps it: given, or the first that is free. */
static struct error *choose_device(struct call *c, const struct vm_rec *vm, const char *wanted,
                                   int type, const char **ret)
{
    const struct set_string left = vbd_devices_free(txn_view(c->txn), c->arena, vm, type);
    int n = vbd_device_number(wanted, type);

    if (streq(wanted, "autodetect")) {
        if (!left.n)
            return err_invalid_device(wanted);
        *ret = left.v[0];
        return NULL;
    }
    if (n < 0)
        return err_invalid_device(wanted);
    const char *text = arena_printf(c->arena, "%d", n);

    for (size_t i = 0; i < left.n; i++) {
        if (!streq(left.v[i], text))
            continue;
        *ret = text;
        return NULL;
    }
    return err_device_already_exists(text);
}

static struct error *check_medium(struct call *c, const struct vbd_ctor *a)
{
    const struct vdi_rec *vdi;

    if (a->type == VBD_TYPE_CD && a->mode != VBD_MODE_RO)
        return err_vbd_cds_must_be_readonly();
    if (a->empty) {
        if (a->type == VBD_TYPE_DISK)
            return err_vbd_not_removable_media("in constructor");
        return NULL;
    }
    TRY(txn_vdi(c->txn, a->VDI, &vdi));
    return vbd_check_disk(c->txn, vdi, a->type, a->mode);
}

struct error *api_vbd_create(struct call *c, const struct vbd_create_args *args, const char **ret)
{
    const struct vbd_ctor *a = &args->args;
    const struct vm_rec *vm;
    const char *device;

    TRY(txn_vm(c->txn, a->VM, &vm));
    TRY(vbd_check_vm(vm));
    TRY(check_medium(c, a));
    /* Watches the list of devices, so that two calls at once do not choose the same. */
    txn_inv_vm(c->txn, vm);
    TRY(choose_device(c, vm, a->userdevice, a->type, &device));
    struct vbd_rec *vbd = txn_new_vbd(c->txn);

    vbd->VM = vm->self;
    vbd->VDI = a->empty ? REF_NULL : a->VDI;
    vbd->empty = a->empty;
    vbd->userdevice = device;
    vbd->bootable = a->bootable;
    vbd->mode = a->mode;
    vbd->type = a->type;
    vbd->unpluggable = a->unpluggable;
    vbd->other_config = a->other_config;
    vbd->qos_algorithm_type = a->qos_algorithm_type;
    vbd->qos_algorithm_params = a->qos_algorithm_params;
    *ret = vbd->self;
    return NULL;
}

struct error *api_vbd_destroy(struct call *c, const struct vbd_destroy_args *a)
{
    struct vbd_ends e;

    TRY(vbd_ends(c->txn, a->self, &e));
    if (e.vbd->current_operations.n)
        return err_other_operation_in_progress(
            "VBD", e.vbd->self, vbd_operations_info.names[e.vbd->current_operations.v[0]],
            e.vbd->current_operations.k[0]);
    TRY(vbd_check_vm(e.vm));
    if (e.vbd->currently_attached)
        return err_operation_not_allowed(
            arena_printf(c->arena, "VBD '%s' still attached to '%s'", e.vbd->uuid, e.vm->uuid));
    return txn_delete_vbd(c->txn, e.vbd->self);
}
