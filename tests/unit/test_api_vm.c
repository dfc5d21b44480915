/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bodies of VM with the real store and engine and a host made of a few variables: what is undone
 * when the host refuses in the middle, and roles of single keys.
 */
#include "api/vm/host_events.h"
#include "base/str.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SM_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/VM.h"
#include "gen/roles.h"
#include "lib/call_bed.h"
#include "proto/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What the host was asked, one word a call; which call of a kind it refuses; what runs there. */
static struct {
    struct host_domain_rec domains[2];
    size_t n_domains;
    const char *hostname; /* what the agents say, NULL = there are none */
    pthread_mutex_t lock;
    struct str asked;
    const char *refuse;
    int refuse_nth; /* the first is 1 */
} host = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer_snapshot(const struct host_vdi_snapshot_args *a,
                            struct host_vdi_snapshot_result *ret)
{
    ret->vdi = (struct host_vdi_rec){
        .uuid = a->uuid, .location = a->uuid, .virtual_size = 1 << 20, .physical_utilisation = 7};
    ret->snapshot = ret->vdi;
    ret->snapshot.uuid = ret->snapshot.location = a->snapshot;
}

static const char *name_of_call(int call_id)
{
    switch (call_id) {
    case HOST_CALL_VDI_SNAPSHOT:
        return "snapshot";
    case HOST_CALL_VDI_SET_PROPS:
        return "props";
    case HOST_CALL_VDI_DESTROY:
        return "destroy";
    case HOST_CALL_VM_SET_VCPUS:
        return "vcpus";
    case HOST_CALL_VM_LIST:
        return "list";
    case HOST_CALL_VM_QUERY:
        return "query";
    case HOST_CALL_VM_DESTROY:
        return "end";
    case HOST_CALL_VM_GUEST_INFO:
        return "agent";
    default:
        return "other";
    }
}

uint64_t hostd_connections(struct hostd *h)
{
    return 1;
}

static const char *const hostname_key = "hostname";

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    const char *name = name_of_call(call_id);
    bool refused = false;

    pthread_mutex_lock(&host.lock);
    str_printf(&host.asked, "%s%s", host.asked.len ? " " : "", name);
    if (call_id == HOST_CALL_VM_SET_VCPUS)
        str_printf(&host.asked, ":%d", (int)((const struct host_vm_set_vcpus_args *)args)->vcpus);
    if (host.refuse && streq(host.refuse, name))
        refused = --host.refuse_nth == 0;
    pthread_mutex_unlock(&host.lock);
    if (refused)
        return error_text("the host says no");
    if (call_id == HOST_CALL_VDI_SNAPSHOT)
        answer_snapshot(args, ret);
    if (call_id == HOST_CALL_VM_LIST)
        ((struct host_vm_list_result *)ret)->domains =
            (struct set_host_domain_rec){.n = host.n_domains, .v = host.domains};
    if (call_id == HOST_CALL_VM_QUERY)
        *(struct host_vm_query_result *)ret = (struct host_vm_query_result){
            .found = true, .domains = {.n = host.n_domains, .v = host.domains}};
    if (call_id == HOST_CALL_VM_GUEST_INFO)
        *(struct host_vm_guest_info_result *)ret = (struct host_vm_guest_info_result){
            .info = {.n = host.hostname ? 1 : 0, .k = &hostname_key, .v = &host.hostname}};
    if (call_id == HOST_CALL_VM_DESTROY)
        host.n_domains--;
    return NULL;
}

/* A running VM with two disks. */
struct bed {
    struct call_bed call;
    const char *vm, *sr, *disk[2];
};

static void make_storage(struct bed *b, struct txn *t)
{
    static const char *const features[] = {"VDI_SNAPSHOT", "VDI_CLONE", "VDI_CREATE"};
    static const int64_t versions[] = {1, 1, 1};
    struct host_rec *h = txn_new_host(t);
    struct sm_rec *sm = txn_new_sm(t);
    struct sr_rec *sr = txn_new_sr(t);
    struct pbd_rec *pbd = txn_new_pbd(t);

    sm->type = sr->type = "sim";
    sm->features = (struct map_string_int){.n = ARRAY_SIZE(features), .k = features, .v = versions};
    pbd->SR = sr->self;
    pbd->host = b->call.d.host_ref = arena_strdup(&b->call.a, h->self);
    pbd->currently_attached = true;
    b->sr = arena_strdup(&b->call.a, sr->self);
}

static void make_disk(struct bed *b, struct txn *t, int i)
{
    struct vdi_rec *vdi = txn_new_vdi(t);
    struct vbd_rec *vbd = txn_new_vbd(t);

    vdi->SR = b->sr;
    vdi->managed = true;
    vdi->virtual_size = 1 << 20;
    vbd->VM = b->vm;
    vbd->VDI = vdi->self;
    vbd->userdevice = i ? "1" : "0";
    vbd->type = VBD_TYPE_DISK;
    vbd->mode = VBD_MODE_RW;
    vbd->currently_attached = true;
    b->disk[i] = arena_strdup(&b->call.a, vdi->self);
}

