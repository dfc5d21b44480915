/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Disks of guests: whose own QEMU is the owner of the chain; or, with storage_config.block_devices,
 * who take block devices of the host. Then a storage daemon of ours is the owner, it serves an
 * export to the kernel's nbd driver, and both outlive this program as the guest does.
 *
 * Life cycle, `guest` being the domain's UUID:
 *   guest_disk_open     for each disk, before QEMU starts or before a disk is plugged in: says what
 *                       to pass to -blockdev / blockdev-add, in that order, and which node the
 *                       device uses. From now on the disk belongs to the guest.
 *   guest_connected     QEMU runs and storage may send block commands over its QMP connection
 *   ... vdi_snapshot, vdi_resize, vdi_nbd, sr_collect work on the open disks ...
 *   guest_disk_close    a disk was unplugged (the device is gone): its block nodes are removed
 *   guest_gone          the QEMU process has ended: all its disks are closed
 * After a restart of hostd the caller opens the disks of a living guest again with adopt = true and
 * then, where QEMU is the owner, calls guest_connected, which brings QEMU and the records together
 * where a change was cut off half-way.
 *
 * Threads, errors: as vdi.h.
 */

#include "storage/sr.h"

struct qmp;

struct guest_disk {
    char **blockdev; /* n JSON texts */
    size_t n;
    char node[32]; /* node-name for the device */
    char path[20]; /* the block device, "" = the nodes are to be used */
    int64_t size;
    bool read_only;
};
void guest_disk_fini(struct guest_disk *d);

_must_check_ struct error *guest_disk_open(struct storage *s, const char *guest, const char *sr,
                                           const char *vdi, bool writable, bool adopt,
                                           struct guest_disk *ret);
/* Absent is success. */
_must_check_ struct error *guest_disk_close(struct storage *s, const char *guest, const char *sr,
                                            const char *vdi);
/* q is borrowed until guest_gone or guest_disconnected. */
_must_check_ struct error *guest_connected(struct storage *s, const char *guest, struct qmp *q);
/* The connection is about to be closed, the guest lives on. */
void guest_disconnected(struct storage *s, const char *guest);
void guest_gone(struct storage *s, const char *guest);
