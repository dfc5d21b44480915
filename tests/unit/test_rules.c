/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When an operation on a VM is allowed: each power state, the order of checks, concurrency. */
#include "fake_view.h"

#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VM.h"
#include "gen/class/VM_guest_metrics.h"
#include "gen/class/VM_metrics.h"
#include "gen/class/pool.h"
#include "gen/derive.h"
#include "rules/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define VM_REF "OpaqueRef:vm"

static struct vm_rec some_vm(enum vm_power_state state)
{
    struct vm_rec vm = vm_rec_default;

    vm.self = VM_REF;
    vm.power_state = state;
    vm.domid = state == VM_POWER_STATE_HALTED || state == VM_POWER_STATE_SUSPENDED ? -1 : 5;
    vm.domain_type = DOMAIN_TYPE_HVM;
    return vm;
}

static struct error *ask(const struct view *v, const struct vm_rec *vm, enum vm_operations op,
                         bool strict)
{
    struct error *why = NULL;
    bool quiet = vm_op_allowed(v, vm, op, strict, NULL);
    bool loud = vm_op_allowed(v, vm, op, strict, &why);

    /* The verdict does not depend on whether the reason is wanted. */
    assert_int_equal(quiet, loud);
    assert_int_equal(loud, why == NULL);
    return why;
}

/* The published table, state by state: H(alted) P(aused) R(unning) S(uspended); lower case r: of
 * control domains only; lower case s: of snapshots, or where the pool allows it. */
static const struct {
    const char *op;
    const char *states;
} published[] = {
    {"start", "H"},
    {"start_on", "H"},
    {"provision", "H"},
    {"make_into_template", "H"},
    {"changing_NVRAM", "H"},
    {"changing_shadow_memory", "H"},
    {"create_vtpm", "H"},
    {"changing_VCPUs", "Hr"},
    {"changing_static_range", "Hr"},
    {"changing_memory_limits", "Hr"},
    {"changing_dynamic_range", "HR"},
    {"clone", "Hs"},
    {"copy", "Hs"},
    {"destroy", "HS"},
    {"export", "HS"},
    {"create_template", "HS"},
    {"migrate_send", "HRS"},
    {"pause", "R"},
    {"suspend", "R"},
    {"clean_shutdown", "R"},
    {"clean_reboot", "R"},
    {"pool_migrate", "R"},
    {"snapshot_with_quiesce", "R"},
    {"sysprep", "R"},
    {"send_sysrq", "R"},
    {"send_trigger", "R"},
    {"call_plugin", "R"},
    {"data_source_op", "R"},
    {"changing_VCPUs_live", "R"},
    {"changing_memory_live", "R"},
    {"changing_shadow_memory_live", "R"},
    {"awaiting_memory_live", "R"},
    {"unpause", "P"},
    {"hard_reboot", "PR"},
    {"checkpoint", "PRS"},
    {"hard_shutdown", "PRS"},
    {"shutdown", "PRS"},
    {"get_boot_record", "PRS"},
    {"resume", "S"},
    {"resume_on", "S"},
    {"csvm", "S"},
    {"snapshot", "HPRS"},
    {"revert", "HPRS"},
    {"reverting", "HPRS"},
    {"metadata_export", "HPRS"},
    {"power_state_reset", "HPRS"},
    {"query_services", "HPRS"},
    {"assert_operation_valid", "HPRS"},
    {"update_allowed_operations", "HPRS"},
    {"import", ""},
};

static enum vm_operations op_named(const char *name)
{
    for (int op = 0; op < VM_OPERATIONS_MAX; op++)
        if (streq(vm_operations_info.names[op], name))
            return (enum vm_operations)op;
    fail_msg("no operation %s", name);
    return VM_OPERATIONS_MAX;
}

/* Only the check of power states is looked at: others come later in the order. */
static void check_cell(size_t row, int state, bool expected, const struct vm_rec *vm)
{
    struct view v = {0};
    struct error *why = ask(&v, vm, op_named(published[row].op), false);
    bool refused = why && error_is(why, "VM_BAD_POWER_STATE");

    if (refused == expected)
        print_message("%s in %s\n", published[row].op, vm_power_state_info.names[state]);
    assert_int_equal(!refused, expected);
    if (refused) {
        assert_int_equal(why->n_params, 3);
        assert_string_equal(why->params[0], VM_REF);
        assert_string_equal(why->params[2],
                            ((const char *[]){"halted", "paused", "running", "suspended"})[state]);
    }
    if (why)
        error_free(why);
}

