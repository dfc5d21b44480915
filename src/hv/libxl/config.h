/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Descriptions of hv.h as those of libxl. Pure: touches neither Xen nor a file, so that its outcome
 * can be compared (tests/unit/test_libxl_config.c).
 *
 * Devices: disk n is xvda, xvdb ...; an HVM guest sees the first four as IDE disks too (libxl does
 * that), until its drivers take them over. Interface n is vif n.
 */

#include "base/error.h"
#include "hv/hv.h"

#include <libxl.h>

struct xl_config_in {
    const struct hv_start *start;
    const char *name;    /* unique on the host */
    const char *dir;     /* of the domain; for the display's socket */
    const char *scripts; /* directory of xen-block and xen-vif */
    const char *uefi;    /* firmware of machines that are to have UEFI */
};

/* ret is to be disposed of with libxl_domain_config_dispose in any case. */
void xl_config(const struct xl_config_in *in, libxl_domain_config *ret);
/* Likewise, libxl_device_disk_dispose and libxl_device_nic_dispose. */
void xl_config_disk(const char *scripts, enum hv_kind kind, const struct hv_disk *d,
                    libxl_device_disk *ret);
void xl_config_nic(const char *scripts, enum hv_kind kind, const struct hv_nic *n,
                   libxl_device_nic *ret);
/* "1,3" as bits, to be disposed of with libxl_bitmap_dispose in any case; false = not so, or none.
 */
bool xl_read_mask(const char *text, libxl_bitmap *ret);
/* "xvda", "xvdb" ... of device 0, 1 ...; at least 8 bytes. */
void xl_vdev(int device, char ret[8]);
/* The same as a number: part of the disk's place in xenstore and sysfs. */
unsigned xl_devid(int device);
