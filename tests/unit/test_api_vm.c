/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bodies of VM with the real store and engine and a host made of a few variables: what is undone
 * when the host refuses in the middle, and roles of single keys.
 */
#include "api/vm/plans.h"
#include "base/str.h"
#include "base/workers.h"
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
#include "proto/client.h"
#include "rpc/begin.h"
#include "rpc/call.h"
#include "task/engine.h"
#include "task/waiting.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct plan_type *const types[] = {&plan_vm_snapshot, &plan_vm_clone,
                                                &plan_vm_set_vcpus_number_live, NULL};

/* What the host was asked, one word a call; which call of a kind it refuses. */
static struct {
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
    default:
        return "other";
    }
}

uint64_t hostd_connections(struct hostd *h)
{
    return 1;
}

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
    return NULL;
}

/* A running VM with two disks. */
struct bed {
    struct daemon d;
    struct call c;
    struct arena a;
    struct message msg;
    const char *vm, *sr, *disk[2];
};

static const struct commit_info info = {.who = "tester", .task = "", .call = "test"};

static void assert_ok(struct error *e)
{
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        fail_msg("%s", text);
    }
}

static void assert_code(struct error *e, const char *code)
{
    assert_non_null(e);
    assert_string_equal(e->code ? e->code : "none", code);
    error_free(e);
}

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
    pbd->host = b->d.host_ref = arena_strdup(&b->a, h->self);
    pbd->currently_attached = true;
    b->sr = arena_strdup(&b->a, sr->self);
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
    b->disk[i] = arena_strdup(&b->a, vdi->self);
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
    vm->resident_on = b->d.host_ref;
    vm->metrics = metrics->self;
    vm->guest_metrics = guest->self;
    b->vm = arena_strdup(&b->a, vm->self);
    make_disk(b, t, 0);
    make_disk(b, t, 1);
}

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
    struct error *error;
};

static void on_done(void *ctx, const struct error *error, json_t *result)
{
    struct outcome *o = ctx;

    pthread_mutex_lock(&o->lock);
    o->over = true;
    if (error)
        o->error = error_api_v(error->code, (const char *const *)error->params, error->n_params);
    pthread_cond_signal(&o->ended);
    pthread_mutex_unlock(&o->lock);
}

static struct error *follow_plan(struct bed *b)
{
    struct outcome o = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

    engine_start(b->d.engine, b->c.plan, on_done, &o);
    pthread_mutex_lock(&o.lock);
    while (!o.over)
        pthread_cond_wait(&o.ended, &o.lock);
    pthread_mutex_unlock(&o.lock);
    return o.error;
}

static void begin_call(struct bed *b, uint32_t roles)
{
    b->c = (struct call){
        .daemon = &b->d,
        .arena = &b->a,
        .txn = txn_new(b->d.store, &b->a),
        .msg = &b->msg,
        .session = "",
        .user = "tester",
        .task = "",
        .roles = roles,
        .superuser = !roles,
    };
}

/* What rpc does after a body. */
static struct error *end_call(struct bed *b, struct error *e)
{
    if (!e && b->c.plan)
        plan_seal(b->c.plan, b->c.txn);
    if (!e && txn_has_writes(b->c.txn))
        e = txn_commit(b->c.txn, &info);
    txn_free(b->c.txn);
    if (e && b->c.plan)
        plan_discard(b->c.plan);
    return !e && b->c.plan ? follow_plan(b) : e;
}

static struct error *snapshot(struct bed *b)
{
    const struct vm_snapshot_args args = {.vm = b->vm, .new_name = "s"};
    const char *ret;

    begin_call(b, 0);
    return end_call(b, api_vm_snapshot(&b->c, &args, &ret));
}

static struct error *set_vcpus(struct bed *b, int64_t n)
{
    const struct vm_set_vcpus_number_live_args args = {.self = b->vm, .nvcpu = n};

    begin_call(b, 0);
    return end_call(b, api_vm_set_vcpus_number_live(&b->c, &args));
}

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);
    struct db *db;

    arena_init(&b->a);
    b->msg.name = "test";
    assert_ok(db_mem_open(&db));
    assert_ok(store_open(db, NULL, &b->d.store));
    assert_ok(workers_new("test", 2, 10, &b->d.workers));
    assert_ok(waiting_new(b->d.store, &b->d.waiting));
    b->d.engine = engine_new(&b->d, types);
    struct txn *t = txn_new(b->d.store, &b->a);

    make_storage(b, t);
    make_vm(b, t);
    assert_ok(txn_commit(t, &info));
    txn_free(t);
    host.refuse = NULL;
    str_clear(&host.asked);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    engine_free(b->d.engine);
    waiting_free(b->d.waiting);
    workers_free(b->d.workers);
    store_close(b->d.store);
    arena_fini(&b->a);
    free(b);
    str_fini(&host.asked);
    host.asked = STR_INIT;
    return 0;
}

