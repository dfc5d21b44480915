/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory, device numbers and names, hardware addresses, provisioning texts, default templates. */
#include "fake_view.h"

#include "base/uuid.h"
#include "gen/class/VBD.h"
#include "gen/class/VIF.h"
#include "gen/class/VM.h"
#include "rules/devices.h"
#include "rules/memory.h"
#include "rules/provision.h"
#include "rules/templates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static void memory_limits_keep_their_order(void **ctx)
{
    struct memory_limits m = {0, 1, 1, 1};

    assert_refusal(memory_check_order(&m), NULL, "");
    struct memory_limits wrong[] = {{-1, 1, 1, 1}, {2, 1, 1, 1}, {0, 2, 1, 2}, {0, 1, 3, 2}};

    for (int i = 0; i < 4; i++)
        assert_refusal(memory_check_order(&wrong[i]), "MEMORY_CONSTRAINT_VIOLATION_ORDER", "");
    assert_refusal(memory_check_pinned(&m, "DMC disabled"), NULL, "");
    m.dynamic_min = 0;
    assert_refusal(memory_check_pinned(&m, "DMC disabled"), "MEMORY_CONSTRAINT_VIOLATION_MAXPIN",
                   "DMC disabled");
}

static void overhead_follows_the_shape(void **ctx)
{
    struct memory_shape s = {
        .domain_type = DOMAIN_TYPE_HVM, .vcpus = 1, .static_max = 1 * GIB, .shadow_multiplier = 1};

    /* (256 + 2048) / 256 = 9 MiB of shadow, 1 + 1 + 1 for the rest. */
    assert_int_equal(memory_shadow(&s), 9 * MIB);
    assert_int_equal(memory_overhead(&s), 12 * MIB);
    assert_int_equal(memory_to_start(&s, 512 * MIB), 524 * MIB);
    s.domain_type = DOMAIN_TYPE_PV;
    assert_int_equal(memory_overhead(&s), 11 * MIB);
    s.domain_type = DOMAIN_TYPE_PV_IN_PVH;
    assert_int_equal(memory_overhead(&s), (12 + 23 + 11) * MIB);
    s.domain_type = DOMAIN_TYPE_HVM;
    s.shadow_multiplier = 4;
    assert_int_equal(memory_shadow(&s), 36 * MIB);
    s.shadow_multiplier = 1;
    s.vcpus = 8; /* 304 pages: two MiB begun */
    assert_int_equal(memory_overhead(&s), (1 + 1 + 16 + 2) * MIB);
    s = (struct memory_shape){.domain_type = DOMAIN_TYPE_PV, .shadow_multiplier = 1};
    assert_int_equal(memory_shadow(&s), 1 * MIB);
}

static void the_largest_memory_just_fits(void **ctx)
{
    struct memory_shape s = {.domain_type = DOMAIN_TYPE_HVM, .vcpus = 2, .shadow_multiplier = 1};

    for (int64_t total = 0; total < 3 * GIB; total += 77 * MIB) {
        int64_t best = memory_largest(&s, total);

        assert_int_equal(best % MIB, 0);
        s.static_max = best;
        if (best)
            assert_true(memory_to_start(&s, best) <= total);
        s.static_max = best + MIB;
        assert_true(memory_to_start(&s, best + MIB) > total);
    }
}

static void processors_are_counted_from_one(void **ctx)
{
    assert_refusal(vcpus_check(1, 1), NULL, "");
    assert_refusal(vcpus_check(0, 1), "INVALID_VALUE", "VCPUs_at_startup|0");
    assert_refusal(vcpus_check(2, 1), "INVALID_VALUE", "VCPUs_at_startup|2");
    assert_refusal(vcpus_check(1, 0), "INVALID_VALUE", "VCPUs_max|0");
    assert_refusal(shadow_multiplier_check(1), NULL, "");
    assert_refusal(shadow_multiplier_check(0.5), "INVALID_VALUE", "HVM_shadow_multiplier|0.5");
    assert_refusal(shadow_multiplier_check(__builtin_inf()), "INVALID_VALUE",
                   "HVM_shadow_multiplier|inf");
}