static void every_cell_of_the_power_state_table(void **ctx)
{
    assert_int_equal(sizeof(published) / sizeof(published[0]), VM_OPERATIONS_MAX);
    for (size_t row = 0; row < VM_OPERATIONS_MAX; row++) {
        for (int state = 0; state < VM_POWER_STATE_MAX; state++) {
            struct vm_rec vm = some_vm((enum vm_power_state)state);
            char here = "HPRS"[state], special = "hprs"[state];
            bool plain = strchr(published[row].states, here) != NULL;
            bool extra = strchr(published[row].states, special) != NULL;

            check_cell(row, state, plain, &vm);
            vm.is_control_domain = true;
            check_cell(row, state, plain || (extra && special == 'r'), &vm);
            vm.is_control_domain = false;
            vm.is_a_snapshot = vm.is_a_template = true;
            check_cell(row, state, plain || (extra && special == 's'), &vm);
        }
    }
}

static void bad_power_state_names_what_is_expected(void **ctx)
{
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_RUNNING);

    assert_refusal(ask(&v, &vm, VM_OPERATIONS_DESTROY, false), "VM_BAD_POWER_STATE",
                   VM_REF "|halted, suspended|running");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_START, false), "VM_BAD_POWER_STATE",
                   VM_REF "|halted|running");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_HARD_SHUTDOWN, false), NULL, "");
}

static void suspended_vms_are_cloned_where_the_pool_allows_it(void **ctx)
{
    struct view v = {0};
    struct pool_rec pool = pool_rec_default;
    struct vm_rec vm = some_vm(VM_POWER_STATE_SUSPENDED);

    pool.self = "OpaqueRef:pool";
    fake_add(&v, CLASS_POOL, &pool);
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLONE, false), "VM_BAD_POWER_STATE",
                   VM_REF "|halted|suspended");
    pool.other_config = CONFIG("allow_clone_suspended_vm", "true");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLONE, false), NULL, "");
    pool.other_config = CONFIG("allow_clone_suspended_vm", "false");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLONE, false), "VM_BAD_POWER_STATE",
                   VM_REF "|halted|suspended");
}

/* Everything wrong at once; repairing one thing after the other shows the next reason. */
static void reasons_come_in_the_published_order(void **ctx)
{
    struct view v = {0};
    struct vdi_rec vdi = vdi_rec_default;
    struct vbd_rec vbd = vbd_rec_default;
    struct vm_guest_metrics_rec guest = vm_guest_metrics_rec_default;
    struct vm_rec vm = some_vm(VM_POWER_STATE_HALTED);

    vdi.self = "OpaqueRef:vdi";
    vdi.on_boot = ON_BOOT_RESET;
    vbd.self = "OpaqueRef:vbd";
    vbd.type = VBD_TYPE_DISK;
    vbd.VDI = vdi.self;
    guest.self = "OpaqueRef:guest";
    guest.other = CONFIG("data-cant-suspend-reason", "driver");
    fake_add(&v, CLASS_VDI, &vdi);
    fake_add(&v, CLASS_VBD, &vbd);
    fake_add(&v, CLASS_VM_GUEST_METRICS, &guest);
    vm.blocked_operations = (struct map_enum_string){1, (const int[]){VM_OPERATIONS_SUSPEND},
                                                     (const char *const[]){"not tonight"}};
    vm.current_operations = BUSY("OpaqueRef:task", VM_OPERATIONS_CLONE);
    vm.is_a_template = vm.is_a_snapshot = vm.is_control_domain = true;
    vm.platform = CONFIG("nomigrate", "true");
    vm.guest_metrics = guest.self;
    vm.inv.VBDs = REFS("OpaqueRef:vbd");
    vm.inv.attached_PCIs = REFS("OpaqueRef:pci");
    vm.inv.VGPUs = REFS("OpaqueRef:vgpu");
    vm.inv.VUSBs = REFS("OpaqueRef:vusb");

#define NEXT(code, params) assert_refusal(ask(&v, &vm, VM_OPERATIONS_SUSPEND, true), code, params)
    NEXT("OPERATION_BLOCKED", VM_REF "|not tonight");
    vm.blocked_operations.n = 0;
    NEXT("VM_BAD_POWER_STATE", VM_REF "|running|halted");
    vm.power_state = VM_POWER_STATE_RUNNING;
    NEXT("OTHER_OPERATION_IN_PROGRESS", "VM|" VM_REF "|clone|OpaqueRef:task");
    vm.current_operations.n = 0;
    NEXT("VM_IS_SNAPSHOT", VM_REF "|suspend");
    vm.is_a_snapshot = false;
    NEXT("VM_IS_TEMPLATE", VM_REF "|suspend");
    vm.is_a_template = false;
    NEXT("VM_IS_IMMOBILE", VM_REF);
    vm.platform = CONFIG("nested-virt", "1");
    NEXT("VM_IS_IMMOBILE", VM_REF);
    vm.platform.n = 0;
    NEXT("OPERATION_NOT_ALLOWED", "This operation is not allowed on a control domain");
    vm.is_control_domain = false;
    NEXT("VM_NON_SUSPENDABLE", VM_REF "|driver");
    guest.other.n = 0;
    NEXT("VM_LACKS_FEATURE", VM_REF);
    guest.other = CONFIG("feature-suspend", "1");
    NEXT("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "");
    vdi.on_boot = ON_BOOT_PERSIST;
    NEXT("VM_HAS_PCI_ATTACHED", VM_REF);
    vm.inv.attached_PCIs.n = 0;
    NEXT("VM_HAS_VGPU", VM_REF);
    vm.inv.VGPUs.n = 0;
    NEXT("VM_HAS_VUSBS", VM_REF);
    vm.inv.VUSBs.n = 0;
    NEXT(NULL, "");
#undef NEXT
}

static void templates_and_snapshots_accept_little(void **ctx)
{
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_HALTED);
    struct arena a;
    struct set_enum ops;

    arena_init(&a);
    vm.is_a_template = true;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "clone copy provision migrate_send changing_dynamic_range "
                        "changing_static_range changing_shadow_memory changing_NVRAM export "
                        "metadata_export destroy");
    vm.is_default_template = true;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "clone copy provision changing_dynamic_range changing_static_range "
                        "changing_shadow_memory changing_NVRAM export metadata_export");
    vm.is_default_template = false;
    vm.is_a_snapshot = true;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "clone copy revert export metadata_export destroy");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_PROVISION, false), "VM_IS_SNAPSHOT",
                   VM_REF "|provision");
    vm.is_a_template = vm.is_a_snapshot = false;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_PROVISION, false),
                   "PROVISION_ONLY_ALLOWED_ON_TEMPLATE", "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_REVERT, false), "REVERT_ONLY_ALLOWED_ON_SNAPSHOT",
                   "");
    arena_fini(&a);
}