static void assert_rows(struct bed *b, size_t vms, size_t vdis, size_t vbds)
{
    assert_int_equal(store_count(b->d.store, CLASS_VM), vms);
    assert_int_equal(store_count(b->d.store, CLASS_VDI), vdis);
    assert_int_equal(store_count(b->d.store, CLASS_VBD), vbds);
}

static void assert_idle(struct bed *b)
{
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);
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
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);

    assert_int_equal(txn_find_vdi(t, b->disk[0])->physical_utilisation, 7);
    assert_int_equal(txn_find_sr(t, b->sr)->virtual_allocation, 2 << 20);
}

static void test_refused_snapshot_leaves_nothing(void **state)
{
    struct bed *b = *state;

    host.refuse = "snapshot";
    host.refuse_nth = 2;
    assert_code(snapshot(b), ERR_INTERNAL_ERROR);
    assert_string_equal(str_cstr(&host.asked), "snapshot props snapshot destroy destroy");
    assert_rows(b, 1, 2, 2);
    assert_idle(b);
    assert_ok(snapshot(b)); /* the way is free */
}

/* What speaks against the second disk is found before the host is asked for anything. */
static void test_all_disks_are_checked_first(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->d.store, &b->a);
    struct vdi_rec *vdi;

    assert_ok(txn_edit_vdi(t, b->disk[1], &vdi));
    vdi->sharable = true;
    assert_ok(txn_commit(t, &info));
    txn_free(t);
    assert_code(snapshot(b), ERR_VDI_IS_SHARABLE);
    assert_string_equal(str_cstr(&host.asked), "");
    assert_rows(b, 1, 2, 2);
    assert_idle(b);
}

static void test_vcpus_live(void **state)
{
    struct bed *b = *state;

    assert_ok(set_vcpus(b, 3));
    assert_string_equal(str_cstr(&host.asked), "vcpus:3");
    assert_code(set_vcpus(b, 5), ERR_INVALID_VALUE);
    assert_code(set_vcpus(b, 0), ERR_INVALID_VALUE);
    _cleanup_txn_ struct txn *t = txn_new(b->d.store, &b->a);
    const struct vm_rec *vm = txn_find_vm(t, b->vm);

    assert_int_equal(vm->VCPUs_at_startup, 3);
    assert_int_equal(txn_find_vm_metrics(t, vm->metrics)->VCPUs_number, 3);
}

static void test_refused_vcpus_are_taken_back(void **state)
{
    struct bed *b = *state;

    host.refuse = "vcpus";
    host.refuse_nth = 1;
    assert_code(set_vcpus(b, 3), ERR_INTERNAL_ERROR);
    assert_string_equal(str_cstr(&host.asked), "vcpus:3 vcpus:1");
    assert_idle(b);
}

static struct error *set_other_config(struct bed *b, uint32_t roles, const char *key,
                                      const char *value)
{
    const struct vm_set_other_config_args args = {
        .self = b->vm, .value = {.n = key ? 1 : 0, .k = &key, .v = &value}};

    begin_call(b, roles);
    return end_call(b, api_vm_set_other_config(&b->c, &args));
}

/* The whole map is no way around the role of a key. */
static void test_keys_have_roles(void **state)
{
    const uint32_t admin = ROLE_BIT(ROLE_VM_ADMIN), root = ROLE_BIT(ROLE_POOL_ADMIN) | admin;
    struct bed *b = *state;

    assert_ok(set_other_config(b, admin, "colour", "red"));
    assert_code(set_other_config(b, admin, "pci", "0/0000:00:02.0"), ERR_RBAC_PERMISSION_DENIED);
    assert_ok(set_other_config(b, root, "pci", "0/0000:00:02.0"));
    assert_ok(set_other_config(b, admin, "pci", "0/0000:00:02.0")); /* as it was */
    assert_code(set_other_config(b, admin, "PCI", "x"), ERR_RBAC_PERMISSION_DENIED);
    assert_code(set_other_config(b, admin, NULL, NULL), ERR_RBAC_PERMISSION_DENIED);
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
        cmocka_unit_test_setup_teardown(test_keys_have_roles, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