static void userdevices_have_numbers_and_names(void **ctx)
{
    static const struct {
        const char *text;
        int disk, floppy;
    } cases[] = {
        {"0", 0, 0},       {"1", 1, 1},        {"2", 2, -1},           {"254", 254, -1},
        {"255", -1, -1},   {"1000", -1, -1},   {"01", -1, -1},         {"", -1, -1},
        {"-1", -1, -1},    {" 1", -1, -1},     {"xvda", 0, -1},        {"xvdz", 25, -1},
        {"xvdaa", 26, -1}, {"xvdiu", 254, -1}, {"xvdiv", -1, -1},      {"xvd", -1, -1},
        {"hdd", 3, -1},    {"sdb", 1, -1},     {"fda", -1, 0},         {"fdb", -1, 1},
        {"fdc", -1, -1},   {"xvdA", -1, -1},   {"autodetect", -1, -1},
    };
    struct arena a;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(vbd_device_number(cases[i].text, VBD_TYPE_DISK), cases[i].disk);
        assert_int_equal(vbd_device_number(cases[i].text, VBD_TYPE_CD), cases[i].disk);
        assert_int_equal(vbd_device_number(cases[i].text, VBD_TYPE_FLOPPY), cases[i].floppy);
    }
    arena_init(&a);
    for (int n = 0; n < VBD_DEVICES; n++)
        assert_int_equal(
            vbd_device_number(vbd_device_name(&a, n, VBD_TYPE_DISK, n & 1), VBD_TYPE_DISK), n);
    assert_string_equal(vbd_device_name(&a, 3, VBD_TYPE_CD, true), "hdd");
    assert_string_equal(vbd_device_name(&a, 3, VBD_TYPE_CD, false), "xvdd");
    assert_string_equal(vbd_device_name(&a, 4, VBD_TYPE_CD, true), "xvde");
    assert_string_equal(vbd_device_name(&a, 1, VBD_TYPE_FLOPPY, true), "fdb");
    arena_fini(&a);
}

static void free_devices_are_those_not_taken(void **ctx)
{
    struct view v = {0};
    struct vbd_rec vbds[3] = {vbd_rec_default, vbd_rec_default, vbd_rec_default};
    struct vif_rec vif = vif_rec_default;
    struct vm_rec vm = vm_rec_default;
    struct set_string left;
    struct arena a;

    vbds[0].self = "OpaqueRef:0";
    vbds[0].type = VBD_TYPE_DISK;
    vbds[0].userdevice = "0";
    vbds[1].self = "OpaqueRef:1";
    vbds[1].type = VBD_TYPE_CD;
    vbds[1].userdevice = "hdc"; /* as an old client named it */
    vbds[2].self = "OpaqueRef:2";
    vbds[2].type = VBD_TYPE_FLOPPY;
    vbds[2].userdevice = "1";
    vif.self = "OpaqueRef:vif";
    vif.device = "1";
    for (int i = 0; i < 3; i++)
        fake_add(&v, CLASS_VBD, &vbds[i]);
    fake_add(&v, CLASS_VIF, &vif);
    vm.inv.VBDs = REFS("OpaqueRef:0", "OpaqueRef:1", "OpaqueRef:2");
    vm.inv.VIFs = REFS("OpaqueRef:vif");
    arena_init(&a);
    left = vbd_devices_free(&v, &a, &vm, VBD_TYPE_DISK);
    assert_int_equal(left.n, 253);
    assert_string_equal(left.v[0], "1");
    assert_string_equal(left.v[1], "3");
    assert_string_equal(left.v[252], "254");
    left = vbd_devices_free(&v, &a, &vm, VBD_TYPE_FLOPPY);
    assert_int_equal(left.n, 1);
    assert_string_equal(left.v[0], "0");
    left = vif_devices_free(&v, &a, &vm);
    assert_int_equal(left.n, 15);
    assert_string_equal(left.v[0], "0");
    assert_string_equal(left.v[1], "2");
    arena_fini(&a);
}

