/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the qemu driver that need no QEMU: its command line against stored examples (one
 * argument a line in tests/golden/qemu/; UPDATE_GOLDEN=1 writes them anew, and the difference is
 * for the reader of the commit to judge), and the machine texts that come back from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "hv/qemu/argv.h"
#include "hv/qemu/record.h"

static const char *golden_dir;

static const struct hv_caps tcg = {.driver = "qemu", .accelerator = "tcg"};
static const struct hv_caps kvm = {.driver = "qemu", .accelerator = "kvm"};

static struct hv_start plain(void)
{
    return (struct hv_start){
        .uuid = "11111111-0000-4000-8000-000000000001",
        .name = "web, -drive file=/etc/passwd",
        .memory_max = 1ll << 30,
        .memory_target = 1ll << 30,
        .vcpus_max = 4,
        .vcpus = 2,
        .boot_order = "dcn",
        .kernel = "",
        .ramdisk = "",
        .cmdline = "",
        .resume_fd = -1,
    };
}

static void compare(const char *name, const struct hv_start *p, const struct hv_caps *caps)
{
    const struct machine m = machine_new(caps, p);
    struct argv_in in = {.start = p,
                         .machine = &m,
                         .dir = "/state, with comma/run/vm/U",
                         .nvram = "/state/nvram/U.fd",
                         .ovmf = "/usr/share/OVMF/CODE.fd"};
    _cleanup_free_ char *path = xasprintf("%s/%s.args", golden_dir, name);
    _cleanup_str_ struct str got = STR_INIT;
    _cleanup_str_ struct str want = STR_INIT;
    struct spawn s;

    argv_build(&s, &in);
    vec_foreach (arg, &s.argv)
        str_printf(&got, "%s\n", *arg);
    spawn_fini(&s);
    if (getenv("UPDATE_GOLDEN"))
        assert_null(io_write_file(path, got.s, got.len, 0644));
    assert_null(io_read_file(path, 65536, &want));
    assert_string_equal(str_cstr(&got), str_cstr(&want));
}

static const char *const nodes[] = {"{\"driver\":\"file\",\"node-name\":\"f1\"}",
                                    "{\"driver\":\"qcow2\",\"node-name\":\"n1\",\"file\":\"f1\"}"};

static const struct hv_disk disks[] = {
    {.device = 0,
     .vdi = "22222222-0000-4000-8000-000000000001",
     .bootable = true,
     .blockdevs = nodes,
     .n_blockdevs = 2,
     .node = "n1"},
    {.device = 3, .vdi = "", .type = HV_CD, .read_only = true, .node = ""},
    {.device = 9, .vdi = "22222222-0000-4000-8000-000000000009", .node = "n9"},
};

static const struct hv_nic nics[] = {
    {.device = 0, .mac = "52:54:00:00:00:01", .net = HV_NET_USER, .tap_fd = -1},
    {.device = 1, .mac = "52:54:00:00:00:02", .net = HV_NET_NONE, .tap_fd = -1},
    {.device = 9, .mac = "52:54:00:00:00:03", .net = HV_NET_TAP, .tap_fd = 5, .mtu = 9000},
};

static void a_linux_guest(void **state)
{
    struct hv_start p = plain();
    static const struct hv_pair platform[] = {{"cores-per-socket", "2"}, {"videoram", "8"}};

    p.disks = disks;
    p.n_disks = 3;
    p.nics = nics;
    p.n_nics = 2;
    p.platform = platform;
    p.n_platform = 2;
    compare("linux", &p, &kvm);
}

static void a_windows_guest(void **state)
{
    struct hv_start p = plain();
    static const struct hv_pair platform[] = {{"device_id", "0002"}, {"cores-per-socket", "3"}};

    p.firmware = HV_FIRMWARE_UEFI;
    p.disks = disks;
    p.n_disks = 3;
    p.nics = nics;
    p.n_nics = 1;
    p.platform = platform;
    p.n_platform = 2;
    compare("windows", &p, &tcg);
}

static void a_kernel_started_directly_from_memory(void **state)
{
    struct hv_start p = plain();

    p.firmware = HV_FIRMWARE_DIRECT;
    p.kernel = "/boot/vmlinuz";
    p.ramdisk = "/boot/initrd";
    p.cmdline = "console=ttyS0, quiet";
    p.on_reboot = HV_ACTION_STOP;
    p.nics = nics;
    p.n_nics = 3;
    p.resume_fd = 7;
    compare("direct", &p, &tcg);
}

static void machines_come_back_as_they_left(void **state)
{
    struct hv_start p = plain();
    struct machine m = machine_new(&tcg, &p), back;
    _cleanup_free_ char *text = machine_text(&m);

    assert_null(machine_parse(text, &tcg, &back));
    assert_string_equal(back.type, m.type);
    assert_string_equal(back.cpu, m.cpu);
    assert_int_equal(back.nic_ports, m.nic_ports);
    _cleanup_error_ struct error *e = machine_parse(text, &kvm, &back);

    assert_non_null(e);
    assert_non_null(strstr(e->detail, "saved under tcg"));
}

static void strange_machines_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"version\":2,\"type\":\"pc-q35-7.2\",\"cpu\":\"max\",\"accel\":\"tcg\"}",
        "{\"version\":1,\"type\":\"pc-q35-7.2,x=y\",\"cpu\":\"max\",\"accel\":\"tcg\"}",
        "{\"version\":1,\"type\":\"microvm\",\"cpu\":\"max\",\"accel\":\"tcg\"}",
        "{\"version\":1,\"type\":\"pc-q35-7.2\",\"cpu\":\"max,+x\",\"accel\":\"tcg\"}",
        "{\"version\":1,\"type\":\"pc-q35-7.2\",\"cpu\":\"max\",\"accel\":\"tcg,thread=single\"}",
        ("{\"version\":1,\"type\":\"pc-q35-7.2\",\"cpu\":\"max\",\"accel\":\"tcg\",\"nic_ports\":"
         "99}"),
    };
    struct machine m;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *e = machine_parse(bad[i], &tcg, &m);

        if (!e)
            fail_msg("accepted: %s", bad[i]);
        error_free(e);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linux_guest),
        cmocka_unit_test(a_windows_guest),
        cmocka_unit_test(a_kernel_started_directly_from_memory),
        cmocka_unit_test(machines_come_back_as_they_left),
        cmocka_unit_test(strange_machines_are_refused),
    };

    golden_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
