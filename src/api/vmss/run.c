/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A schedule runs: a snapshot of each of its VMs, side by side, then the oldest of its snapshots go
 * until as many are left as it keeps. One VM that fails does not keep the others from it.
 */
#include "api/chores.h"
#include "api/common/subcall.h"
#include "api/message/post.h"
#include "api/vmss/plans.h"
#include "api/vmss/vmss.h"
#include "base/log.h"
#include "base/world.h"
#include "gen/alerts.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VMSS_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/msg/VDI.h"
#include "gen/msg/VM.h"
#include "gen/msg/VMSS.h"
#include "rpc/call.h"
#include "task/engine.h"

#include <stdlib.h>
#include <time.h>

/* A moment that was missed by more (the daemon was off) is gone: the next one will do. */
#define GRACE_S    600
#define NAME_LIMIT 256

/*
 * Plan state: vmss, vms: [VM], checkpoint, names: {VM: name of its snapshot}, keep
 */

static struct txn *look(struct plan *p)
{
    return txn_new(plan_daemon(p)->store, plan_arena(p));
}

static enum subcall_state take(struct plan *p, const char *vm)
{
    const char *name = json_string_value(json_object_get(plan_json(p, "names"), vm));
    const struct vm_snapshot_args snapshot = {.vm = vm, .new_name = name};
    const struct vm_checkpoint_args checkpoint = {.vm = vm, .new_name = name};

    if (plan_bool(p, "checkpoint"))
        return subcall_begin(p, vm, "VM.checkpoint", &checkpoint);
    return subcall_begin(p, vm, "VM.snapshot", &snapshot);
}

/* By name, not marked yet: one that an earlier program took is not taken again. */
static const struct vm_rec *find_snapshot(struct plan *p, struct txn *t, const char *vm_ref)
{
    const char *name = json_string_value(json_object_get(plan_json(p, "names"), vm_ref));
    const struct vm_rec *vm = txn_find_vm(t, vm_ref);
    const struct set_ref *snapshots = vm ? &txn_inv_vm(t, vm)->snapshots : NULL;

    for (size_t i = 0; snapshots && i < snapshots->n; i++) {
        const struct vm_rec *s = txn_find_vm(t, snapshots->v[i]);

        if (s && !s->is_vmss_snapshot && streq(s->name_label, name))
            return s;
    }
    return NULL;
}

static struct error *take_all(struct plan *p)
{
    _cleanup_txn_ struct txn *t = look(p);
    bool busy = false;
    size_t i;
    json_t *vm;

    json_array_foreach (plan_json(p, "vms"), i, vm) {
        const char *ref = json_string_value(vm);
        enum subcall_state s = subcall_state(p, ref);

        if (s == SUBCALL_NONE && txn_find_vm(t, ref) && !find_snapshot(p, t, ref)) {
            s = take(p, ref);
            busy = busy || s == SUBCALL_NONE;
        }
        busy = busy || s == SUBCALL_RUNS;
    }
    return busy ? subcall_wait(p) : NULL;
}

static struct error *tell(struct txn *t, const struct vmss_rec *vmss, bool ok, const char *vm)
{
    const struct message_text m = {
        .name = ok ? ALERT_VMSS_SNAPSHOT_SUCCEEDED : ALERT_VMSS_SNAPSHOT_FAILED,
        .priority = ok ? 5 : 3,
        .cls = CLS_VMSS,
        .uuid = vmss->uuid,
        .body = arena_printf(txn_arena(t), "%s: %s", vmss->name_label, vm),
    };

    return message_post(t, &m, NULL);
}

static void tell_caller(struct plan *p, const struct str *failed)
{
    _cleanup_free_ char *text = NULL;

    if (failed->len)
        text = xasprintf("No snapshot of: %s", failed->s);
    plan_set_result(p, text ? text : "Success");
}

static struct error *mark_taken(struct plan *p, struct txn *t)
{
    const struct vmss_rec *vmss = txn_find_vmss(t, plan_str(p, "vmss"));
    _cleanup_str_ struct str failed = STR_INIT;
    size_t i;
    json_t *ref;

    json_array_foreach (plan_json(p, "vms"), i, ref) {
        const struct vm_rec *vm = txn_find_vm(t, json_string_value(ref));
        const struct vm_rec *taken = vm ? find_snapshot(p, t, vm->self) : NULL;
        struct vm_rec *edit;

        if (vm && vmss)
            TRY(tell(t, vmss, taken, vm->name_label));
        if (!taken) {
            if (vm)
                str_printf(&failed, "%s%s", failed.len ? ", " : "", vm->name_label);
            continue;
        }
        TRY(txn_edit_vm(t, taken->self, &edit));
        edit->is_vmss_snapshot = true;
    }
    tell_caller(p, &failed);
    return NULL;
}

static int by_time(const void *x, const void *y)
{
    const struct vm_rec *const *a = x, *const *b = y;

    return (*a)->snapshot_time < (*b)->snapshot_time ? -1
                                                     : (*a)->snapshot_time > (*b)->snapshot_time;
}

/* The oldest snapshot that the schedule took of the VM and keeps no longer. */
static const struct vm_rec *find_surplus(struct plan *p, struct txn *t, const char *ref)
{
    const struct vm_rec *vm = txn_find_vm(t, ref);
    const struct set_ref *all = vm ? &txn_inv_vm(t, vm)->snapshots : NULL;
    const struct vm_rec **ours =
        all ? arena_array(plan_arena(p), const struct vm_rec *, all->n) : NULL;
    size_t n = 0;

    for (size_t i = 0; all && i < all->n; i++) {
        const struct vm_rec *s = txn_find_vm(t, all->v[i]);

        if (s && s->is_vmss_snapshot && subcall_state(p, s->self) != SUBCALL_FAILED)
            ours[n++] = s;
    }
    if (n <= (size_t)plan_int(p, "keep"))
        return NULL;
    qsort(ours, n, sizeof(*ours), by_time);
    return ours[0];
}

