/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/devices.h"

#include "base/mem.h"
#include "base/vec.h"
#include "hostd/facts.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 1024
#define HUB_CLASS   "09"

static int by_name(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;

    return strverscmp(*a, *b);
}

static size_t list(struct arena *a, const char *folder, const char **names)
{
    _cleanup_closedir_ DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t n = 0;

    while (dir && (entry = readdir(dir)) && n < MAX_DEVICES)
        if (entry->d_name[0] != '.')
            names[n++] = arena_strdup(a, entry->d_name);
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

/* The last part of where a link in a device's folder leads, "" if there is none. */
static const char *link_end(struct arena *a, const char *folder, const char *name)
{
    _cleanup_free_ char *real = realpath(arena_printf(a, "%s/%s", folder, name), NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    return slash ? arena_strdup(a, slash + 1) : "";
}

static const char *line_of(struct arena *a, const char *folder, const char *name)
{
    return facts_line(a, arena_printf(a, "%s/%s", folder, name));
}

/* "0x8086" -> "8086" */
static const char *id_of(struct arena *a, const char *folder, const char *name)
{
    const char *line = line_of(a, folder, name);

    return strncmp(line, "0x", 2) == 0 ? line + 2 : line;
}

/* Bridges, memory and timers of the board are nobody's to give away. */
static bool belongs_to_board(const char *class_id)
{
    static const char *const bases[] = {"05", "06", "08"};

    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        if (strncmp(class_id, bases[i], 2) == 0)
            return true;
    return strlen(class_id) < 4;
}

static void name_pci(struct arena *a, const struct device_names *n, struct host_pci_device_rec *r)
{
    r->class_name = device_names_class(n, a, r->class_id);
    r->vendor_name = device_names_vendor(n, a, r->vendor_id);
    r->device_name = device_names_device(n, a, r->vendor_id, r->device_id);
    r->subsystem_vendor_name = device_names_vendor(n, a, r->subsystem_vendor_id);
    r->subsystem_device_name = device_names_card(n, a, r->vendor_id, r->device_id,
                                                 r->subsystem_vendor_id, r->subsystem_device_id);
}

static bool describe_pci(struct arena *a, const char *folder, const char *id,
                         struct host_pci_device_rec *r)
{
    const char *class_id = id_of(a, folder, "class");

    if (belongs_to_board(class_id))
        return false;
    *r = *(const struct host_pci_device_rec *)host_pci_device_rec_info.defaults;
    r->id = id;
    r->class_id = arena_printf(a, "%.4s", class_id);
    r->vendor_id = id_of(a, folder, "vendor");
    r->device_id = id_of(a, folder, "device");
    r->subsystem_vendor_id = id_of(a, folder, "subsystem_vendor");
    r->subsystem_device_id = id_of(a, folder, "subsystem_device");
    r->driver = link_end(a, folder, "driver");
    r->physical_function = link_end(a, folder, "physfn");
    r->virtual_functions = strtoll(line_of(a, folder, "sriov_totalvfs"), NULL, 10);
    r->boot_display = streq(line_of(a, folder, "boot_vga"), "1");
    return true;
}

static void find_pci(struct arena *a, const char *sys, const char *names,
                     struct set_host_pci_device_rec *ret)
{
    const char *bus = arena_printf(a, "%s/bus/pci/devices", sys);
    struct device_names *n = device_names_open(arena_printf(a, "%s/pci.ids", names));
    const char **ids = arena_array(a, const char *, MAX_DEVICES);
    size_t found = list(a, bus, ids), used = 0;
    struct host_pci_device_rec *all = arena_array(a, struct host_pci_device_rec, found);

    for (size_t i = 0; i < found; i++) {
        if (!describe_pci(a, arena_printf(a, "%s/%s", bus, ids[i]), ids[i], &all[used]))
            continue;
        name_pci(a, n, &all[used++]);
    }
    device_names_close(n);
    *ret = (struct set_host_pci_device_rec){.n = used, .v = all};
}

static bool describe_usb(struct arena *a, const char *folder, const char *path,
                         const struct device_names *n, struct host_usb_device_rec *r)
{
    const char *vendor = line_of(a, folder, "idVendor"), *version;
    char *end;

    /* Interfaces of devices stand here as well, and have no vendor. */
    if (!*vendor || streq(line_of(a, folder, "bDeviceClass"), HUB_CLASS))
        return false;
    *r = *(const struct host_usb_device_rec *)host_usb_device_rec_info.defaults;
    r->path = path;
    r->vendor_id = vendor;
    r->product_id = line_of(a, folder, "idProduct");
    r->vendor_name = line_of(a, folder, "manufacturer");
    if (!*r->vendor_name)
        r->vendor_name = device_names_vendor(n, a, r->vendor_id);
    r->product_name = line_of(a, folder, "product");
    if (!*r->product_name)
        r->product_name = device_names_device(n, a, r->vendor_id, r->product_id);
    r->serial = line_of(a, folder, "serial");
    version = line_of(a, folder, "version");
    r->version = version + strspn(version, " ");
    double speed = strtod(line_of(a, folder, "speed"), &end);

    r->speed = speed > 0 ? speed : -1;
    return true;
}

static void find_usb(struct arena *a, const char *sys, const char *names,
                     struct set_host_usb_device_rec *ret)
{
    const char *bus = arena_printf(a, "%s/bus/usb/devices", sys);
    struct device_names *n = device_names_open(arena_printf(a, "%s/usb.ids", names));
    const char **paths = arena_array(a, const char *, MAX_DEVICES);
    size_t found = list(a, bus, paths), used = 0;
    struct host_usb_device_rec *all = arena_array(a, struct host_usb_device_rec, found);

    for (size_t i = 0; i < found; i++)
        used += describe_usb(a, arena_printf(a, "%s/%s", bus, paths[i]), paths[i], n, &all[used]);
    device_names_close(n);
    *ret = (struct set_host_usb_device_rec){.n = used, .v = all};
}

void devices_find(struct arena *a, const char *sys, const char *names,
                  struct host_host_devices_result *ret)
{
    find_pci(a, sys, names, &ret->pci);
    find_usb(a, sys, names, &ret->usb);
}

void devices_make_up(struct arena *a, struct host_host_devices_result *ret)
{
    static const struct {
        const char *id, *class_id, *class_name, *device_id, *device_name, *driver;
        bool boot;
    } pci[] = {
        {"0000:00:02.0", "0300", "VGA compatible controller", "1111", "Screen", "bochs-drm", true},
        {"0000:00:17.0", "0106", "SATA controller", "2922", "Disk controller", "ahci", false},
        {"0000:03:00.0", "0300", "VGA compatible controller", "0042", "Graphics card", "vfio-pci",
         false},
        {"0000:03:00.1", "0403", "Audio device", "0043", "Sound of a graphics card", "vfio-pci",
         false},
    };
    struct host_pci_device_rec *p = arena_array(a, struct host_pci_device_rec, ARRAY_SIZE(pci));
    struct host_usb_device_rec *u = arena_new(a, struct host_usb_device_rec);

    for (size_t i = 0; i < ARRAY_SIZE(pci); i++) {
        p[i] = *(const struct host_pci_device_rec *)host_pci_device_rec_info.defaults;
        p[i].id = pci[i].id;
        p[i].class_id = pci[i].class_id;
        p[i].class_name = pci[i].class_name;
        p[i].vendor_id = "1234";
        p[i].vendor_name = "Simulated";
        p[i].device_id = pci[i].device_id;
        p[i].device_name = pci[i].device_name;
        p[i].driver = pci[i].driver;
        p[i].boot_display = pci[i].boot;
    }
    *u = *(const struct host_usb_device_rec *)host_usb_device_rec_info.defaults;
    u->path = "1-1";
    u->vendor_id = "1234";
    u->vendor_name = "Simulated";
    u->product_id = "0001";
    u->product_name = "Stick";
    u->version = "2.00";
    u->speed = 480;
    ret->pci = (struct set_host_pci_device_rec){.n = ARRAY_SIZE(pci), .v = p};
    ret->usb = (struct set_host_usb_device_rec){.n = 1, .v = u};
}
