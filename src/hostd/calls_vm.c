/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bodies of the domain calls: life and state. A call that changes a VM has the VM's turn, which
 * keeps its disks (guests.h) and its domain (hv.h) in step; vm_destroy ends the domain first, so
 * that a call that hangs on it fails and gives the turn up.
 */
#include "base/uuid.h"
#include "gen/errors.h"
#include "hostd/calls.h"
#include "hostd/guests.h"
#include "hostd/machine.h"
#include "hostd/memory_vdi.h"
#include "hv/hv.h"
#include "proto/server.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct error *check_uuid(const char *what, const char *uuid)
{
    return uuid_is_plain(uuid) ? NULL : err_invalid_value(what, uuid);
}

struct error *check_vm_and_run(const char *vm, const char *run)
{
    TRY(check_uuid("uuid", vm));
    return *run ? check_uuid("run", run) : NULL;
}

int small_number(int64_t n)
{
    return n < 0 || n > 100000 ? -1 : (int)n;
}

int name_index(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (streq(names[i], name))
            return i;
    }
    return -1;
}

/* ---- start ---- */

static const char *const firmware_names[HV_FIRMWARE_MAX] = {"bios", "uefi", "direct"};

/* A kernel or ramdisk by its plain name in one of the boot directories. */
static struct error *find_boot_file(struct host_call *c, const char *name, const char **ret)
{
    const struct machine *m = host_call_ctx(c);
    const char *own = arena_printf(host_call_arena(c), "%s/boot", m->state_dir);
    const char *const dirs[] = {own, "/boot"};
    struct stat st;

    if (!*name || name[0] == '.' || strchr(name, '/'))
        return err_invalid_value("kernel", name);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        const char *path = arena_printf(host_call_arena(c), "%s/%s", dirs[i], name);

        /* A link could lead out of the directory. */
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0) {
            *ret = path;
            return NULL;
        }
    }
    return error_errno(ENOENT, "no file %s in the boot directories", name);
}

static struct error *set_boot(struct host_call *c, const struct host_vm_start_args *a,
                              struct hv_start *p)
{
    const struct machine *m = host_call_ctx(c);
    int firmware = name_index(firmware_names, HV_FIRMWARE_MAX, a->firmware);
    int kind = name_index(hv_kind_names, HV_KIND_MAX, a->kind);

    if (firmware < 0)
        return err_invalid_value("firmware", a->firmware);
    if (kind < 0)
        return err_invalid_value("kind", a->kind);
    /* Without Xen a paravirtualised guest's kernel starts in a whole machine. */
    p->kind = hv_probe(m->hv)->features & HV_CAN_PV ? (enum hv_kind)kind : HV_KIND_HVM;
    p->firmware = p->kind == HV_KIND_HVM ? (enum hv_firmware)firmware : HV_FIRMWARE_DIRECT;
    p->kernel = p->ramdisk = "";
    if (p->firmware != HV_FIRMWARE_DIRECT || (p->kind != HV_KIND_HVM && !*a->kernel))
        return NULL;
    TRY(find_boot_file(c, a->kernel, &p->kernel));
    return *a->ramdisk ? find_boot_file(c, a->ramdisk, &p->ramdisk) : NULL;
}

struct error *drive_of(const struct host_disk_rec *d, struct guest_drive *ret)
{
    if (*d->vdi || *d->sr) {
        TRY(check_uuid("sr", d->sr));
        TRY(check_uuid("vdi", d->vdi));
    }
    if (d->device < 0 || d->device > HV_MAX_DEVICE)
        return err_invalid_device("out of range");
    *ret = (struct guest_drive){.device = (int)d->device,
                                .sr = d->sr,
                                .vdi = d->vdi,
                                .cd = d->cd,
                                .read_only = d->read_only || d->cd};
    return NULL;
}

struct hv_disk hv_disk_of(const struct host_disk_rec *d, const struct guest_disk *opened)
{
    return (struct hv_disk){
        .device = (int)d->device,
        .vdi = d->vdi,
        .type = d->cd ? HV_CD : HV_DISK,
        .read_only = d->read_only || d->cd,
        .bootable = d->bootable,
        .blockdevs = (const char *const *)opened->blockdev,
        .n_blockdevs = opened->n,
        .node = opened->node,
        .path = opened->path,
    };
}

struct error *hv_nic_of(struct machine *m, const char *vm, const struct host_nic_rec *n,
                        struct hv_nic *ret)
{
    struct net_port_spec spec = {.vm = vm,
                                 .device = (int)n->device,
                                 .bridge = n->bridge,
                                 .mac = n->mac,
                                 .disabled = streq(n->locking, "disabled")};
    struct net_port port;

