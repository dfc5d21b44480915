/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structs of hv.h as JSON and back (hv/remote/codec.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hv/remote/codec.h"

#include "base/mem.h"

static const struct hv_pair scheduling[] = {{"weight", "512"}};

static void a_start_comes_back_as_it_left(void **state)
{
    static const struct hv_disk disks[] = {
        {.device = 1, .vdi = "v1", .read_only = true, .type = HV_CD, .node = "n", .path = "/dev/x"},
        {.device = 2, .vdi = "v2", .bootable = true},
    };
    static const struct hv_nic nics[] = {{.device = 3,
                                          .mac = "m",
                                          .net = HV_NET_BRIDGE,
                                          .bridge = "xenbr0",
                                          .tap_fd = 9,
                                          .mtu = 9000}};
    static const struct hv_pair platform[] = {{"viridian", "true"}};
    const struct hv_start p = {.uuid = "u",
                               .name = "caf\xc3\xa9 \xff",
                               .memory_max = 1ll << 40,
                               .memory_target = 5,
                               .vcpus_max = 3,
                               .vcpus = 2,
                               .kind = HV_KIND_PVH,
                               .firmware = HV_FIRMWARE_DIRECT,
                               .boot_order = "cd",
                               .kernel = "/k",
                               .ramdisk = "",
                               .cmdline = "a b",
                               .on_reboot = HV_ACTION_STOP,
                               .disks = disks,
                               .n_disks = 2,
                               .nics = nics,
                               .n_nics = 1,
                               .platform = platform,
                               .n_platform = 1,
                               .scheduling = scheduling,
                               .n_scheduling = 1,
                               .resume_fd = 7,
                               .record = "{}"};
    _cleanup_json_ json_t *j = hv_to_json(&hv_start_shape, &p);
    _cleanup_arena_ struct arena a;
    struct hv_start back;

    arena_init(&a);
    assert_null(hv_from_json(&a, &hv_start_shape, j, &back));
    assert_int_equal(back.memory_max, p.memory_max);
    assert_int_equal(back.kind, HV_KIND_PVH);
    assert_int_equal(back.on_reboot, HV_ACTION_STOP);
    assert_string_equal(back.cmdline, "a b");
    assert_string_equal(back.disks[0].path, "/dev/x");
    assert_true(back.disks[0].read_only && back.disks[1].bootable);
    assert_string_equal(back.disks[1].path, "");
    assert_string_equal(back.nics[0].bridge, "xenbr0");
    assert_string_equal(back.platform[0].value, "true");
    assert_int_equal(back.n_scheduling, 1);
    assert_string_equal(back.scheduling[0].value, "512");
    /* What is no UTF-8 cannot be carried; descriptors travel beside the text. */
    assert_string_equal(back.name, "caf?? ?");
    assert_int_equal(back.resume_fd, -1);
    assert_int_equal(back.nics[0].tap_fd, -1);
    /* All else is the same text again. */
    _cleanup_json_ json_t *again = hv_to_json(&hv_start_shape, &back);

    json_object_set_new(again, "name", hv_text_to_json(p.name));
    assert_true(json_equal(j, again));
}

static void counters_come_back(void **state)
{
    static const int64_t ns[] = {1, 1ll << 50};
    static const struct hv_disk_stats disks[] = {{.device = 4, .write_ops = 12}};
    const struct hv_stats st = {
        .cpu_ns = 3, .vcpu_ns = ns, .n_vcpus = 2, .memory_free = -1, .disks = disks, .n_disks = 1};
    _cleanup_json_ json_t *j = hv_to_json(&hv_stats_shape, &st);
    _cleanup_arena_ struct arena a;
    struct hv_stats back;

    arena_init(&a);
    assert_null(hv_from_json(&a, &hv_stats_shape, j, &back));
    assert_int_equal(back.n_vcpus, 2);
    assert_int_equal(back.vcpu_ns[1], 1ll << 50);
    assert_int_equal(back.memory_free, -1);
    assert_int_equal(back.disks[0].write_ops, 12);
    assert_int_equal(back.n_nics, 0);
}

static void refuse(const struct shape *s, const char *text)
{
    _cleanup_json_ json_t *j = json_loads(text, 0, NULL);
    _cleanup_arena_ struct arena a;
    union {
        struct hv_event event;
        struct hv_started started;
    } ret;

    arena_init(&a);
    _cleanup_error_ struct error *e = hv_from_json(&a, s, j, &ret);

    assert_non_null(e);
}

static void what_does_not_fit_is_refused(void **state)
{
    refuse(&hv_started_shape, "{}");
    refuse(&hv_started_shape, "[]");
    refuse(&hv_started_shape, "{\"domid\":\"1\",\"record\":\"\"}");
    refuse(&hv_started_shape, "{\"domid\":1,\"record\":null}");
    /* Numbers that name something must name it: they index tables. */
    refuse(&hv_event_shape, "{\"kind\":99,\"uuid\":\"\",\"state\":0,\"stop\":0,\"device\":0,"
                            "\"memory_actual\":0}");
    refuse(&hv_event_shape, "{\"kind\":-1,\"uuid\":\"\",\"state\":0,\"stop\":0,\"device\":0,"
                            "\"memory_actual\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_comes_back_as_it_left),
        cmocka_unit_test(counters_come_back),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
