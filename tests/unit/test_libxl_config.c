/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the libxl driver that need no Xen: its descriptions of domains against stored
 * examples (libxl's own JSON in tests/golden/libxl/; UPDATE_GOLDEN=1 writes them anew, and the
 * difference is for the reader of the commit to judge), numbers of disks, and the agent's keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "hv/libxl/config.h"
#include "hv/libxl/guest_keys.h"

#include <libxl_utils.h>

static const char *golden_dir;

static const struct hv_disk disks[] = {
    {.device = 0, .vdi = "v0", .bootable = true, .path = "/dev/nbd0"},
    {.device = 3, .vdi = "", .type = HV_CD, .read_only = true},
    {.device = 20, .vdi = "v2", .path = "/dev/nbd7"},
};

static const struct hv_nic nics[] = {
    {.device = 0, .mac = "00:16:3e:00:00:01", .net = HV_NET_BRIDGE, .bridge = "xenbr0"},
    {.device = 1, .mac = "00:16:3E:AB:cd:02", .net = HV_NET_NONE, .mtu = 9000},
};

static const struct hv_pair platform[] = {
    {"viridian", "true"}, {"nested-virt", "true"}, {"hpet", "false"}, {"unknown", "x"}};

static struct hv_start guest(enum hv_kind kind)
{
    return (struct hv_start){
        .uuid = "11111111-0000-4000-8000-000000000001",
        .name = "not used: names are unique on a host",
        .memory_max = 1ll << 30,
        .memory_target = 512ll << 20,
        .vcpus_max = 9,
        .vcpus = 2,
        .kind = kind,
        .boot_order = "dc",
        .kernel = "",
        .ramdisk = "",
        .cmdline = "",
        .disks = disks,
        .n_disks = 3,
        .nics = nics,
        .n_nics = 2,
        .platform = platform,
        .n_platform = 4,
        .resume_fd = -1,
    };
}

static void compare(const char *name, const struct hv_start *p)
{
    struct xl_config_in in = {.start = p,
                              .name = "web",
                              .dir = "/state/run/vm/U",
                              .scripts = "/scripts",
                              .uefi = "/ovmf"};
    _cleanup_free_ char *path = xasprintf("%s/%s.json", golden_dir, name);
    _cleanup_str_ struct str want = STR_INIT;
    libxl_domain_config config;

    xl_config(&in, &config);
    _cleanup_free_ char *got = libxl_domain_config_to_json(NULL, &config);

    libxl_domain_config_dispose(&config);
    assert_non_null(got);
    if (getenv("UPDATE_GOLDEN"))
        assert_null(io_write_file(path, got, strlen(got), 0644));
    assert_null(io_read_file(path, 65536, &want));
    assert_string_equal(got, str_cstr(&want));
}

static void a_paravirtual_guest_with_a_kernel(void **state)
{
    struct hv_start p = guest(HV_KIND_PV);

    p.firmware = HV_FIRMWARE_DIRECT;
    p.kernel = "/boot/vmlinuz";
    p.ramdisk = "/boot/initrd";
    p.cmdline = "console=hvc0";
    compare("pv", &p);
}

static void a_weight_a_cap_and_a_mask(void **state)
{
    static const struct hv_pair good[] = {{"weight", "512"}, {"cap", "50"}, {"mask", "0,3,9"}};
    static const struct hv_pair bad[] = {{"weight", "much"}, {"cap", "-1"}, {"mask", "1,x"}};
    struct hv_start p = guest(HV_KIND_PV);
    struct xl_config_in in = {.start = &p, .name = "web", .dir = "/d", .scripts = "/s"};
    libxl_domain_config c;

    p.firmware = HV_FIRMWARE_DIRECT;
    p.scheduling = good;
    p.n_scheduling = 3;
    xl_config(&in, &c);
    assert_int_equal(c.b_info.sched_params.weight, 512);
    assert_int_equal(c.b_info.sched_params.cap, 50);
    assert_int_equal(c.b_info.num_vcpu_hard_affinity, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(libxl_bitmap_count_set(&c.b_info.vcpu_hard_affinity[i]), 3);
        assert_true(libxl_bitmap_test(&c.b_info.vcpu_hard_affinity[i], 9));
    }
    libxl_domain_config_dispose(&c);
    p.scheduling = bad;
    xl_config(&in, &c);
    assert_int_equal(c.b_info.sched_params.weight, LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT);
    assert_int_equal(c.b_info.sched_params.cap, LIBXL_DOMAIN_SCHED_PARAM_CAP_DEFAULT);
    assert_int_equal(c.b_info.num_vcpu_hard_affinity, 0);
    libxl_domain_config_dispose(&c);
}

