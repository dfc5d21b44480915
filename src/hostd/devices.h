/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PCI and USB devices of this machine, as members of host_devices. Any thread; reads files of /sys
 * (Linux, Documentation/ABI/testing/sysfs-bus-pci and sysfs-bus-usb). What cannot be read is left
 * out.
 */

#include "base/arena.h"
#include "gen/host_proto.h"

/* sys: where sysfs is. names: the folder of pci.ids and usb.ids, which may be missing. */
void devices_find(struct arena *a, const char *sys, const char *names,
                  struct host_host_devices_result *ret);
/* For simulated hosts: a screen, a graphics card with its sound, a disk controller, a USB stick. */
void devices_make_up(struct arena *a, struct host_host_devices_result *ret);

/*
 * Lists of names, the format of pci.ids and usb.ids (https://pci-ids.ucw.cz): vendors at the start
 * of a line, their devices behind a tab, cards behind two. Ids are four hexadecimal digits, lower
 * case. "" = unknown.
 */
struct device_names;
struct device_names *device_names_open(const char *path); /* NULL = there is no such file */
void device_names_close(struct device_names *n);
const char *device_names_vendor(const struct device_names *n, struct arena *a, const char *vendor);
const char *device_names_device(const struct device_names *n, struct arena *a, const char *vendor,
                                const char *device);
const char *device_names_card(const struct device_names *n, struct arena *a, const char *vendor,
                              const char *device, const char *card_vendor, const char *card);
/* Of a base class and subclass, as "0300". */
const char *device_names_class(const struct device_names *n, struct arena *a, const char *id);
