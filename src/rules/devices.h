/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Numbers and names of disks and network cards inside a VM, and their hardware addresses.
 */

#include "base/arena.h"
#include "base/error.h"
#include "gen/class/VM.h"
#include "model/view.h"

/* Disks and optical drives count 0..254, floppy drives 0..1, network cards 0..15. */
#define VBD_DEVICES    255
#define FLOPPY_DEVICES 2
#define VIF_DEVICES    16

/*
 * The number a userdevice means: "0", "17", or a name as guests and old clients write it ("xvdb",
 * "hdb", "sdb", "fda"). -1 if it is none, or too large for the kind. type: enum vbd_type.
 */
int vbd_device_number(const char *userdevice, int type);
/* "xvda", "xvdaa"; optical drives of HVM guests "hdd"; floppy drives "fda". */
const char *vbd_device_name(struct arena *a, int number, int type, bool hvm);
/* Numbers not taken by the VM's other VBDs (floppy drives count apart), ascending, as text. */
struct set_string vbd_devices_free(const struct view *v, struct arena *a, const struct vm_rec *vm,
                                   int type);

/* -1 if it is not a number of 0..15. */
int vif_device_number(const char *device);
struct set_string vif_devices_free(const struct view *v, struct arena *a, const struct vm_rec *vm);

#define MAC_TEXT 18

/*
 * The address of card `device` of a VM with other_config:mac_seed. The same seed always gives the
 * same addresses, so a VM exported and imported keeps its own: a chain of MD5 over the seed,
 * 2 device + 1 links long for the first bytes and one more for the rest; locally administered,
 * unicast.
 */
void mac_from_seed(const char *seed, int device, char ret[MAC_TEXT]);
/* A random one of the same kind, for VMs without a seed. */
void mac_random(char ret[MAC_TEXT]);
/* Six pairs of hex digits between colons, not a group address. */
bool mac_is_valid(const char *text);
