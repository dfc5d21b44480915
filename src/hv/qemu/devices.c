/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks and NICs of a running guest. Block nodes that a disk description lists are added here; the
 * nodes of a disk that was detached stay, since a chain may have changed since: storage removes
 * them through QMP.
 */
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/argv.h"
#include "hv/qemu/record.h"

#include <errno.h>

static struct error *no_device(const char *class, int device)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", device);
    return error_detail(error_api("INVALID_DEVICE", 1, text), "%s %s has no place", class, text);
}

static struct error *record_locked(struct domain *d)
{
    pthread_mutex_lock(&d->qemu->lock);
    struct error *e = record_write(d);

    pthread_mutex_unlock(&d->qemu->lock);
    return e;
}

static struct error *add_nodes(struct domain *d, const struct hv_disk *disk)
{
    for (size_t i = 0; i < disk->n_blockdevs; i++) {
        json_t *node = json_loads(disk->blockdevs[i], 0, NULL);

        if (!json_is_object(node)) {
            json_decref(node);
            return error_text("block node of disk %d is not a JSON object", disk->device);
        }
        TRY(domain_qmp(d, "blockdev-add", node, NULL));
    }
    return NULL;
}

/* Backwards: the top node holds those under it. */
static void remove_nodes(struct domain *d, const struct hv_disk *disk)
{
    for (size_t i = disk->n_blockdevs; i-- > 0;) {
        _cleanup_json_ json_t *node = json_loads(disk->blockdevs[i], 0, NULL);
        const char *name = json_string_value(json_object_get(node, "node-name"));

        if (name)
            IGNORE_ERROR(domain_qmp(d, "blockdev-del", pack("{s:s}", "node-name", name), NULL));
    }
}

struct error *qemu_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    _cleanup_domain_ struct domain *d = NULL;
    bool cd = disk->type == HV_CD;

    TRY(domain_take_live(hv, uuid, &d));
    enum bus bus = disk_bus(&d->machine, disk->device, cd);

    if (bus == BUS_SATA)
        return no_device("VBD", disk->device);
    struct qdisk add = {.device = disk->device, .cd = cd, .bus = bus};

    snprintf(add.vdi, sizeof(add.vdi), "%s", disk->vdi);
    pthread_mutex_lock(&d->qemu->lock);
    const struct qdisk *there = domain_find_disk(d, disk->device);
    bool same = there && streq(there->vdi, disk->vdi) && !there->going, taken = there;

    pthread_mutex_unlock(&d->qemu->lock);
    if (same)
        return NULL;
    if (taken)
        return error_text("disk %d of %s is another one", disk->device, uuid);
    struct error *e = add_nodes(d, disk);

    if (!e)
        e = domain_qmp(d, "device_add", disk_device(&d->machine, disk, -1), NULL);
    if (e) {
        remove_nodes(d, disk);
        return e;
    }
    pthread_mutex_lock(&d->qemu->lock);
    vec_add(&d->disks, add);
    pthread_mutex_unlock(&d->qemu->lock);
    return record_locked(d);
}

struct going {
    struct domain *d;
    const char *class; /* "VBD", "VIF" */
    int device;
    bool *(*flag)(struct domain *d, int device); /* NULL = the device is gone */
};

static bool *disk_going(struct domain *d, int device)
{
    struct qdisk *disk = domain_find_disk(d, device);

    return disk ? &disk->going : NULL;
}

static bool *nic_going(struct domain *d, int device)
{
    struct qnic *nic = domain_find_nic(d, device);

    return nic ? &nic->going : NULL;
}

static struct error *wait_gone(const struct going *g, int64_t timeout_us)
{
    struct domain *d = g->d;
    int64_t deadline = mono_us() + timeout_us;
    struct error *e = NULL;

    pthread_mutex_lock(&d->qemu->lock);
    while (!e && g->flag(d, g->device)) {
        if (d->broken || d->dying) {
            e = error_errno(ECONNRESET, "QEMU of %s went away", d->uuid);
        } else if (!domain_wait(d, deadline)) {
            char text[16];

            snprintf(text, sizeof(text), "%d", g->device);
            e = error_api("DEVICE_DETACH_TIMEOUT", 2, g->class, text);
        }
    }
    pthread_mutex_unlock(&d->qemu->lock);
    return e;
}

static struct error *remove_device(const struct going *g, const char *id, int64_t timeout_us)
{
    struct domain *d = g->d;

    pthread_mutex_lock(&d->qemu->lock);
    bool *going = g->flag(d, g->device);
    bool ask = going && !*going;

