/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/suspend_disk.h"

#include "api/common/host_error.h"
#include "api/vm/guest_wait.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/errors.h"
#include "gen/host_proto.h"
#include "rules/lookup.h"

/* Device state and the stream's own records, beside the memory itself; and the head of the disk. */
#define SUSPEND_EXTRA (65ll << 20)
#define LOOK_EVERY_US (SECOND_US / 5)

static bool plugged_here(struct daemon *d, struct txn *t, const char *ref)
{
    const struct sr_rec *sr = txn_find_sr(t, ref);
    const struct sr_inv *inv = sr ? txn_inv_sr(t, sr) : NULL;

    for (size_t i = 0; inv && i < inv->PBDs.n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(t, inv->PBDs.v[i]);

        if (pbd && pbd->currently_attached && streq(pbd->host, d->host_ref))
            return true;
    }
    return false;
}

struct error *suspend_disk_choose(struct plan *p, struct txn *t, const struct vm_rec *vm)
{
    struct daemon *d = plan_daemon(p);
    const struct pool_rec *pool = txn_find_pool(t, d->pool_ref);
    const struct host_rec *host = txn_find_host(t, d->host_ref);
    const char *wishes[] = {vm->suspend_SR, pool ? pool->suspend_image_SR : REF_NULL,
                            host ? host->suspend_image_sr : REF_NULL};

    for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
        if (!plugged_here(d, t, wishes[i]))
            continue;
        const struct sr_rec *sr = txn_find_sr(t, wishes[i]);

        plan_set_str(p, "suspend sr", sr->self);
        plan_set_str(p, "suspend sr uuid", sr->uuid);
        plan_set_str(p, "suspend vdi uuid", uuid_random().s);
        plan_set_str(p, "suspend vdi ref", ref_random().s);
        plan_set_int(p, "suspend size", vm->memory_static_max + SUSPEND_EXTRA);
        return NULL;
    }
    return err_vm_no_suspend_sr(vm->self);
}

struct error *suspend_disk_make(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_create_args args = {
        .sr = plan_str(p, "suspend sr uuid"),
        .uuid = plan_str(p, "suspend vdi uuid"),
        .virtual_size = plan_int(p, "suspend size"),
        .format = "raw",
    };
    struct host_vdi_create_result result;
    struct error *e = hostd_vdi_create(d->hostd, &args, plan_arena(p), &result);

    if (e)
        return from_host(d->store, e);
    plan_set_int(p, "suspend size", result.vdi.virtual_size);
    plan_set_str(p, "suspend location", result.vdi.location);
    return NULL;
}

struct error *suspend_disk_made(struct plan *p, struct txn *t)
{
    struct arena *a = txn_arena(t);
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    struct vdi_rec *vdi = txn_insert_ref(t, CLASS_VDI, plan_str(p, "suspend vdi ref"));

    vdi->uuid = arena_strdup(a, plan_str(p, "suspend vdi uuid"));
    vdi->SR = arena_strdup(a, plan_str(p, "suspend sr"));
    vdi->name_label = "Suspend image";
    vdi->name_description = arena_printf(a, "Memory of %s", vm->name_label);
    vdi->type = VDI_TYPE_SUSPEND;
    vdi->virtual_size = plan_int(p, "suspend size");
    vdi->location = arena_strdup(a, plan_str(p, "suspend location"));
    vdi->managed = true;
    vm->suspend_VDI = vdi->self;
    return NULL;
}

static struct error *destroy(struct plan *p, const char *sr, const char *uuid)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_destroy_args args = {.sr = sr, .uuid = uuid};

    return from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), NULL));
}

struct error *suspend_disk_unmake(struct plan *p)
{
    return destroy(p, plan_str(p, "suspend sr uuid"), plan_str(p, "suspend vdi uuid"));
}

struct error *suspend_disk_unmade(struct plan *p, struct txn *t)
{
    const char *ref = plan_str(p, "suspend vdi ref");
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    if (streq(vm->suspend_VDI, ref))
        vm->suspend_VDI = REF_NULL;
    return txn_find_vdi(t, ref) ? txn_delete_vdi(t, ref) : NULL;
}

struct error *suspend_disk_remove(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    _cleanup_arena_ struct arena a;
    const struct vm_rec *vm;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vm(t, plan_str(p, "vm"), &vm));
    const struct vdi_rec *vdi = txn_find_vdi(t, vm->suspend_VDI);
    const struct sr_rec *sr = vdi ? txn_find_sr(t, vdi->SR) : NULL;

    struct error *e = sr ? destroy(p, sr->uuid, vdi->uuid) : NULL;

    /* A VM.suspend may still be at it, and ends because the domain is gone. */
    if (error_is(e, ERR_VDI_IN_USE) && mono_us() < guest_deadline(p)) {
        error_free(e);
        return plan_wait(p, CLASS_VM, vm->self, mono_us() + LOOK_EVERY_US);
    }
    return e;
}

struct error *suspend_disk_removed(struct plan *p, struct txn *t)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    const char *ref = vm->suspend_VDI;

    vm->suspend_VDI = REF_NULL;
    return txn_find_vdi(t, ref) ? txn_delete_vdi(t, ref) : NULL;
}
