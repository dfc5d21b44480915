/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of a machine, read from a tree of files made like /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hostd/devices.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/xenolith-devices-XXXXXX";

/* Makes the folders on the way as well. */
static void put(const char *path, const char *text)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "we");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void point(const char *path, const char *target)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", root, path);
    assert_int_equal(symlink(target, full), 0);
}

static void pci(const char *id, const char *class_id, const char *vendor, const char *device)
{
    const char *const files[][2] = {{"class", class_id},
                                    {"vendor", vendor},
                                    {"device", device},
                                    {"subsystem_vendor", "0x1af4\n"},
                                    {"subsystem_device", "0x1100\n"}};
    char path[256];

    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", id, files[i][0]);
        put(path, files[i][1]);
    }
}

static int make(void **state)
{
    assert_non_null(mkdtemp(root));
    put("pci.ids", "# a comment\n1234  Some Vendor\n\t1111  A Screen\n\t\t1af4 1100  A Card\n\n"
                   "1235  Other\n\t1111  Not this\nC 03  Display controller\n\t00  VGA\n");
    put("usb.ids", "0951  Kingston\n\t1666  DataTraveler\n");
    pci("0000:00:02.0", "0x030000\n", "0x1234\n", "0x1111\n");
    put("bus/pci/devices/0000:00:02.0/boot_vga", "1\n");
    pci("0000:00:00.0", "0x060000\n", "0x8086\n", "0x1237\n");
    pci("0000:00:10.0", "0x020000\n", "0x1af4\n", "0x1000\n");
    put("bus/pci/devices/0000:00:10.0/sriov_totalvfs", "7\n");
    pci("0000:00:10.1", "0x020000\n", "0x1af4\n", "0x1001\n");
    put("bus/pci/drivers/virtio-pci/x", "");
    point("bus/pci/devices/0000:00:10.0/driver", "../../drivers/virtio-pci");
    point("bus/pci/devices/0000:00:10.1/physfn", "../0000:00:10.0");
    put("bus/usb/devices/usb1/idVendor", "1d6b\n");
    put("bus/usb/devices/usb1/bDeviceClass", "09\n");
    put("bus/usb/devices/1-2/idVendor", "0951\n");
    put("bus/usb/devices/1-2/idProduct", "1666\n");
    put("bus/usb/devices/1-2/bDeviceClass", "00\n");
    put("bus/usb/devices/1-2/product", "My Stick\n");
    put("bus/usb/devices/1-2/serial", "42\n");
    put("bus/usb/devices/1-2/version", " 2.10\n");
    put("bus/usb/devices/1-2/speed", "480\n");
    put("bus/usb/devices/1-2:1.0/bInterfaceClass", "08\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static int clean(void **state)
{
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void pci_devices_are_found(void **state)
{
    _cleanup_arena_ struct arena a;
    struct host_host_devices_result r = {0};

    arena_init(&a);
    devices_find(&a, root, root, &r);
    assert_int_equal(r.pci.n, 3); /* the bridge is not one */
    const struct host_pci_device_rec *screen = &r.pci.v[0], *card = &r.pci.v[1],
                                     *virtual = &r.pci.v[2];

    assert_string_equal(screen->id, "0000:00:02.0");
    assert_string_equal(screen->class_id, "0300");
    assert_string_equal(screen->class_name, "VGA");
    assert_string_equal(screen->vendor_name, "Some Vendor");
    assert_string_equal(screen->device_name, "A Screen");
    assert_string_equal(screen->subsystem_device_name, "A Card");
    assert_true(screen->boot_display);
    assert_string_equal(card->driver, "virtio-pci");
    assert_string_equal(card->vendor_name, "");
    assert_int_equal(card->virtual_functions, 7);
    assert_string_equal(virtual->physical_function, card->id);
}

static void usb_devices_are_found(void **state)
{
    _cleanup_arena_ struct arena a;
    struct host_host_devices_result r = {0};

    arena_init(&a);
    devices_find(&a, root, root, &r);
    assert_int_equal(r.usb.n, 1); /* neither the hub nor the interface */
    assert_string_equal(r.usb.v[0].path, "1-2");
    assert_string_equal(r.usb.v[0].vendor_name, "Kingston");
    assert_string_equal(r.usb.v[0].product_name, "My Stick");
    assert_string_equal(r.usb.v[0].serial, "42");
    assert_string_equal(r.usb.v[0].version, "2.10");
    assert_true(r.usb.v[0].speed > 479 && r.usb.v[0].speed < 481);
}

static void a_machine_without_has_none(void **state)
{
    _cleanup_arena_ struct arena a;
    struct host_host_devices_result r = {0};

    arena_init(&a);
    devices_find(&a, "/nowhere", "/nowhere", &r);
    assert_int_equal(r.pci.n + r.usb.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pci_devices_are_found),
        cmocka_unit_test(usb_devices_are_found),
        cmocka_unit_test(a_machine_without_has_none),
    };

    return cmocka_run_group_tests(tests, make, clean);
}