    pthread_mutex_unlock(&d->qemu->lock);
    if (!going)
        return NULL;
    if (ask)
        TRY(domain_qmp(d, "device_del", pack("{s:s}", "id", id), NULL));
    pthread_mutex_lock(&d->qemu->lock);
    if ((going = g->flag(d, g->device)))
        *going = true;
    pthread_mutex_unlock(&d->qemu->lock);
    return wait_gone(g, timeout_us);
}

struct error *qemu_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    _cleanup_domain_ struct domain *d = NULL;
    _cleanup_free_ char *id = xasprintf("disk%d", device);

    TRY(domain_take_live(hv, uuid, &d));
    struct going g = {.d = d, .class = "VBD", .device = device, .flag = disk_going};

    TRY(remove_device(&g, id, timeout_us));
    return record_locked(d);
}

struct error *qemu_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    _cleanup_domain_ struct domain *d = NULL;
    _cleanup_free_ char *id = xasprintf("disk%d", disk->device);

    TRY(domain_take_live(hv, uuid, &d));
    pthread_mutex_lock(&d->qemu->lock);
    const struct qdisk *there = domain_find_disk(d, disk->device);
    bool drive = there && there->cd, same = drive && streq(there->vdi, disk->vdi);
    bool full = drive && *there->vdi;

    pthread_mutex_unlock(&d->qemu->lock);
    if (!drive)
        return error_text("domain %s has no CD drive %d", uuid, disk->device);
    if (same)
        return NULL;
    TRY(add_nodes(d, disk));
    TRY(domain_qmp(d, "blockdev-open-tray", pack("{s:s, s:b}", "id", id, "force", 1), NULL));
    if (full)
        TRY(domain_qmp(d, "blockdev-remove-medium", pack("{s:s}", "id", id), NULL));
    if (!str_empty(disk->vdi))
        TRY(domain_qmp(d, "blockdev-insert-medium",
                       pack("{s:s, s:s}", "id", id, "node-name", disk->node), NULL));
    TRY(domain_qmp(d, "blockdev-close-tray", pack("{s:s}", "id", id), NULL));
    pthread_mutex_lock(&d->qemu->lock);
    struct qdisk *drive_now = domain_find_disk(d, disk->device);

    if (drive_now)
        snprintf(drive_now->vdi, sizeof(drive_now->vdi), "%s", disk->vdi);
    pthread_mutex_unlock(&d->qemu->lock);
    return record_locked(d);
}

static struct error *add_netdev(struct domain *d, const struct hv_nic *n)
{
    _cleanup_free_ char *name = xasprintf("tap%d", n->device);

    if (n->net == HV_NET_NONE)
        return NULL;
    if (n->net == HV_NET_TAP)
        TRY(qmp_run_fd(d->qmp, "getfd", pack("{s:s}", "fdname", name), n->tap_fd, QMP_TIMEOUT_US,
                       NULL));
    return domain_qmp(d, "netdev_add", nic_netdev(n, name), NULL);
}

static void remove_netdev(struct domain *d, int device)
{
    _cleanup_free_ char *id = xasprintf("net%d", device);

    IGNORE_ERROR(domain_qmp(d, "netdev_del", pack("{s:s}", "id", id), NULL));
}

struct error *qemu_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    if (nic->device >= d->machine.nic_ports)
        return no_device("VIF", nic->device);
    pthread_mutex_lock(&d->qemu->lock);
    const struct qnic *there = domain_find_nic(d, nic->device);
    bool same = there && !there->going, taken = there;

    pthread_mutex_unlock(&d->qemu->lock);
    if (same)
        return NULL;
    if (taken)
        return error_text("NIC %d of %s is still being detached", nic->device, uuid);
    TRY(add_netdev(d, nic));
    struct error *e = domain_qmp(d, "device_add", nic_device(&d->machine, nic, -1), NULL);

    if (e) {
        remove_netdev(d, nic->device);
        return e;
    }
    pthread_mutex_lock(&d->qemu->lock);
    vec_add(&d->nics, (struct qnic){.device = nic->device});
    pthread_mutex_unlock(&d->qemu->lock);
    return record_locked(d);
}

struct error *qemu_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    _cleanup_domain_ struct domain *d = NULL;
    _cleanup_free_ char *id = xasprintf("nic%d", device);

    TRY(domain_take_live(hv, uuid, &d));
    struct going g = {.d = d, .class = "VIF", .device = device, .flag = nic_going};

    TRY(remove_device(&g, id, timeout_us));
    remove_netdev(d, device);
    return record_locked(d);
}
