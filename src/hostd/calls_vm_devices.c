/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of the domain calls: memory, CPUs, disks and NICs of a domain that runs. */
#include "gen/errors.h"
#include "hostd/calls.h"
#include "hostd/machine.h"
#include "proto/server.h"

#define TIMEOUT_MAX_S 150

struct error *host_vm_set_memory(struct host_call *c, const struct host_vm_set_memory_args *a,
                                 struct host_vm_set_memory_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    return hv_set_memory(m->hv, a->uuid, a->target);
}

struct error *host_vm_set_vcpus(struct host_call *c, const struct host_vm_set_vcpus_args *a,
                                struct host_vm_set_vcpus_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    return hv_set_vcpus(m->hv, a->uuid, small_number(a->vcpus));
}

struct error *host_vm_set_scheduling(struct host_call *c,
                                     const struct host_vm_set_scheduling_args *a,
                                     struct host_vm_set_scheduling_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    return hv_set_scheduling(m->hv, a->uuid, a->key, a->value);
}

struct error *host_vm_set_on_reboot(struct host_call *c, const struct host_vm_set_on_reboot_args *a,
                                    struct host_vm_set_on_reboot_result *ret)
{
    struct machine *m = host_call_ctx(c);

    TRY(check_uuid("uuid", a->uuid));
    return hv_set_on_reboot(m->hv, a->uuid, a->restart ? HV_ACTION_RESTART : HV_ACTION_STOP);
}

/* With the VM's turn. In another run there is no such domain. */
static struct error *check_run(struct host_call *c, const char *uuid, const char *run)
{
    struct machine *m = host_call_ctx(c);
    struct hv_domain d;

    TRY(hv_query(m->hv, uuid, host_call_arena(c), &d));
    if (streq(guest_run(m, uuid).s, run))
        return NULL;
    return error_detail(err_handle_invalid("VM", uuid), "run %s has ended", run);
}

static bool has_device(const int *devices, size_t n, int device)
{
    for (size_t i = 0; i < n; i++) {
        if (devices[i] == device)
            return true;
    }
    return false;
}

/* The drive is on record and in the domain: the call was made before. */
static struct error *already_attached(struct host_call *c, const char *uuid,
                                      const struct guest_drive *drive, bool *ret)
{
    struct machine *m = host_call_ctx(c);
    struct guest_drive there;
    struct hv_domain d;

    *ret = false;
    TRY(hv_query(m->hv, uuid, host_call_arena(c), &d));
    if (has_device(d.disks, d.n_disks, drive->device) &&
        guest_find_drive(m, uuid, drive->device, host_call_arena(c), &there))
        *ret = streq(there.vdi, drive->vdi);
    return NULL;
}

struct error *host_vm_attach_disk(struct host_call *c, const struct host_vm_attach_disk_args *a,
                                  struct host_vm_attach_disk_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct guest_drive drive;
    struct guest_disk opened;
    bool done;

    TRY(drive_of(&a->disk, &drive));
    TRY(check_vm_and_run(a->uuid, a->run));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    TRY(check_run(c, a->uuid, a->run));
    TRY(already_attached(c, a->uuid, &drive, &done));
    if (done)
        return NULL;
    TRY(guest_add(m, a->uuid, &drive, &opened));
    struct hv_disk disk = hv_disk_of(&a->disk, &opened);
    struct error *e = hv_attach_disk(m->hv, a->uuid, &disk);

    guest_disk_fini(&opened);
    if (e)
        IGNORE_ERROR(guest_remove(m, a->uuid, drive.device, false));
    return e;
}

static int64_t timeout_us(int64_t seconds)
{
    return MAX(0, MIN(seconds, TIMEOUT_MAX_S)) * 1000000;
}

struct error *host_vm_detach_disk(struct host_call *c, const struct host_vm_detach_disk_args *a,
                                  struct host_vm_detach_disk_result *ret)
{
    struct machine *m = host_call_ctx(c);

    if (a->device < 0 || a->device > HV_MAX_DEVICE)
        return err_invalid_device("out of range");
    TRY(check_vm_and_run(a->uuid, a->run));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    TRY(check_run(c, a->uuid, a->run));
    TRY(hv_detach_disk(m->hv, a->uuid, (int)a->device, timeout_us(a->timeout)));
    return guest_remove(m, a->uuid, (int)a->device, false);
}

struct error *host_vm_change_media(struct host_call *c, const struct host_vm_change_media_args *a,
                                   struct host_vm_change_media_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct guest_drive now, old = {.sr = "", .vdi = ""};
    struct guest_disk opened = {0};

    TRY(drive_of(&a->disk, &now));
    TRY(check_vm_and_run(a->uuid, a->run));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    TRY(check_run(c, a->uuid, a->run));
    guest_find_drive(m, a->uuid, now.device, host_call_arena(c), &old);
    if (*now.vdi && !streq(now.vdi, old.vdi))
        TRY(guest_disk_open(m->storage, a->uuid, now.sr, now.vdi, false, false, &opened));
    struct hv_disk disk = hv_disk_of(&a->disk, &opened);
    struct error *e = hv_change_media(m->hv, a->uuid, &disk);

    guest_disk_fini(&opened);
    if (!e)
        return guest_replace(m, a->uuid, &old, &now);
    if (*now.vdi && !streq(now.vdi, old.vdi))
        IGNORE_ERROR(guest_disk_close(m->storage, a->uuid, now.sr, now.vdi));
    return e;
}

struct error *host_vm_attach_nic(struct host_call *c, const struct host_vm_attach_nic_args *a,
                                 struct host_vm_attach_nic_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct hv_nic nic;

    TRY(check_vm_and_run(a->uuid, a->run));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    TRY(check_run(c, a->uuid, a->run));
    TRY(hv_nic_of(m, a->uuid, &a->nic, &nic));
    struct error *e = hv_attach_nic(m->hv, a->uuid, &nic);

    if (nic.net == HV_NET_TAP)
        cleanup_close(&nic.tap_fd);
    return e;
}

struct error *host_vm_detach_nic(struct host_call *c, const struct host_vm_detach_nic_args *a,
                                 struct host_vm_detach_nic_result *ret)
{
    struct machine *m = host_call_ctx(c);

    if (a->device < 0 || a->device >= HV_MAX_NICS)
        return err_invalid_device("out of range");
    TRY(check_vm_and_run(a->uuid, a->run));
    _cleanup_turn_ struct held_turn turn = turn_take(&m->vms, a->uuid);

    TRY(check_run(c, a->uuid, a->run));
    return hv_detach_nic(m->hv, a->uuid, (int)a->device, timeout_us(a->timeout));
}
