/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM.provision: the disks a template asks for in other_config:disks. Afterwards it is no template
 * any more and can start.
 */
#include "rules/provision.h"
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/vdi.h"
#include "api/vm/domain.h"
#include "api/vm/plans.h"
#include "base/uuid.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/msg/VM.h"
#include "rules/devices.h"
#include "rules/ops.h"
#include "value/json.h"

#define DESCRIPTION "Created by template provisioner"
#define WISHES_KEY  "disks"

/* Plan state "disks": device, size, bootable, system, uuid of each, and its repository (sr,
 * sr_uuid). */

static const char *text_of(const json_t *disk, const char *key)
{
    return json_string_value(json_object_get(disk, key));
}

static struct error *no_space(struct error *e)
{
    if (!error_is(e, ERR_SR_FULL) && !error_is(e, "SR_BACKEND_FAILURE_44"))
        return e;
    error_free(e);
    return err_provision_failed_out_of_space();
}

static struct error *make_disk(struct plan *p, const json_t *disk,
                               struct host_vdi_create_result *ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_create_args args = {
        .sr = text_of(disk, "sr_uuid"),
        .uuid = text_of(disk, "uuid"),
        .virtual_size = json_integer_value(json_object_get(disk, "size")),
        .format = "",
        .props = vdi_props(plan_arena(p), text_of(disk, "device"), DESCRIPTION,
                           json_is_true(json_object_get(disk, "system")) ? VDI_TYPE_SYSTEM
                                                                         : VDI_TYPE_USER),
    };

    return no_space(from_host(d->store, hostd_vdi_create(d->hostd, &args, plan_arena(p), ret)));
}

static struct error *make_disks(struct plan *p)
{
    json_t *list = plan_json(p, "disks"), *disk;
    size_t i, n = json_array_size(list);
    struct host_vdi_create_result *made =
        arena_array(plan_arena(p), struct host_vdi_create_result, n);

    json_array_foreach (list, i, disk)
        TRY(make_disk(p, disk, &made[i]));
    plan_set_memo(p, made);
    return NULL;
}

static struct error *unmake_disks(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    json_t *disk;
    size_t i;

    json_array_foreach (plan_json(p, "disks"), i, disk) {
        const struct host_vdi_destroy_args args = {.sr = text_of(disk, "sr_uuid"),
                                                   .uuid = text_of(disk, "uuid")};

        TRY(from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), NULL)));
    }
    return NULL;
}

static struct error *record_disk(struct plan *p, struct txn *t, const json_t *disk,
                                 const struct host_vdi_rec *made)
{
    bool system = json_is_true(json_object_get(disk, "system"));
    struct vdi_rec *vdi = txn_new_vdi(t);
    struct vbd_rec *vbd = txn_new_vbd(t);

    vdi->uuid = text_of(disk, "uuid");
    vdi->name_label = text_of(disk, "device");
    vdi->name_description = DESCRIPTION;
    vdi->SR = text_of(disk, "sr");
    vdi->type = system ? VDI_TYPE_SYSTEM : VDI_TYPE_USER;
    map_set(txn_arena(t), &vdi->sm_config, "vmhint", plan_str(p, "uuid"));
    vdi_fill(vdi, made);
    vbd->VM = plan_str(p, "vm");
    vbd->VDI = vdi->self;
    vbd->userdevice = text_of(disk, "device");
    vbd->bootable = json_is_true(json_object_get(disk, "bootable"));
    vbd->mode = VBD_MODE_RW;
    vbd->type = VBD_TYPE_DISK;
    vbd->unpluggable = !system;
    map_set(txn_arena(t), &vbd->other_config, "owner", "");
    return sr_add_allocation(t, vdi->SR, vdi->virtual_size);
}

static struct error *now_a_vm(struct txn *t, const char *ref)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, ref, &vm));
    vm->is_a_template = vm->is_default_template = false;
    map_remove(txn_arena(t), &vm->other_config, WISHES_KEY);
    return NULL;
}

static struct error *record_disks(struct plan *p, struct txn *t)
{
    const struct host_vdi_create_result *made = plan_memo(p);
    json_t *disk;
    size_t i;

    json_array_foreach (plan_json(p, "disks"), i, disk)
        TRY(record_disk(p, t, disk, &made[i].vdi));
    return now_a_vm(t, plan_str(p, "vm"));
}

static const struct plan_step steps[] = {
    {.name = "make disks", .act = make_disks, .record = record_disks, .undo = unmake_disks},
};

const struct plan_type plan_vm_provision = {
    .name = "VM.provision", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

/* The number of the device as text, if the VM has room for it. */
static struct error *check_device(struct call *c, const struct vm_rec *vm, const json_t *list,
                                  const char *device, const char **ret)
{
    int n = vbd_device_number(device, VBD_TYPE_DISK);
    const struct set_string free = vbd_devices_free(txn_view(c->txn), c->arena, vm, VBD_TYPE_DISK);
    const char *text = arena_printf(c->arena, "%d", n);
    json_t *other;
    size_t i;

    if (n < 0)
        return err_invalid_device(device);
    if (!set_has(&free, text))
        return err_device_already_exists(text);
    json_array_foreach (list, i, other)
        if (streq(text_of(other, "device"), text))
            return err_device_already_exists(text);
    *ret = text;
    return NULL;
}

static struct error *add_disk(struct call *c, const struct vm_rec *vm, json_t *list,
                              const struct provision_disk *wish)
{
    struct uuid_text uuid = uuid_random();
    const struct sr_rec *sr;
    const char *device;

    TRY(txn_sr_by_uuid(c->txn, wish->sr, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_VDI_CREATE));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    TRY(check_device(c, vm, list, wish->device, &device));
    json_array_append_new(list, json_pack("{ss ss ss ss sI sb sb}", "device", device, "uuid",
                                          uuid.s, "sr", sr->self, "sr_uuid", sr->uuid, "size",
                                          (json_int_t)wish->size, "bootable", wish->bootable,
                                          "system", wish->system));
    return NULL;
}

static struct error *read_wishes(struct call *c, const struct vm_rec *vm, json_t *list)
{
    const char *text = map_find(&vm->other_config, WISHES_KEY);
    struct provision_disk *wishes;
    size_t n;

    if (!text)
        return NULL;
    TRY(provision_parse(text, c->arena, &wishes, &n));
    for (size_t i = 0; i < n; i++)
        TRY(add_disk(c, vm, list, &wishes[i]));
    return NULL;
}

static struct error *begin(struct call *c, const struct vm_rec *vm, json_t *list)
{
    struct plan *p;
    json_t *disk;
    size_t i;

    TRY(vm_plan(c, &plan_vm_provision, vm->self, VM_OPERATIONS_PROVISION, &p));
    plan_set_json(p, "disks", json_incref(list));
    json_array_foreach (list, i, disk)
        TRY(plan_mark(p, c->txn, CLASS_SR, arena_strdup(c->arena, text_of(disk, "sr")),
                      STORAGE_OPERATIONS_VDI_CREATE));
    return NULL;
}

struct error *api_vm_provision(struct call *c, const struct vm_provision_args *a)
{
    _cleanup_json_ json_t *list = json_array();
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_PROVISION));
    TRY(read_wishes(c, vm, list));
    return json_array_size(list) ? begin(c, vm, list) : now_a_vm(c->txn, vm->self);
}
