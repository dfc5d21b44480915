/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a row of a dump says, as far as it is still so: nothing runs, and disks are what they are.
 */
#include "api/common/lists.h"
#include "api/common/rows.h"
#include "api/database/restoring.h"
#include "api/vm/params.h"
#include "gen/class/PBD.h"
#include "gen/class/SR.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VIF.h"
#include "gen/class/network.h"
#include "gen/class/pool_txn.h"
#include "gen/errors.h"
#include "rules/devices.h"
#include "rules/lookup.h"
#include "value/refs.h"

static const char *ref_of(void *ctx, unsigned class_id, const char *ref)
{
    const struct restoring *r = ctx;
    const struct restored *o = restore_find(r, ref);

    /* Every pool has the same ones; not every dump tells them. */
    if (!o && class_id == CLASS_ROLE && txn_find(r->t, CLASS_ROLE, ref))
        return ref;
    if (!o || !o->ref || (class_id && class_id != o->row->class_id))
        return REF_NULL;
    return o->ref;
}

static struct error *wrong(const struct restored *o, const char *column, const char *value)
{
    _cleanup_free_ char *where =
        xasprintf("%s of %s %.60s", column, classes[o->row->class_id].name, o->row->ref);

    return err_invalid_value(where, value);
}

static struct error *in_row(const struct restored *o, struct error *e)
{
    return e ? error_prepend(e, "%s %s", classes[o->row->class_id].name, o->row->ref) : NULL;
}

/* It was off when it was written down, or its memory is kept. */
static bool is_suspended(const struct vm_rec *vm)
{
    return vm->power_state == VM_POWER_STATE_SUSPENDED && ref_is_set(vm->suspend_VDI);
}

static struct error *settle_vm(const struct restored *o)
{
    const struct vm_rec *ours = o->ours;
    struct vm_rec *vm = o->edit;
    bool suspended = is_suspended(vm);
    bool halted = vm->power_state == VM_POWER_STATE_HALTED;
    bool same_run = suspended && ours && streq(ours->suspend_VDI, vm->suspend_VDI);

    vm->power_state = suspended ? VM_POWER_STATE_SUSPENDED : VM_POWER_STATE_HALTED;
    vm->suspend_VDI = suspended ? vm->suspend_VDI : REF_NULL;
    vm->resident_on = vm->scheduled_to_be_resident_on = REF_NULL;
    vm->domid = halted ? vm->domid : -1;
    vm->memory_target = suspended ? vm->memory_target : 0;
    vm->requires_reboot = false;
    vm->is_control_domain = false;
    vm->launch_record = same_run ? ours->launch_record : "";
    vm->run = vm->guest_token = "";
    vm->blobs = (struct map_string_ref){0};
    return in_row(o, vm_settings_check(vm));
}

static bool owner_is_suspended(const struct restoring *r, const char *vm)
{
    const struct restored *o = restore_find(r, vm);

    return o && is_suspended(o->row->rec);
}

static struct error *settle_vbd(const struct restoring *r, const struct restored *o)
{
    const struct vbd_rec *told = o->row->rec;
    struct vbd_rec *vbd = o->edit;

    vbd->currently_attached = vbd->currently_attached && owner_is_suspended(r, told->VM);
    vbd->reserved = false;
    vbd->empty = !ref_is_set(vbd->VDI);
    vbd->metrics = REF_NULL;
    return vbd_device_number(vbd->userdevice, vbd->type) < 0
               ? wrong(o, "userdevice", vbd->userdevice)
               : NULL;
}

static struct error *settle_vif(const struct restoring *r, const struct restored *o)
{
    const struct vif_rec *told = o->row->rec;
    struct vif_rec *vif = o->edit;

    vif->currently_attached = vif->currently_attached && owner_is_suspended(r, told->VM);
    vif->reserved = false;
    vif->metrics = vif->reserved_pci = REF_NULL;
    if (vif_device_number(vif->device) < 0)
        return wrong(o, "device", vif->device);
    return mac_is_valid(vif->MAC) ? NULL : wrong(o, "MAC", vif->MAC);
}

/* The storage knows better what a disk is. */
static void settle_vdi(const struct restored *o)
{
    const struct vdi_rec *ours = o->ours;
    struct vdi_rec *vdi = o->edit;

    vdi->storage_lock = false;
    if (!ours)
        return;
    vdi->location = ours->location;
    vdi->virtual_size = ours->virtual_size;
    vdi->physical_utilisation = ours->physical_utilisation;
    vdi->sm_config = ours->sm_config;
    vdi->managed = ours->managed;
    vdi->missing = ours->missing;
    vdi->cbt_enabled = ours->cbt_enabled;
    vdi->node = ours->node;
}

static void settle_sr(const struct restored *o)
{
    const struct sr_rec *ours = o->ours;
    struct sr_rec *sr = o->edit;

    sr->blobs = (struct map_string_ref){0};
    if (!ours)
        return;
    sr->virtual_allocation = ours->virtual_allocation;
    sr->physical_utilisation = ours->physical_utilisation;
    sr->physical_size = ours->physical_size;
    sr->type = ours->type;
    sr->content_type = ours->content_type;
    sr->shared = ours->shared;
    sr->sm_config = ours->sm_config;
    sr->backend = ours->backend;
}

static void settle_network(const struct restored *o)
{
    const struct network_rec *ours = o->ours;
    struct network_rec *network = o->edit;

    network->blobs = (struct map_string_ref){0};
    if (ours) {
        network->bridge = ours->bridge;
        network->managed = ours->managed;
    }
}

static struct error *settle(struct restoring *r, const struct restored *o)
{
    switch (o->row->class_id) {
    case CLASS_VM:
        return settle_vm(o);
    case CLASS_VBD:
        return settle_vbd(r, o);
    case CLASS_VIF:
        return settle_vif(r, o);
    case CLASS_VDI:
        settle_vdi(o);
        return NULL;
    case CLASS_SR:
        settle_sr(o);
        return NULL;
    case CLASS_NETWORK:
        settle_network(o);
        return NULL;
    case CLASS_PBD:
        ((struct pbd_rec *)o->edit)->currently_attached = false;
        return NULL;
    default:
        return NULL;
    }
}

/* What administrators set; the rest is of this pool. */
static struct error *restore_pool(struct restoring *r, const struct pool_rec *told)
{
    const struct struct_info *si = classes[CLASS_POOL].info;
    struct pool_rec *pool;

    TRY(txn_edit_pool(r->t, r->daemon->pool_ref, &pool));
    for (int i = 0; i < si->n; i++)
        if (si->fields[i].flags & FIELD_RW)
            memcpy(field_at_mut(&si->fields[i], pool), field_at(&si->fields[i], told),
                   si->fields[i].type->size);
    return NULL;
}

struct error *restore_row(struct restoring *r, struct restored *o)
{
    const struct ref_mapping ours = {.fn = ref_of, .ctx = r, .drop_null = true};
    const struct struct_info *si = classes[o->row->class_id].info;
    int uuid = classes[o->row->class_id].field_uuid;
    void *told = record_copy(r->a, si, o->row->rec);

    record_map_refs(r->a, si, told, &ours);
    if (o->row->class_id == CLASS_POOL)
        return restore_pool(r, told);
    row_copy_fields(o->row->class_id, o->edit, told);
    if (!o->ours && uuid >= 0)
        *(const char **)field_at_mut(&si->fields[uuid], o->edit) =
            *(const char *const *)field_at(&si->fields[uuid], told);
    return settle(r, o);
}