static void lists_of_a_plain_vm(void **ctx)
{
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_HALTED);
    struct vm_metrics_rec metrics = vm_metrics_rec_default;
    struct arena a;
    struct set_enum ops;

    arena_init(&a);
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "snapshot clone copy start start_on migrate_send changing_dynamic_range "
                        "changing_static_range changing_shadow_memory changing_NVRAM "
                        "make_into_template export metadata_export destroy create_vtpm");
    vm.power_state = VM_POWER_STATE_RUNNING;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "snapshot pause hard_shutdown hard_reboot changing_dynamic_range "
                        "metadata_export sysprep");
    /* A paravirtualised guest needs no agent to obey. */
    metrics.self = vm.metrics = "OpaqueRef:metrics";
    metrics.current_domain_type = DOMAIN_TYPE_PV;
    fake_add(&v, CLASS_VM_METRICS, &metrics);
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "snapshot checkpoint pause clean_shutdown clean_reboot hard_shutdown "
                        "hard_reboot suspend pool_migrate migrate_send changing_dynamic_range "
                        "changing_VCPUs_live metadata_export sysprep");
    vm.power_state = VM_POWER_STATE_PAUSED;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "snapshot checkpoint unpause hard_shutdown hard_reboot metadata_export");
    vm.power_state = VM_POWER_STATE_SUSPENDED;
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "snapshot checkpoint hard_shutdown resume resume_on migrate_send export "
                        "metadata_export destroy");
    arena_fini(&a);
}

