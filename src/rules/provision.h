/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The disks a template asks for: other_config:disks of a VM, a small XML text that clients write
 * too (Xen Orchestra fills in `sr` and changes sizes before it calls VM.provision):
 *   <provision><disk device="0" size="10737418240" sr="UUID" bootable="true" type="system"/>...
 */

#include "base/arena.h"
#include "base/error.h"

/* More would not fit the device numbers of a VM. */
#define PROVISION_MAX_DISKS 255

struct provision_disk {
    const char *device; /* userdevice of the VBD */
    int64_t size;       /* bytes, > 0 */
    const char *sr;     /* uuid, "" = not chosen yet */
    bool bootable;
    bool system; /* of type "system": its VBD cannot be unplugged */
};

/* Memory from a. INVALID_VALUE ["disks", what is wrong] if the text is not of that form. */
_must_check_ struct error *provision_parse(const char *xml, struct arena *a,
                                           struct provision_disk **ret_disks, size_t *ret_n);
