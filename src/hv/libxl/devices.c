/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and interfaces that come and go. */
#include "base/mem.h"
#include "base/world.h"
#include "hv/libxl/config.h"
#include "hv/libxl/xl.h"

#include <errno.h>

/* ---- what start says ---- */

static struct hv_disk *find_disk(struct xdom *d, int device)
{
    for (size_t i = 0; i < d->start.n_disks; i++) {
        if (d->start.disks[i].device == device)
            return (struct hv_disk *)(uintptr_t)&d->start.disks[i];
    }
    return NULL;
}

static struct hv_nic *find_nic(struct xdom *d, int device)
{
    for (size_t i = 0; i < d->start.n_nics; i++) {
        if (d->start.nics[i].device == device)
            return (struct hv_nic *)(uintptr_t)&d->start.nics[i];
    }
    return NULL;
}

/* disk NULL: without the one at `device`. */
static struct error *note_disk(struct xdom *d, int device, const struct hv_disk *disk)
{
    struct hv_disk *all = xnew_array(struct hv_disk, d->start.n_disks + 1);
    struct hv_start now = d->start;
    size_t n = 0;

    for (size_t i = 0; i < d->start.n_disks; i++) {
        if (d->start.disks[i].device != device)
            all[n++] = d->start.disks[i];
    }
    if (disk)
        all[n++] = *disk;
    now.disks = all;
    now.n_disks = n;
    pthread_mutex_lock(&d->xl->lock);
    xdom_keep_start(d, &now);
    pthread_mutex_unlock(&d->xl->lock);
    free(all);
    return xdom_write(d);
}

static struct error *note_nic(struct xdom *d, int device, const struct hv_nic *nic)
{
    struct hv_nic *all = xnew_array(struct hv_nic, d->start.n_nics + 1);
    struct hv_start now = d->start;
    size_t n = 0;

    for (size_t i = 0; i < d->start.n_nics; i++) {
        if (d->start.nics[i].device != device)
            all[n++] = d->start.nics[i];
    }
    if (nic)
        all[n++] = *nic;
    now.nics = all;
    now.n_nics = n;
    pthread_mutex_lock(&d->xl->lock);
    xdom_keep_start(d, &now);
    pthread_mutex_unlock(&d->xl->lock);
    free(all);
    return xdom_write(d);
}

/* ---- disks ---- */

struct error *xl_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;
    libxl_device_disk xd;

    TRY(xdom_enter_live(hv, uuid, &d));
    const struct hv_disk *there = find_disk(d, disk->device);

    if (there && streq(there->vdi, disk->vdi))
        return NULL;
    if (there)
        return error_text("domain %s has a disk %d already", uuid, disk->device);
    xl_config_disk(XENOLITH_LIBEXEC, d->start.kind, disk, &xd);
    struct error *e =
        xl_check(libxl_device_disk_add(d->xl->ops->ctx, (uint32_t)d->domid, &xd, NULL),
                 "cannot add the disk");

    libxl_device_disk_dispose(&xd);
    return e ? e : note_disk(d, disk->device, disk);
}

/* libxl waits some seconds for the guest; we wait as long as our caller does. */
static struct error *remove_disk(struct xdom *d, const struct hv_disk *disk, int64_t deadline)
{
    char device[16];
    int rc;

    snprintf(device, sizeof(device), "%d", disk->device);
    do {
        libxl_device_disk xd;

        xl_config_disk(XENOLITH_LIBEXEC, d->start.kind, disk, &xd);
        rc = libxl_device_disk_safe_remove(d->xl->ops->ctx, (uint32_t)d->domid, &xd, NULL);
        libxl_device_disk_dispose(&xd);
        if (rc && rc != ERROR_TIMEDOUT)
            return xl_check(rc, "cannot remove the disk");
    } while (rc && mono_us() < deadline);
    return rc ? error_api("DEVICE_DETACH_TIMEOUT", 2, "VBD", device) : NULL;
}

struct error *xl_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    const struct hv_disk *disk = find_disk(d, device);

    if (!disk)
        return NULL;
    TRY(remove_disk(d, disk, mono_us() + timeout_us));
    TRY(note_disk(d, device, NULL));
    pthread_mutex_lock(&d->xl->lock);
    xdom_emit(d, HV_EVENT_DISK_GONE, device);
    pthread_mutex_unlock(&d->xl->lock);
    return NULL;
}

/* libxl_cdrom_insert changes xenstore as well, at which the device model of Debian 12 dies when its
 * drive began empty; so it is told itself. It is silent unless something is wrong. */
static struct error *tell_model(struct xdom *d, const char *command)
{
    _cleanup_free_ char *said = NULL;

    TRY(xl_check(
        libxl_qemu_monitor_command(d->xl->ops->ctx, (uint32_t)d->domid, command, &said, NULL),
        "cannot reach the device model"));
    return str_empty(said) ? NULL : error_text("cannot change the medium: %s", said);
}

static struct error *put_medium(struct xdom *d, const struct hv_disk *disk)
{
    unsigned drive = xl_devid(disk->device);
    _cleanup_free_ char *take = xasprintf("eject -f ide-%u", drive);
    _cleanup_free_ char *put = xasprintf("change ide-%u %s raw read-only", drive, disk->path);

    return tell_model(d, str_empty(disk->vdi) ? take : put);
}

struct error *xl_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    const struct hv_disk *drive = find_disk(d, disk->device);

    if (!drive || drive->type != HV_CD)
        return error_text("domain %s has no optical drive %d", uuid, disk->device);
    if (streq(drive->vdi, disk->vdi))
        return NULL;
    if (d->start.kind != HV_KIND_HVM)
        return error_text("a paravirtual guest's medium cannot be changed");
    TRY(put_medium(d, disk));
    return note_disk(d, disk->device, disk);
}

/* ---- interfaces ---- */

struct error *xl_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;
    libxl_device_nic xn;

    TRY(xdom_enter_live(hv, uuid, &d));
    if (find_nic(d, nic->device))
        return NULL;
    xl_config_nic(XENOLITH_LIBEXEC, d->start.kind, nic, &xn);
    struct error *e = xl_check(libxl_device_nic_add(d->xl->ops->ctx, (uint32_t)d->domid, &xn, NULL),
                               "cannot add the interface");

    libxl_device_nic_dispose(&xn);
    return e ? e : note_nic(d, nic->device, nic);
}

static struct error *remove_nic(struct xdom *d, const struct hv_nic *nic)
{
    libxl_device_nic xn;
    char device[16];

    snprintf(device, sizeof(device), "%d", nic->device);
    xl_config_nic(XENOLITH_LIBEXEC, d->start.kind, nic, &xn);
    int rc = libxl_device_nic_remove(d->xl->ops->ctx, (uint32_t)d->domid, &xn, NULL);

    libxl_device_nic_dispose(&xn);
    return rc == ERROR_TIMEDOUT ? error_api("DEVICE_DETACH_TIMEOUT", 2, "VIF", device)
                                : xl_check(rc, "cannot remove the interface");
}

struct error *xl_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    const struct hv_nic *nic = find_nic(d, device);

    if (!nic)
        return NULL;
    TRY(remove_nic(d, nic));
    TRY(note_nic(d, device, NULL));
    pthread_mutex_lock(&d->xl->lock);
    xdom_emit(d, HV_EVENT_NIC_GONE, device);
    pthread_mutex_unlock(&d->xl->lock);
    return NULL;
}