static void calls_may_try_what_the_list_does_not_promise(void **ctx)
{
    struct view v = {0};
    struct vm_guest_metrics_rec guest = vm_guest_metrics_rec_default;
    struct vm_rec vm = some_vm(VM_POWER_STATE_RUNNING);

    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_SHUTDOWN, true), "VM_LACKS_FEATURE", VM_REF);
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_SHUTDOWN, false), NULL, "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_SUSPEND, true), "VM_LACKS_FEATURE", VM_REF);
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_SUSPEND, false), NULL, "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CHANGING_VCPUS_LIVE, false), "VM_LACKS_FEATURE",
                   VM_REF);
    guest.self = vm.guest_metrics = "OpaqueRef:guest";
    fake_add(&v, CLASS_VM_GUEST_METRICS, &guest);
    guest.other = CONFIG("feature-poweroff", "1");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_SHUTDOWN, true), NULL, "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_REBOOT, true), "VM_LACKS_FEATURE", VM_REF);
    guest.other = CONFIG("feature-reboot", "1");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_SHUTDOWN, true), "VM_LACKS_FEATURE", VM_REF);
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_REBOOT, true), NULL, "");
    guest.other = CONFIG("feature-vcpu-hotplug", "1");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CHANGING_VCPUS_LIVE, true), NULL, "");
    guest.other.n = 0;
    guest.PV_drivers_detected = true;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_SUSPEND, true), NULL, "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CLEAN_REBOOT, true), NULL, "");
}

static void only_known_pairs_run_together(void **ctx)
{
    static const struct {
        const char *running, *more;
    } together[] = {
        {"clone", "clone"},
        {"clone", "copy"},
        {"clone", "export"},
        {"copy", "clone"},
        {"copy", "copy"},
        {"copy", "export"},
        {"export", "clone"},
        {"export", "copy"},
        {"export", "export"},
        {"snapshot", "snapshot"},
        {"snapshot", "checkpoint"},
        {"checkpoint", "snapshot"},
        {"checkpoint", "checkpoint"},
        {"get_boot_record", "get_boot_record"},
        {"snapshot_with_quiesce", "snapshot"},
        {"migrate_send", "metadata_export"},
        {"migrate_send", "clean_shutdown"},
        {"migrate_send", "clean_reboot"},
    };
    struct view v = {0};

    for (int running = 0; running < VM_OPERATIONS_MAX; running++) {
        for (size_t row = 0; row < VM_OPERATIONS_MAX; row++) {
            enum vm_operations op = op_named(published[row].op);
            bool expected = (op == VM_OPERATIONS_HARD_SHUTDOWN && running != (int)op) ||
                            (op == VM_OPERATIONS_HARD_REBOOT && running != (int)op &&
                             running != VM_OPERATIONS_HARD_SHUTDOWN);

            if (!*published[row].states)
                continue;
            for (size_t i = 0; i < sizeof(together) / sizeof(together[0]); i++)
                expected |= op_named(together[i].running) == (enum vm_operations)running &&
                            op_named(together[i].more) == op;
            struct vm_rec vm =
                some_vm((enum vm_power_state)(strchr("HPRS", published[row].states[0]) - "HPRS"));

            vm.current_operations = BUSY("OpaqueRef:t", running);
            struct error *why = ask(&v, &vm, op, false);
            bool busy = why && error_is(why, "OTHER_OPERATION_IN_PROGRESS");

            if (busy == expected)
                print_message("%s while %s\n", published[row].op,
                              vm_operations_info.names[running]);
            assert_int_equal(busy, !expected);
            if (why)
                error_free(why);
        }
    }
}

static void several_operations_in_the_way_are_all_named(void **ctx)
{
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_HALTED);

    vm.current_operations =
        (struct map_string_enum){2, (const char *const[]){"OpaqueRef:t1", "OpaqueRef:t2"},
                                 (const int[]){VM_OPERATIONS_CLONE, VM_OPERATIONS_EXPORT}};
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_START, false), "OTHER_OPERATION_IN_PROGRESS",
                   "VM|" VM_REF "|{clone,export}|{OpaqueRef:t1,OpaqueRef:t2}");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_COPY, false), NULL, "");
    /* One that does not fit is enough. */
    vm.current_operations.v = (const int[]){VM_OPERATIONS_CLONE, VM_OPERATIONS_SNAPSHOT};
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_COPY, false), "OTHER_OPERATION_IN_PROGRESS",
                   "VM|" VM_REF "|{clone,snapshot}|{OpaqueRef:t1,OpaqueRef:t2}");
}

