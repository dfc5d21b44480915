/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rows of a VM and its devices say when a domain runs, is saved, or is gone. */
#include "api/vm/domain.h"
#include "api/vm/guest_metrics.h"
#include "base/world.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/console_txn.h"
#include "gen/class/host_txn.h"
#include "rules/devices.h"
#include "rules/lookup.h"
#include "rules/ops.h"
#include "rules/vm_tables.h"

struct error *vm_metrics_edit(struct txn *t, struct vm_rec *vm, struct vm_metrics_rec **ret)
{
    if (txn_find_vm_metrics(t, vm->metrics))
        return txn_edit_vm_metrics(t, vm->metrics, ret);
    *ret = txn_new_vm_metrics(t);
    vm->metrics = (*ret)->self;
    return NULL;
}

/* Plugged or not; a reserved device is one whose VM is about to use it. */
static struct error *set_attached(struct txn *t, const struct vm_rec *vm, bool attached)
{
    const struct vm_inv *inv = txn_inv_vm(t, vm);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        struct vbd_rec *vbd;

        TRY(txn_edit_vbd(t, inv->VBDs.v[i], &vbd));
        vbd->currently_attached = attached;
        vbd->reserved = false;
        if (attached && !*vbd->device)
            vbd->device =
                vbd_device_name(txn_arena(t), (int)device_number(vbd->userdevice), vbd->type, true);
    }
    for (size_t i = 0; i < inv->VIFs.n; i++) {
        struct vif_rec *vif;

        TRY(txn_edit_vif(t, inv->VIFs.v[i], &vif));
        vif->currently_attached = attached;
        vif->reserved = false;
    }
    return NULL;
}

static struct console_rec *console_of(struct txn *t, const struct vm_inv *inv,
                                      enum console_protocol protocol)
{
    for (size_t i = 0; i < inv->consoles.n; i++) {
        const struct console_rec *c = txn_find_console(t, inv->consoles.v[i]);
        struct console_rec *edit;

        if (c && c->protocol == (int)protocol) {
            struct error *e = txn_edit_console(t, c->self, &edit);

            if (!e)
                return edit;
            error_free(e);
        }
    }
    return NULL;
}

static void make_console(struct daemon *d, struct txn *t, const struct vm_rec *vm,
                         enum console_protocol protocol)
{
    const struct host_rec *host = txn_find_host(t, d->host_ref);
    struct console_rec *c = console_of(t, txn_inv_vm(t, vm), protocol);

    if (!c)
        c = txn_new_console(t);
    c->VM = vm->self;
    c->protocol = (int)protocol;
    c->location = host && *host->address ? arena_printf(txn_arena(t), "https://%s/console?uuid=%s",
                                                        host->address, c->uuid)
                                         : "";
}

/* What hostd made of it. A plan that found its domain running knows no more than the rows. */
static enum domain_type type_of_run(const struct plan *p, struct txn *t, const struct vm_rec *vm)
{
    const char *kind = plan_str(p, "kind");

    if (!*kind)
        return (enum domain_type)vm_domain_type(txn_view(t), vm);
    return streq(kind, "pv")    ? DOMAIN_TYPE_PV
           : streq(kind, "pvh") ? DOMAIN_TYPE_PVH
                                : DOMAIN_TYPE_HVM;
}

static struct error *note_start(struct txn *t, struct vm_rec *vm, enum domain_type type,
                                bool resumed)
{
    struct vm_metrics_rec *m;

    TRY(vm_metrics_edit(t, vm, &m));
    if (!resumed || !m->start_time)
        m->start_time = now_s();
    m->last_updated = now_s();
    m->memory_actual = vm->memory_dynamic_max;
    m->VCPUs_number = vm->VCPUs_at_startup;
    m->hvm = type == DOMAIN_TYPE_HVM;
    m->current_domain_type = (int)type;
    return NULL;
}

struct error *vm_now_running(struct plan *p, struct txn *t)
{
    struct daemon *d = plan_daemon(p);
    bool resumed = plan_bool(p, "resume");
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    vm->power_state = plan_bool(p, "paused") ? VM_POWER_STATE_PAUSED : VM_POWER_STATE_RUNNING;
    vm->resident_on = d->host_ref;
    vm->domid = plan_int(p, "domid");
    vm->run = arena_strdup(txn_arena(t), plan_str(p, "run"));
    enum domain_type type = type_of_run(p, t, vm);

    vm->memory_target = vm->memory_dynamic_max;
    if (*plan_str(p, "record"))
        vm->launch_record = arena_strdup(txn_arena(t), plan_str(p, "record"));
    TRY(note_start(t, vm, type, resumed));
    TRY(set_attached(t, vm, true));
    if (type == DOMAIN_TYPE_HVM)
        make_console(d, t, vm, CONSOLE_PROTOCOL_RFB); /* the others have no display */
    make_console(d, t, vm, CONSOLE_PROTOCOL_VT100);
    return NULL;
}

struct error *vm_edit_live(struct plan *p, struct txn *t, struct vm_rec **ret)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, plan_str(p, "vm"), &vm));
    if (!vm_is_live(vm))
        return vm_bad_power_state(vm, VM_STATE(RUNNING) | VM_STATE(PAUSED));
    *ret = vm;
    return NULL;
}

struct error *vm_reset_rows(struct daemon *d, struct txn *t, const char *ref,
                            enum vm_power_state state)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(t, ref, &vm));
    vm->power_state = state;
    vm->resident_on = REF_NULL;
    vm->scheduled_to_be_resident_on = REF_NULL;
    vm->domid = -1;
    vm->run = "";
    const struct vm_inv *inv = txn_inv_vm(t, vm);

    for (size_t i = 0; i < inv->consoles.n; i++)
        TRY(txn_delete_console(t, inv->consoles.v[i]));
    if (state == VM_POWER_STATE_SUSPENDED)
        return NULL; /* its devices stay reserved for the resume */
    vm->requires_reboot = false;
    vm->memory_target = 0;
    vm->launch_record = "";
    TRY(guest_metrics_drop(t, vm));
    return set_attached(t, vm, false);
}

struct error *vm_now_halted(struct plan *p, struct txn *t)
{
    return vm_reset_rows(plan_daemon(p), t, plan_str(p, "vm"), VM_POWER_STATE_HALTED);
}