    if (n->device < 0 || n->device >= HV_MAX_NICS)
        return err_invalid_device("out of range");
    if (*n->locking && !spec.disabled)
        return err_invalid_value("nic.locking", n->locking);
    TRY(net_port(m->net, &spec, &port));
    *ret = (struct hv_nic){
        .device = (int)n->device,
        .mac = n->mac,
        .net = port.kind == NET_PORT_USER     ? HV_NET_USER
               : port.kind == NET_PORT_TAP    ? HV_NET_TAP
               : port.kind == NET_PORT_BRIDGE ? HV_NET_BRIDGE
                                              : HV_NET_NONE,
        .tap_fd = port.tap_fd,
        .bridge = n->bridge,
        .mtu = n->mtu >= 0 && n->mtu <= 65535 ? (int)n->mtu : -1,
    };
    return NULL;
}

static void close_taps(struct hv_nic *nics, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (nics[i].net == HV_NET_TAP)
            cleanup_close(&nics[i].tap_fd);
    }
}

static const struct hv_pair *pairs_of(struct arena *a, const struct map_string_string *m)
{
    struct hv_pair *all = arena_array(a, struct hv_pair, m->n);

    for (size_t i = 0; i < m->n; i++)
        all[i] = (struct hv_pair){m->k[i], m->v[i]};
    return all;
}

/* With its memory coming from a VDI if so asked. */
static struct error *start_domain(struct host_call *c, const struct host_vm_start_args *a,
                                  struct hv_start *p, struct hv_started *ret)
{
    struct machine *m = host_call_ctx(c);
    struct memory_move *memory = NULL;

    p->resume_fd = -1;
    if (*a->suspend_vdi)
        TRY(memory_load_start(m, a->suspend_sr, a->suspend_vdi, a->uuid, &p->resume_fd, &memory));
    struct error *e = hv_start(m->hv, p, host_call_arena(c), ret);

    cleanup_close(&p->resume_fd);
    struct error *moved = memory_move_end(memory, false);

    /* A hypervisor that stopped reading explains the failure; a broken pipe does not. */
    if (e || !moved) {
        error_free(moved);
        return e;
    }
    IGNORE_ERROR(hv_destroy(m->hv, a->uuid));
    return moved;
}

static struct error *start_with_drives(struct host_call *c, const struct host_vm_start_args *a,
                                       struct hv_start *p, struct hv_started *ret)
{
    struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);
    size_t n = a->disks.n;
    struct guest_drive *drives = arena_array(arena, struct guest_drive, n);
    struct guest_disk *opened = arena_array(arena, struct guest_disk, n);
    struct hv_disk *disks = arena_array(arena, struct hv_disk, n);

    for (size_t i = 0; i < n; i++)
        TRY(drive_of(&a->disks.v[i], &drives[i]));
    TRY(guest_begin(m, a->uuid, a->run, drives, n, opened));
    for (size_t i = 0; i < n; i++)
        disks[i] = hv_disk_of(&a->disks.v[i], &opened[i]);
    p->disks = disks;
    p->n_disks = n;
    struct error *e = start_domain(c, a, p, ret);

    for (size_t i = 0; i < n; i++)
        guest_disk_fini(&opened[i]);
    if (!e)
        e = guest_runs(m, a->uuid);
    if (e) {
        IGNORE_ERROR(hv_destroy(m->hv, a->uuid));
        guest_end(m, a->uuid);
    }
    return e;
}

static struct error *start_new(struct host_call *c, const struct host_vm_start_args *a,
                               struct hv_start *p, struct hv_started *ret)
{
    struct machine *m = host_call_ctx(c);
    struct hv_nic *nics = arena_array(host_call_arena(c), struct hv_nic, a->nics.n);
    struct error *e = NULL;
    size_t n = 0;

    /* What a domain that ended without us left behind. */
    guest_end(m, a->uuid);
    while (!e && n < a->nics.n) {
        e = hv_nic_of(m, a->uuid, &a->nics.v[n], &nics[n]);
        n += !e;
    }
    p->nics = nics;
    p->n_nics = n;
    if (!e)
        e = start_with_drives(c, a, p, ret);
    close_taps(nics, n);
    return e;
}

/* There is a domain. Only one that never ran is no obstacle; hv_start knows. It is this run, or
 * what another start left behind. */
static struct error *start_again(struct host_call *c, const struct host_vm_start_args *a,
                                 struct hv_start *p, struct hv_started *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(hv_start(m->hv, p, host_call_arena(c), ret));
    if (streq(guest_run(m, a->uuid).s, a->run))
        return guest_runs(m, a->uuid);
    TRY(hv_destroy(m->hv, a->uuid));
    return start_new(c, a, p, ret);
}