static void make_vm(struct bed *b, struct txn *t)
{
    static const char *const keys[] = {"feature-vcpu-hotplug"};
    static const char *const values[] = {"1"};
    struct vm_rec *vm = txn_new_vm(t);
    struct vm_guest_metrics_rec *guest = txn_new_vm_guest_metrics(t);
    struct vm_metrics_rec *metrics = txn_new_vm_metrics(t);

    metrics->VCPUs_number = 1;
    guest->other = (struct map_string_string){.n = 1, .k = keys, .v = values};
    vm->power_state = VM_POWER_STATE_RUNNING;
    vm->domain_type = DOMAIN_TYPE_HVM;
    vm->VCPUs_max = 4;
    vm->VCPUs_at_startup = 1;
    vm->resident_on = b->call.d.host_ref;
    vm->metrics = metrics->self;
    vm->guest_metrics = guest->self;
    b->vm = arena_strdup(&b->call.a, vm->self);
    make_disk(b, t, 0);
    make_disk(b, t, 1);
}

static struct error *snapshot(struct bed *b)
{
    const struct vm_snapshot_args args = {.vm = b->vm, .new_name = "s"};

    return call_run(&b->call, MID_VM_SNAPSHOT, &args);
}

static struct error *set_vcpus(struct bed *b, int64_t n)
{
    const struct vm_set_vcpus_number_live_args args = {.self = b->vm, .nvcpu = n};

    return call_run(&b->call, MID_VM_SET_VCPUS_NUMBER_LIVE, &args);
}

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);

    call_bed_init(&b->call);
    struct txn *t = txn_new(b->call.d.store, &b->call.a);

    make_storage(b, t);
    make_vm(b, t);
    call_bed_commit(t);
    host.refuse = NULL;
    str_clear(&host.asked);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    call_bed_fini(&b->call);
    free(b);
    str_fini(&host.asked);
    host.asked = STR_INIT;
    return 0;
}

static void assert_rows(struct bed *b, size_t vms, size_t vdis, size_t vbds)
{
    assert_int_equal(store_count(b->call.d.store, CLASS_VM), vms);
    assert_int_equal(store_count(b->call.d.store, CLASS_VDI), vdis);
    assert_int_equal(store_count(b->call.d.store, CLASS_VBD), vbds);
}

static void assert_idle(struct bed *b)
{
    _cleanup_txn_ struct txn *t = txn_new(b->call.d.store, &b->call.a);
    const struct vm_rec *vm;
    const struct sr_rec *sr;

    assert_ok(txn_vm(t, b->vm, &vm));
    assert_ok(txn_sr(t, b->sr, &sr));
    assert_int_equal(vm->current_operations.n, 0);
    assert_int_equal(sr->current_operations.n, 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(txn_find_vdi(t, b->disk[i])->current_operations.n, 0);
}

static void test_snapshot_makes_every_disk(void **state)
{
    struct bed *b = *state;

    assert_ok(snapshot(b));
    assert_string_equal(str_cstr(&host.asked), "snapshot props snapshot props");
    assert_rows(b, 2, 4, 4);
    assert_idle(b);
    _cleanup_txn_ struct txn *t = txn_new(b->call.d.store, &b->call.a);

    assert_int_equal(txn_find_vdi(t, b->disk[0])->physical_utilisation, 7);
    assert_int_equal(txn_find_sr(t, b->sr)->virtual_allocation, 2 << 20);
}

static void test_refused_snapshot_leaves_nothing(void **state)
{
    struct bed *b = *state;

    host.refuse = "snapshot";
    host.refuse_nth = 2;
    assert_fails(snapshot(b), ERR_INTERNAL_ERROR);
    assert_string_equal(str_cstr(&host.asked), "snapshot props snapshot destroy destroy");
    assert_rows(b, 1, 2, 2);
    assert_idle(b);
    assert_ok(snapshot(b)); /* the way is free */
}

/* What speaks against the second disk is found before the host is asked for anything. */
static void test_all_disks_are_checked_first(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct vdi_rec *vdi;

    assert_ok(txn_edit_vdi(t, b->disk[1], &vdi));
    vdi->sharable = true;
    call_bed_commit(t);
    assert_fails(snapshot(b), ERR_VDI_IS_SHARABLE);
    assert_string_equal(str_cstr(&host.asked), "");
    assert_rows(b, 1, 2, 2);
    assert_idle(b);
}

static void test_vcpus_live(void **state)
{
    struct bed *b = *state;

    assert_ok(set_vcpus(b, 3));
    assert_string_equal(str_cstr(&host.asked), "vcpus:3");
    assert_fails(set_vcpus(b, 5), ERR_INVALID_VALUE);
    assert_fails(set_vcpus(b, 0), ERR_INVALID_VALUE);
    _cleanup_txn_ struct txn *t = txn_new(b->call.d.store, &b->call.a);
    const struct vm_rec *vm = txn_find_vm(t, b->vm);

    assert_int_equal(vm->VCPUs_at_startup, 3);
    assert_int_equal(txn_find_vm_metrics(t, vm->metrics)->VCPUs_number, 3);
}

static void test_refused_vcpus_are_taken_back(void **state)
{
    struct bed *b = *state;

    host.refuse = "vcpus";
    host.refuse_nth = 1;
    assert_fails(set_vcpus(b, 3), ERR_INTERNAL_ERROR);
    assert_string_equal(str_cstr(&host.asked), "vcpus:3 vcpus:1");
    assert_idle(b);
}

/* Asked for again by the next look at the host, and once it succeeds no more. */
static void test_what_fails_at_a_connection_is_made_good(void **state)
{
    static const char *const failing[] = {"list", "end", "agent"};
    struct bed *b = *state;
    const struct vm_rec *vm = call_bed_row(&b->call, CLASS_VM, b->vm);

    for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
        host.domains[0] = (struct host_domain_rec){
            .uuid = vm->uuid, .domid = vm->domid, .run = "", .state = "running", .stop = ""};
        host.domains[1] = (struct host_domain_rec){
            .uuid = "11111111-2222-4333-8444-555555555555", .run = "", .state = "paused"};
        host.n_domains = 2;
        host.refuse = failing[i];
        host.refuse_nth = 1;
        error_free(vm_reconcile(&b->call.d));
        str_clear(&host.asked);
        assert_ok(vm_compare(&b->call.d));
        assert_string_equal(str_cstr(&host.asked),
                            streq(failing[i], "agent") ? "list agent" : "list agent end");
        assert_int_equal(host.n_domains, 1);
        str_clear(&host.asked);
        assert_ok(vm_compare(&b->call.d));
        assert_string_equal(str_cstr(&host.asked), "list");
    }
}

