/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/domain.h"

#include "api/common/host_devices.h"
#include "api/common/host_error.h"
#include "api/vm/guest_metrics.h"
#include "base/uuid.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/network_txn.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"

#include <stdlib.h>

int64_t device_number(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 ? n : -1;
}

static void describe_devices(struct txn *t, struct arena *a, const struct vm_rec *vm,
                             struct host_vm_start_args *ret)
{
    const struct vm_inv *inv = txn_inv_vm(t, vm);
    struct host_disk_rec *disks = arena_array(a, struct host_disk_rec, inv->VBDs.n);
    struct host_nic_rec *nics = arena_array(a, struct host_nic_rec, inv->VIFs.n);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, inv->VBDs.v[i]);

        if (vbd && vbd->type != VBD_TYPE_FLOPPY)
            host_disk_of(t, vbd, &disks[ret->disks.n++]);
    }
    for (size_t i = 0; i < inv->VIFs.n; i++) {
        const struct vif_rec *vif = txn_find_vif(t, inv->VIFs.v[i]);

        if (vif)
            host_nic_of(t, vif, &nics[ret->nics.n++]);
    }
    ret->disks.v = disks;
    ret->nics.v = nics;
}

static const char *or_default(const char *value, const char *otherwise)
{
    return str_empty(value) ? otherwise : value;
}

/* A kernel named in the PV fields starts without firmware; that is how tests and netboot work. */
static const char *firmware_of(const struct vm_rec *vm)
{
    if (*vm->PV_kernel)
        return "direct";
    return or_default(config_find(&vm->HVM_boot_params, "firmware"), "bios");
}

static const char *kind_of(const struct vm_rec *vm)
{
    switch (vm->domain_type) {
    case DOMAIN_TYPE_PV:
        return "pv";
    case DOMAIN_TYPE_PVH:
    case DOMAIN_TYPE_PV_IN_PVH:
        return "pvh";
    default:
        return "hvm";
    }
}

struct error *domain_describe(struct daemon *d, struct arena *a, const char *ref,
                              struct host_vm_start_args *ret)
{
    struct txn *t = txn_new(d->store, a);
    const struct vm_rec *vm;

    /* The transaction pins what the description points to, as long as the arena lives. */
    arena_on_end(a, (void (*)(void *))txn_free, t);
    TRY(txn_vm(t, ref, &vm));
    *ret = (struct host_vm_start_args){
        .uuid = vm->uuid,
        .name = vm->name_label,
        .memory_max = vm->memory_static_max,
        .memory_target = vm->memory_dynamic_max,
        .vcpus_max = vm->VCPUs_max,
        .vcpus = vm->VCPUs_at_startup,
        .kind = kind_of(vm),
        .firmware = firmware_of(vm),
        .boot_order = or_default(config_find(&vm->HVM_boot_params, "order"), "cd"),
        .kernel = vm->PV_kernel,
        .ramdisk = vm->PV_ramdisk,
        .cmdline = vm->PV_args,
        .restart_on_reboot = vm->actions_after_reboot == ON_NORMAL_EXIT_RESTART,
        .platform = vm->platform,
        .scheduling = vm->VCPUs_params,
        .run = "",
        .record = "",
        .suspend_sr = "",
        .suspend_vdi = "",
    };
    describe_devices(t, a, vm, ret);
    return NULL;
}

static struct error *describe_resume(struct daemon *d, struct arena *a, const char *ref,
                                     struct host_vm_start_args *args)
{
    struct txn *t = txn_new(d->store, a);
    const struct vm_rec *vm;
    const struct vdi_rec *vdi;
    const struct sr_rec *sr;

    arena_on_end(a, (void (*)(void *))txn_free, t);
    TRY(txn_vm(t, ref, &vm));
    if (ref_is_set(vm->suspend_VDI)) {
        TRY(txn_vdi(t, vm->suspend_VDI, &vdi));
        TRY(txn_sr(t, vdi->SR, &sr));
        args->suspend_vdi = vdi->uuid;
        args->suspend_sr = sr->uuid;
        args->record = vm->launch_record;
        return NULL;
    }
    return err_vm_has_no_suspend_vdi(ref);
}

/* A plan begins no more than one run at a time, and its task has a name that nothing else has. */
static const char *run_of_plan(const struct plan *p)
{
    return plan_task(p) + strlen(REF_PREFIX);
}

struct error *domain_start(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    struct host_vm_start_args args;
    struct host_vm_start_result result;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    TRY(domain_describe(d, &a, plan_str(p, "vm"), &args));
    if (plan_bool(p, "resume"))
        TRY(describe_resume(d, &a, plan_str(p, "vm"), &args));
    args.run = run_of_plan(p);
    struct error *e = hostd_vm_start(d->hostd, &args, &a, &result);

    if (e)
        return from_host(d->store, e);
    plan_set_str(p, "run", args.run);
    plan_set_int(p, "domid", result.domid);
    plan_set_str(p, "kind", result.kind);
    plan_set_str(p, "record", result.record);
    return NULL;
}

struct error *domain_find(struct plan *p, const struct host_domain_rec **ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_query_args args = {.uuid = plan_str(p, "uuid")};
    struct host_vm_query_result r;

    TRY(from_host(d->store, hostd_vm_query(d->hostd, &args, plan_arena(p), &r)));
    *ret = r.found && r.domains.n ? &r.domains.v[0] : NULL;
    return NULL;
}

struct error *domain_started(struct plan *p, struct txn *t)
{
    struct vm_rec *vm;

    if (plan_bool(p, "resume"))
        return NULL;
    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    return guest_metrics_drop(t, vm); /* it has not run yet: these are of another run */
}

struct error *domain_run(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_unpause_args args = {.uuid = plan_str(p, "uuid")};

    if (plan_bool(p, "paused"))
        return NULL;
    return from_host(d->store, hostd_vm_unpause(d->hostd, &args, plan_arena(p), NULL));
}

struct error *domain_destroy(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_destroy_args args = {.uuid = plan_str(p, "uuid"), .run = ""};

    return from_host(d->store, hostd_vm_destroy(d->hostd, &args, plan_arena(p), NULL));
}

struct error *vm_plan(struct call *c, const struct plan_type *type, const char *ref,
                      enum vm_operations op, struct plan **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    struct plan *p = plan_begin(c, type);

    plan_set_str(p, "vm", vm->self);
    plan_set_str(p, "uuid", vm->uuid);
    *ret = p;
    return plan_mark(p, c->txn, CLASS_VM, vm->self, (int)op);
}