static void addresses_follow_from_the_seed(void **ctx)
{
    static const char seed[] = "3d0ba10c-1ee7-4a1c-8bd5-7d3d1d5a9a3f";
    char mac[MAC_TEXT], other[MAC_TEXT];

    /* Computed apart from this program. */
    mac_from_seed(seed, 0, mac);
    assert_string_equal(mac, "e2:a8:88:fa:46:9c");
    mac_from_seed(seed, 1, mac);
    assert_string_equal(mac, "06:4e:a3:3d:7a:f1");
    mac_from_seed(seed, 7, mac);
    assert_string_equal(mac, "26:83:c1:64:fa:3a");
    for (int i = 0; i < 100; i++) {
        mac_random(other);
        assert_true(mac_is_valid(other));
        assert_true(strchr("26ae", other[1]) != NULL);
    }
    mac_random(mac);
    assert_string_not_equal(mac, other);
}

static void bad_addresses_are_seen(void **ctx)
{
    assert_true(mac_is_valid("00:16:3e:aa:BB:cc"));
    assert_false(mac_is_valid("01:16:3e:aa:bb:cc")); /* a group */
    assert_false(mac_is_valid("ff:ff:ff:ff:ff:ff"));
    assert_false(mac_is_valid("00:16:3e:aa:bb"));
    assert_false(mac_is_valid("00-16-3e-aa-bb-cc"));
    assert_false(mac_is_valid("00:16:3e:aa:bb:cg"));
    assert_false(mac_is_valid("00:16:3e:aa:bb:cc:"));
    assert_false(mac_is_valid(""));
}

static void provisioning_is_read(void **ctx)
{
    struct provision_disk *d = NULL;
    size_t n = 0;
    struct arena a;

    arena_init(&a);
    assert_refusal(
        provision_parse("<provision><disk device='0' size='10737418240' sr='' bootable='true' "
                        "type='system'/><disk device='5' size='1' sr='x&amp;y' type='user'/>"
                        "</provision>",
                        &a, &d, &n),
        NULL, "");
    assert_int_equal(n, 2);
    assert_string_equal(d[0].device, "0");
    assert_int_equal(d[0].size, INT64_C(10737418240));
    assert_true(d[0].bootable && d[0].system);
    assert_string_equal(d[1].sr, "x&y");
    assert_false(d[1].bootable || d[1].system);
    assert_refusal(provision_parse("<provision/>", &a, &d, &n), NULL, "");
    assert_int_equal(n, 0);
    assert_refusal(provision_parse("<disks/>", &a, &d, &n), "INVALID_VALUE",
                   "disks|the outer element is not <provision>");
    assert_refusal(provision_parse("<provision><disk device='0'/></provision>", &a, &d, &n),
                   "INVALID_VALUE", "disks|a disk without size");
    assert_refusal(provision_parse("<provision><disk size='1'/></provision>", &a, &d, &n),
                   "INVALID_VALUE", "disks|a disk without device");
    assert_refusal(
        provision_parse("<provision><disk device='0' size='1e9'/></provision>", &a, &d, &n),
        "INVALID_VALUE", "disks|size is not a positive number of bytes");
    assert_refusal(provision_parse("", &a, &d, &n), "INVALID_VALUE", "disks|no element found");
    arena_fini(&a);
}

static const char *value_of(const struct map_string_string *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return m->v[i];
    return "";
}

static const struct template_info *template_named(const char *label)
{
    for (size_t i = 0; i < template_list_n; i++)
        if (streq(template_list[i].reference_label, label))
            return &template_list[i];
    fail_msg("no template %s", label);
    return NULL;
}