/* First its disks, then itself: a disk whose VM is gone would be nobody's. */
static enum subcall_state remove_one(struct plan *p, struct txn *t, const struct vm_rec *snapshot)
{
    const struct vm_destroy_args destroy = {.self = snapshot->self};
    const struct set_ref *vbds = &txn_inv_vm(t, snapshot)->VBDs;
    enum subcall_state s;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(t, vbd->VDI) : NULL;
        const struct vdi_destroy_args args = {.self = vdi ? vdi->self : ""};

        if (!vdi)
            continue;
        s = subcall_state(p, vdi->self);
        if (s == SUBCALL_NONE)
            s = subcall_begin(p, vdi->self, "VDI.destroy", &args);
        if (s == SUBCALL_RUNS || s == SUBCALL_NONE)
            return SUBCALL_RUNS;
    }
    s = subcall_state(p, snapshot->self);
    return s == SUBCALL_NONE ? subcall_begin(p, snapshot->self, "VM.destroy", &destroy) : s;
}

static struct error *remove_surplus(struct plan *p)
{
    _cleanup_txn_ struct txn *t = look(p);
    bool busy = false;
    size_t i;
    json_t *vm;

    json_array_foreach (plan_json(p, "vms"), i, vm) {
        const struct vm_rec *surplus = find_surplus(p, t, json_string_value(vm));

        if (!surplus)
            continue;
        remove_one(p, t, surplus);
        busy = true; /* look again: it is gone, failed, or still going */
    }
    busy = busy || subcall_any_runs(p); /* the row of a VM goes before its removal has ended */
    return busy ? subcall_wait(p) : NULL;
}

static struct error *done(struct plan *p, struct txn *t)
{
    struct vmss_rec *vmss;

    if (txn_find_vmss(t, plan_str(p, "vmss"))) {
        TRY(txn_edit_vmss(t, plan_str(p, "vmss"), &vmss));
        vmss->last_run_time = now_s();
    }
    return subcall_forget_all(p, t);
}

static struct error *failed(struct plan *p, struct txn *t, const struct error *why)
{
    return subcall_forget_all(p, t);
}

static const struct plan_step steps[] = {
    {.name = "snapshots",
     .weight = 8,
     .act = take_all,
     .record = mark_taken,
     .undo = subcall_cancel_all},
    {.name = "remove the oldest", .weight = 2, .act = remove_surplus, .record = done},
};

const struct plan_type plan_vmss = {
    .name = "VMSS.run", .steps = steps, .n_steps = ARRAY_SIZE(steps), .failed = failed};

static const char *name_for(struct arena *a, const struct vmss_rec *vmss, const struct vm_rec *vm,
                            int64_t now)
{
    time_t seconds = (time_t)now;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
    return arena_printf(a, "%.*s-%.*s-%s", NAME_LIMIT, vmss->name_label, NAME_LIMIT, vm->name_label,
                        text);
}

static void fill(struct plan *p, struct txn *t, const struct vmss_rec *vmss)
{
    const struct set_ref *refs = &txn_inv_vmss(t, vmss)->VMs;
    json_t *vms = json_array(), *names = json_object();
    int64_t now = now_s();

    for (size_t i = 0; i < refs->n; i++) {
        const struct vm_rec *vm = txn_find_vm(t, refs->v[i]);

        if (!vm)
            continue;
        json_array_append_new(vms, json_string(vm->self));
        json_object_set_new(names, vm->self, json_string(name_for(txn_arena(t), vmss, vm, now)));
    }
    plan_set_str(p, "vmss", vmss->self);
    plan_set_json(p, "vms", vms);
    plan_set_json(p, "names", names);
    plan_set_bool(p, "checkpoint", vmss->type == VMSS_TYPE_CHECKPOINT);
    plan_set_int(p, "keep", vmss->retained_snapshots);
}

struct error *api_vmss_snapshot_now(struct call *c, const struct vmss_snapshot_now_args *a,
                                    const char **ret)
{
    const struct vmss_rec *vmss;

    TRY(txn_vmss(c->txn, a->vmss, &vmss));
    fill(plan_begin(c, &plan_vmss), c->txn, vmss);
    return NULL;
}

/* The moment is noted with the intent, so that it does not come twice. */
static struct error *run_if_due(struct daemon *d, const char *ref)
{
    _cleanup_arena_ struct arena a;
    struct vmss_rec *vmss;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_edit_vmss(t, ref, &vmss));
    int64_t now = now_s(), due = vmss_last_due(vmss, now);

    if (!vmss->enabled || due < 0 || due <= vmss->last_run_time || now - due > GRACE_S)
        return NULL;
    struct plan *p = plan_begin_internal(d, t, &plan_vmss, "VMSS.run");

    fill(p, t, vmss);
    vmss->last_run_time = now;
    log_info("schedule %s is due", vmss->uuid);
    return engine_commit(d->engine, t, p, "schedule is due");
}

struct error *api_run_schedules(struct daemon *d)
{
    _cleanup_arena_ struct arena a;
    const struct vmss_rec *const *all;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    size_t n = txn_all_vmss(t, &all);

    for (size_t i = 0; i < n; i++)
        log_and_free(LOG_WARNING, run_if_due(d, all[i]->self), "schedule %s", all[i]->uuid);
    return NULL;
}