static void one_whose_kernel_is_on_its_disk(void **state)
{
    struct hv_start p = guest(HV_KIND_PVH);

    p.firmware = HV_FIRMWARE_DIRECT;
    compare("pvh", &p);
}

static void a_whole_machine(void **state)
{
    static const struct hv_pair no_display[] = {{"vga", "none"}};
    struct hv_start p = guest(HV_KIND_HVM);

    compare("hvm", &p);
    p.firmware = HV_FIRMWARE_UEFI;
    p.n_disks = p.n_nics = 0;
    p.platform = no_display;
    p.n_platform = 1;
    compare("uefi", &p);
}

static void disks_have_names_and_numbers(void **state)
{
    static const struct {
        int device;
        const char *vdev;
        unsigned devid;
    } all[] = {{0, "xvda", 51712},       {1, "xvdb", 51728},      {15, "xvdp", 51952},
               {16, "xvdq", 268439552},  {25, "xvdz", 268441856}, {26, "xvdaa", 268442112},
               {254, "xvdiu", 268500480}};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        char vdev[8];

        xl_vdev(all[i].device, vdev);
        assert_string_equal(vdev, all[i].vdev);
        assert_int_equal(xl_devid(all[i].device), all[i].devid);
    }
}

static void agents_are_understood(void **state)
{
    static const struct {
        const char *path, *key, *also;
    } all[] = {
        {"data/os_name", "os_version/name", NULL},
        {"attr/PVAddons/MajorVersion", "PV_drivers_version/major", NULL},
        {"attr/vif/0/ipv4/0", "networks/0/ipv4/0", "networks/0/ip"},
        {"attr/vif/12/ipv4/1", "networks/12/ipv4/1", NULL},
        {"attr/vif/1/ipv6/3", "networks/1/ipv6/3", NULL},
        {"attr/eth2/ip", "networks/2/ipv4/0", "networks/2/ip"},
        {"attr/ens3/ipv6/1/addr", "networks/3/ipv6/1", NULL},
        {"xenserver/attr/net-sriov-vf/4/ipv4/0", "networks/4/ipv4/0", "networks/4/ip"},
        {"control/feature-suspend", "other/feature-suspend", NULL},
        {"data/service/ssh/port", "services/ssh/port", NULL},
        {"attr/vif/x/ipv4/0", NULL, NULL},
        {"attr/vif/99999/ipv4/0", NULL, NULL},
        {"attr/vif/0/mac", NULL, NULL},
        {"attr/eth0/hostname", NULL, NULL},
        {"control/shutdown", NULL, NULL},
        {"", NULL, NULL},
    };
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        const char *also, *key = guest_key(&a, all[i].path, &also);

        if (!all[i].key)
            assert_null(key);
        else
            assert_string_equal(key, all[i].key);
        if (!all[i].also)
            assert_null(also);
        else
            assert_string_equal(also, all[i].also);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paravirtual_guest_with_a_kernel),
        cmocka_unit_test(a_weight_a_cap_and_a_mask),
        cmocka_unit_test(one_whose_kernel_is_on_its_disk),
        cmocka_unit_test(a_whole_machine),
        cmocka_unit_test(disks_have_names_and_numbers),
        cmocka_unit_test(agents_are_understood),
    };

    golden_dir = argc > 1 ? argv[1] : "tests/golden/libxl";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