struct error *host_vm_start(struct host_call *c, const struct host_vm_start_args *a,
                            struct host_vm_start_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct hv_start p = {
        .uuid = a->uuid,
        .name = a->name,
        .memory_max = a->memory_max,
        .memory_target = a->memory_target,
        .vcpus_max = small_number(a->vcpus_max),
        .vcpus = small_number(a->vcpus),
        .boot_order = a->boot_order,
        .cmdline = a->cmdline,
        .on_reboot = a->restart_on_reboot ? HV_ACTION_RESTART : HV_ACTION_STOP,
        .platform = pairs_of(host_call_arena(c), &a->platform),
        .n_platform = a->platform.n,
        .scheduling = pairs_of(host_call_arena(c), &a->scheduling),
        .n_scheduling = a->scheduling.n,
        .record = a->record,
        .resume_fd = -1,
    };
    struct hv_started started;
    struct hv_domain d;

    TRY(check_vm_and_run(a->uuid, a->run));
    if (a->disks.n > HV_MAX_DISKS || a->nics.n > HV_MAX_NICS)
        return err_invalid_value("devices", "too many");
    if (*a->suspend_vdi || *a->suspend_sr) {
        TRY(check_uuid("suspend_sr", a->suspend_sr));
        TRY(check_uuid("suspend_vdi", a->suspend_vdi));
    }
    TRY(set_boot(c, a, &p));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);
    struct error *absent = hv_query(m->hv, a->uuid, host_call_arena(c), &d);

    if (absent) {
        error_free(absent);
        TRY(start_new(c, a, &p, &started));
    } else {
        TRY(start_again(c, a, &p, &started));
    }
    *ret = (struct host_vm_start_result){
        .domid = started.domid, .kind = hv_kind_names[p.kind], .record = started.record};
    return NULL;
}

/* ---- state ---- */

struct error *host_vm_unpause(struct host_call *c, const struct host_vm_unpause_args *a,
                              struct host_vm_unpause_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    return hv_unpause(m->hv, a->uuid);
}

struct error *host_vm_pause(struct host_call *c, const struct host_vm_pause_args *a,
                            struct host_vm_pause_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    return hv_pause(m->hv, a->uuid);
}

struct error *host_vm_signal(struct host_call *c, const struct host_vm_signal_args *a,
                             struct host_vm_signal_result *ret)
{
    static const char *const names[HV_SIGNAL_MAX] = {"poweroff", "reboot", "nmi"};
    struct machine *m = host_call_ctx(c);
    int signal = name_index(names, HV_SIGNAL_MAX, a->signal);

    TRY(check_uuid("uuid", a->uuid));
    if (signal < 0)
        return err_invalid_value("signal", a->signal);
    return hv_signal(m->hv, a->uuid, (enum hv_signal)signal);
}

struct error *host_vm_reset(struct host_call *c, const struct host_vm_reset_args *a,
                            struct host_vm_reset_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    return hv_reset(m->hv, a->uuid);
}

struct error *host_vm_destroy(struct host_call *c, const struct host_vm_destroy_args *a,
                              struct host_vm_destroy_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_vm_and_run(a->uuid, a->run));
    if (!*a->run)
        TRY(hv_destroy(m->hv, a->uuid));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    if (*a->run && !streq(guest_run(m, a->uuid).s, a->run))
        return NULL; /* that one is gone */
    /* A start that was under way may have finished meanwhile. */
    TRY(hv_destroy(m->hv, a->uuid));
    guest_end(m, a->uuid);
    return NULL;
}

struct error *host_vm_forget(struct host_call *c, const struct host_vm_forget_args *a,
                             struct host_vm_forget_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    return hv_forget(m->hv, a->uuid);
}

/* The domain ends when its memory is known to be whole on the disk, and runs on if it is not. */
static struct error *suspend(struct machine *m, const struct host_vm_suspend_args *a,
                             bool was_running)
{
    struct memory_move *memory;
    int64_t max;
    int fd;

    TRY(memory_save_start(m, a->sr, a->vdi, a->uuid, &fd, &max, &memory));
    struct error *e = hv_suspend(m->hv, a->uuid, fd, max);

    cleanup_close(&fd);
    struct error *moved = memory_move_end(memory, !e);

    if (e) {
        error_free(moved);
        return e;
    }
    if (moved && was_running)
        IGNORE_ERROR(hv_unpause(m->hv, a->uuid));
    return moved ? moved : hv_destroy(m->hv, a->uuid);
}

/* A call before this one may have saved it, and then hostd died; or not have come so far. */
static struct error *suspend_again(struct machine *m, const struct host_vm_suspend_args *a,
                                   const struct hv_domain *d)
{
    bool saved = false;

    if (d->state == HV_PAUSED)
        IGNORE_ERROR(memory_is_saved(m, a->sr, a->vdi, a->uuid, &saved));
    return saved ? hv_destroy(m->hv, a->uuid) : suspend(m, a, d->state == HV_RUNNING);
}

