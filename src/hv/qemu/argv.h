/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From a domain description to QEMU's arguments. Pure: no file is touched, so the outcome can be
 * compared with stored examples. The rules that place devices are part of what must stay the same
 * between suspend and resume; a change of them needs a new machine.version.
 *
 *   PCI 01 VGA, 02 virtio-serial, 03 balloon, 04 random, 05 virtio-scsi
 *   PCI 10.0-7 ports of disks 0-7, 11.0-7 ports of NICs 0-7 (12: 8-15 where asked for at start)
 *   disk device  0-7: virtio-blk in its port; 8 and up, and CDs: LUN of the virtio-scsi controller
 *   machine.sata: disks and CDs 0-5 on the chipset's SATA controller instead
 */

#include "base/spawn.h"
#include "hv/qemu/domain.h"

#define DISK_PORTS 8
#define SATA_PORTS 6
#define NIC_PORTS  8

/* Descriptor numbers in the child. */
enum { CHILD_QMP = 10, CHILD_SERIAL, CHILD_AGENT, CHILD_TAP }; /* CHILD_TAP + device */

/* The machine a new domain gets. */
struct machine machine_new(const struct hv_caps *caps, const struct hv_start *p);

struct argv_in {
    const struct hv_start *start;
    const struct machine *machine;
    const char *dir;   /* of the domain */
    const char *nvram; /* UEFI: file of the variables */
    const char *ovmf;  /* UEFI: firmware code */
};

void argv_build(struct spawn *s, const struct argv_in *in);
enum bus disk_bus(const struct machine *m, int device, bool cd);
/* Arguments of device_add for a device. The caller owns the object. bootindex < 0 = none. */
json_t *disk_device(const struct machine *m, const struct hv_disk *d, int bootindex);
json_t *nic_device(const struct machine *m, const struct hv_nic *n, int bootindex);
json_t *nic_netdev(const struct hv_nic *n, const char *fd);
const char *platform_find(const struct hv_start *p, const char *key, const char *fallback);