/* Its agent came while nobody listened, and then it was paused. */
static void test_a_guest_that_goes_on_is_asked(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct vm_rec *vm;

    assert_ok(txn_edit_vm(t, b->vm, &vm));
    vm->guest_metrics = REF_NULL;
    vm->power_state = VM_POWER_STATE_PAUSED;
    const char *uuid = arena_strdup(&b->call.a, vm->uuid);
    int64_t domid = vm->domid;

    call_bed_commit(t);
    host.domains[0] = (struct host_domain_rec){
        .uuid = uuid, .domid = domid, .run = "", .state = "paused", .stop = ""};
    host.n_domains = 1;
    host.hostname = "guest";
    assert_ok(vm_reconcile(&b->call.d));
    assert_string_equal(str_cstr(&host.asked), "list");
    host.domains[0].state = "running";
    vm_host_event(&b->call.d,
                  &(struct host_event_rec){.kind = "state", .uuid = uuid, .state = "running"});
    const struct vm_rec *now = call_bed_row(&b->call, CLASS_VM, b->vm);
    const struct vm_guest_metrics_rec *said =
        call_bed_row(&b->call, CLASS_VM_GUEST_METRICS, now->guest_metrics);

    host.hostname = NULL;
    assert_int_equal(now->power_state, VM_POWER_STATE_RUNNING);
    assert_non_null(said);
    assert_string_equal(said->netbios_name.v[0], "guest");
}

static struct error *set_other_config(struct bed *b, uint32_t roles, const char *key,
                                      const char *value)
{
    const struct vm_set_other_config_args args = {
        .self = b->vm, .value = {.n = key ? 1 : 0, .k = &key, .v = &value}};

    b->call.roles = roles;
    return call_run(&b->call, MID_VM_SET_OTHER_CONFIG, &args);
}

/* The whole map is no way around the role of a key. */
static void test_keys_have_roles(void **state)
{
    const uint32_t admin = ROLE_BIT(ROLE_VM_ADMIN), root = ROLE_BIT(ROLE_POOL_ADMIN) | admin;
    struct bed *b = *state;

    assert_ok(set_other_config(b, admin, "colour", "red"));
    assert_fails(set_other_config(b, admin, "pci", "0/0000:00:02.0"), ERR_RBAC_PERMISSION_DENIED);
    assert_ok(set_other_config(b, root, "pci", "0/0000:00:02.0"));
    assert_ok(set_other_config(b, admin, "pci", "0/0000:00:02.0")); /* as it was */
    assert_fails(set_other_config(b, admin, "PCI", "x"), ERR_RBAC_PERMISSION_DENIED);
    assert_fails(set_other_config(b, admin, NULL, NULL), ERR_RBAC_PERMISSION_DENIED);
    assert_ok(set_other_config(b, root, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshot_makes_every_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_snapshot_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_disks_are_checked_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vcpus_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_vcpus_are_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_fails_at_a_connection_is_made_good, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_guest_that_goes_on_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_have_roles, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