struct error *host_vm_suspend(struct host_call *c, const struct host_vm_suspend_args *a,
                              struct host_vm_suspend_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct hv_domain d;
    bool saved = false;

    TRY(check_uuid("uuid", a->uuid));
    TRY(check_uuid("sr", a->sr));
    TRY(check_uuid("vdi", a->vdi));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);
    struct error *absent = hv_query(m->hv, a->uuid, host_call_arena(c), &d);

    if (absent) {
        struct error *e = memory_is_saved(m, a->sr, a->vdi, a->uuid, &saved);

        if (e || !saved) {
            error_free(e);
            return absent;
        }
        error_free(absent);
    } else {
        TRY(suspend_again(m, a, &d));
    }
    guest_end(m, a->uuid);
    return NULL;
}

/* ---- asking ---- */

static struct host_domain_rec domain_rec(struct machine *m, struct arena *a,
                                         const struct hv_domain *d)
{
    int64_t *disks = arena_array(a, int64_t, d->n_disks),
            *nics = arena_array(a, int64_t, d->n_nics);

    for (size_t i = 0; i < d->n_disks; i++)
        disks[i] = d->disks[i];
    for (size_t i = 0; i < d->n_nics; i++)
        nics[i] = d->nics[i];
    return (struct host_domain_rec){
        .uuid = d->uuid,
        .domid = d->domid,
        .run = arena_strdup(a, guest_run(m, d->uuid).s),
        .state = hv_state_names[d->state],
        .stop = hv_stop_names[d->stop],
        .started = d->started,
        .memory_max = d->memory_max,
        .memory_actual = d->memory_actual,
        .vcpus = d->vcpus,
        .vcpus_max = d->vcpus_max,
        .disks = {.n = d->n_disks, .v = disks},
        .nics = {.n = d->n_nics, .v = nics},
    };
}

struct error *host_vm_list(struct host_call *c, const struct host_vm_list_args *a,
                           struct host_vm_list_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);
    struct hv_domain *all;
    size_t n;

    TRY(hv_list(m->hv, arena, &all, &n));
    struct host_domain_rec *recs = arena_array(arena, struct host_domain_rec, n);

    for (size_t i = 0; i < n; i++)
        recs[i] = domain_rec(m, arena, &all[i]);
    ret->domains.n = n;
    ret->domains.v = recs;
    return NULL;
}

struct error *host_vm_query(struct host_call *c, const struct host_vm_query_args *a,
                            struct host_vm_query_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);
    struct host_domain_rec *rec = arena_new(arena, struct host_domain_rec);
    struct hv_domain d;

    TRY(check_uuid("uuid", a->uuid));
    _cleanup_error_ struct error *e = hv_query(m->hv, a->uuid, arena, &d);

    if (error_is(e, "HANDLE_INVALID"))
        return NULL; /* found stays false */
    if (e)
        return TAKE_PTR(e);
    *rec = domain_rec(m, arena, &d);
    ret->found = true;
    ret->domains.n = 1;
    ret->domains.v = rec;
    return NULL;
}

struct error *host_vm_guest_info(struct host_call *c, const struct host_vm_guest_info_args *a,
                                 struct host_vm_guest_info_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);
    struct hv_pair *pairs;
    size_t n;

    TRY(check_uuid("uuid", a->uuid));
    TRY(hv_guest_info(m->hv, a->uuid, arena, &pairs, &n));
    const char **k = arena_array(arena, const char *, n), **v = arena_array(arena, const char *, n);

    for (size_t i = 0; i < n; i++) {
        k[i] = pairs[i].key;
        v[i] = pairs[i].value;
    }
    ret->info = (struct map_string_string){.n = n, .k = k, .v = v};
    return NULL;
}

struct error *host_vm_console(struct host_call *c, const struct host_vm_console_args *a,
                              struct host_vm_console_result *ret)
{
    static const char *const names[HV_CONSOLE_MAX] = {"serial", "vnc"};
    struct machine *m = host_call_ctx(c);
    int kind = name_index(names, HV_CONSOLE_MAX, a->kind);
    int fd;

    TRY(check_uuid("uuid", a->uuid));
    if (kind < 0)
        return err_invalid_value("kind", a->kind);
    TRY(hv_console(m->hv, a->uuid, (enum hv_console)kind, &fd));
    host_call_give_fd(c, fd);
    return NULL;
}

struct error *host_vm_control(struct host_call *c, const struct host_vm_control_args *a,
                              struct host_vm_control_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return hv_control(m->hv, a->command, host_call_arena(c), &ret->answer);
}