static void the_rest_of_the_checks(void **ctx)
{
    struct view v = {0};
    struct pool_rec pool = pool_rec_default;
    struct vdi_rec vdi = vdi_rec_default;
    struct vbd_rec vbd = vbd_rec_default;
    struct vm_guest_metrics_rec guest = vm_guest_metrics_rec_default;
    struct vm_rec vm = some_vm(VM_POWER_STATE_HALTED);

    vm.inv.VTPMs = REFS("OpaqueRef:vtpm");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CREATE_VTPM, false), "VTPM_MAX_AMOUNT_REACHED", "1");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_QUERY_SERVICES, false), "NOT_SYSTEM_DOMAIN", VM_REF);
    vm.snapshot_schedule = "OpaqueRef:vmss";
    vm.protection_policy = "OpaqueRef:vmpp";
    vm.appliance = "OpaqueRef:appliance";
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_MAKE_INTO_TEMPLATE, false),
                   "VM_IS_PART_OF_AN_APPLIANCE", VM_REF "|OpaqueRef:appliance");
    vm.appliance = REF_NULL;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_MAKE_INTO_TEMPLATE, false),
                   "VM_ASSIGNED_TO_PROTECTION_POLICY", VM_REF "|OpaqueRef:vmpp");
    vm.protection_policy = REF_NULL;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_MAKE_INTO_TEMPLATE, false),
                   "VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE", VM_REF "|OpaqueRef:vmss");
    vm.power_state = VM_POWER_STATE_RUNNING;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_SNAPSHOT_WITH_QUIESCE, false),
                   "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
                   VM_REF "|no guest agent can quiesce the file systems");

    pool.self = "OpaqueRef:pool";
    pool.other_config = CONFIG("rolling_upgrade_in_progress", "");
    fake_add(&v, CLASS_POOL, &pool);
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_SNAPSHOT, false), "NOT_SUPPORTED_DURING_UPGRADE", "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_POOL_MIGRATE, false), NULL, "");

    /* A disk that starts afresh at each boot may move with its VM, unless its writes are cached. */
    vdi.self = vbd.VDI = "OpaqueRef:vdi";
    vdi.on_boot = ON_BOOT_RESET;
    vbd.self = "OpaqueRef:vbd";
    vbd.type = VBD_TYPE_DISK;
    guest.self = vm.guest_metrics = "OpaqueRef:guest";
    guest.PV_drivers_detected = true;
    fake_add(&v, CLASS_VDI, &vdi);
    fake_add(&v, CLASS_VBD, &vbd);
    fake_add(&v, CLASS_VM_GUEST_METRICS, &guest);
    vm.inv.VBDs = REFS("OpaqueRef:vbd");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_POOL_MIGRATE, true), NULL, "");
    vdi.allow_caching = true;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_POOL_MIGRATE, true),
                   "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "");
}

static void control_domains_are_left_alone(void **ctx)
{
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_RUNNING);
    struct arena a;
    struct set_enum ops;

    vm.is_control_domain = true;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CHANGING_VCPUS, false), NULL, "");
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_HARD_SHUTDOWN, false), "OPERATION_NOT_ALLOWED",
                   "This operation is not allowed on a control domain");
    vm.domid = 0;
    assert_refusal(ask(&v, &vm, VM_OPERATIONS_CHANGING_VCPUS, false), "OPERATION_NOT_ALLOWED",
                   "This operation is not allowed on dom0");
    arena_init(&a);
    derive_vm_allowed_operations(&v, &a, &vm, &ops);
    assert_string_equal(fake_names(&ops, &vm_operations_info),
                        "changing_dynamic_range changing_static_range metadata_export");
    arena_fini(&a);
}

/* Not a proof of speed, but it fails if an allocation or a search creeps in. The hand-made view
 * is slower than the store's. */
static void deriving_is_cheap(void **ctx)
{
    enum { N = 20000 };
    struct view v = {0};
    struct vm_rec vm = some_vm(VM_POWER_STATE_RUNNING);
    struct timespec from, to;
    struct set_enum ops;
    struct arena a;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < N / 100; i++) {
        arena_init(&a);
        for (int k = 0; k < 100; k++)
            derive_vm_allowed_operations(&v, &a, &vm, &ops);
        assert_true(a.used < 100 * 256);
        arena_fini(&a);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    double us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;

    print_message("allowed_operations of a VM: %.2f us\n", us / N);
    assert_true(us / N < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_power_state_table),
        cmocka_unit_test(bad_power_state_names_what_is_expected),
        cmocka_unit_test(suspended_vms_are_cloned_where_the_pool_allows_it),
        cmocka_unit_test(reasons_come_in_the_published_order),
        cmocka_unit_test(templates_and_snapshots_accept_little),
        cmocka_unit_test(lists_of_a_plain_vm),
        cmocka_unit_test(calls_may_try_what_the_list_does_not_promise),
        cmocka_unit_test(only_known_pairs_run_together),
        cmocka_unit_test(several_operations_in_the_way_are_all_named),
        cmocka_unit_test(the_rest_of_the_checks),
        cmocka_unit_test(control_domains_are_left_alone),
        cmocka_unit_test(deriving_is_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