static void templates_are_complete_and_unique(void **ctx)
{
    struct arena a;

    arena_init(&a);
    assert_int_equal(template_list_n, 38);
    for (size_t i = 0; i < template_list_n; i++) {
        const struct template_info *t = &template_list[i];
        struct vm_rec vm = vm_rec_default;
        struct provision_disk *disks = NULL;
        size_t n = 0;

        assert_true(uuid_is_valid(t->uuid));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(t->uuid, template_list[k].uuid);
            assert_string_not_equal(t->name_label, template_list[k].name_label);
            assert_string_not_equal(t->reference_label, template_list[k].reference_label);
        }
        template_fill(t, &a, &vm);
        struct memory_limits m = {vm.memory_static_min, vm.memory_dynamic_min,
                                  vm.memory_dynamic_max, vm.memory_static_max};

        assert_refusal(memory_check_order(&m), NULL, "");
        assert_refusal(vcpus_check(vm.VCPUs_at_startup, vm.VCPUs_max), NULL, "");
        assert_true(vm.is_a_template && vm.is_default_template);
        if (!t->disk_gib)
            continue;
        assert_refusal(provision_parse(value_of(&vm.other_config, "disks"), &a, &disks, &n), NULL,
                       "");
        assert_int_equal(n, 1);
        assert_int_equal(disks[0].size, t->disk_gib * GIB);
    }
    arena_fini(&a);
}

static void templates_say_what_the_systems_need(void **ctx)
{
    struct vm_rec vm = vm_rec_default;
    struct arena a;

    arena_init(&a);
    template_fill(template_named("debian-12"), &a, &vm);
    assert_string_equal(vm.name_label, "Debian Bookworm 12");
    assert_string_equal(vm.uuid, "07d91aaa-43f7-430a-bf84-0edb6714df0f");
    assert_string_equal(value_of(&vm.HVM_boot_params, "firmware"), "uefi");
    assert_string_equal(value_of(&vm.HVM_boot_params, "order"), "cdn");
    assert_string_equal(value_of(&vm.platform, "secureboot"), "auto");
    assert_string_equal(value_of(&vm.platform, "device-model"), "");
    assert_string_equal(value_of(&vm.other_config, "linux_template"), "true");
    assert_int_equal(vm.memory_static_max, 2 * GIB);
    assert_int_equal(vm.memory_static_min, 1 * GIB);
    template_fill(template_named("debian-11"), &a, &vm);
    assert_string_equal(value_of(&vm.platform, "device-model"), "qemu-upstream-compat");
    assert_string_equal(value_of(&vm.platform, "secureboot"), "false");
    template_fill(template_named("windows-11"), &a, &vm);
    assert_string_equal(value_of(&vm.platform, "vtpm"), "true");
    assert_string_equal(value_of(&vm.platform, "acpi_laptop_slate"), "1");
    assert_string_equal(value_of(&vm.platform, "viridian"), "true");
    assert_string_equal(value_of(&vm.platform, "device_id"), "0002");
    assert_int_equal(vm.VCPUs_max, 2);
    template_fill(template_named("other-install-media"), &a, &vm);
    assert_string_equal(value_of(&vm.other_config, "disks"), "");
    assert_string_equal(value_of(&vm.platform, "viridian"), "true");
    assert_int_equal(vm.memory_static_min, 128 * MIB);
    assert_non_null(strstr(vm.recommendations, "max=\"137438953472\""));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_limits_keep_their_order),
        cmocka_unit_test(overhead_follows_the_shape),
        cmocka_unit_test(the_largest_memory_just_fits),
        cmocka_unit_test(processors_are_counted_from_one),
        cmocka_unit_test(userdevices_have_numbers_and_names),
        cmocka_unit_test(free_devices_are_those_not_taken),
        cmocka_unit_test(addresses_follow_from_the_seed),
        cmocka_unit_test(bad_addresses_are_seen),
        cmocka_unit_test(provisioning_is_read),
        cmocka_unit_test(templates_are_complete_and_unique),
        cmocka_unit_test(templates_say_what_the_systems_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
