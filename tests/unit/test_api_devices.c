/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bodies of VBD and VIF with the real store and engine, and a host made of a few variables:
 * what they ask of the host, what the rows say afterwards, and what is left when the host refuses.
 */
#include "api/vbd/plans.h"
#include "api/vif/plans.h"
#include "base/str.h"
#include "base/workers.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/VBD.h"
#include "gen/msg/VIF.h"
#include "proto/client.h"
#include "rpc/begin.h"
#include "rpc/call.h"
#include "task/engine.h"
#include "task/waiting.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct plan_type *const types[] = {
    &plan_vbd_plug, &plan_vbd_unplug, &plan_vbd_insert, &plan_vbd_eject,
    &plan_vif_plug, &plan_vif_unplug, &plan_vif_move,   NULL};

/* What the host was asked, one word a call, and how it is to answer. */
static struct {
    pthread_mutex_t lock;
    struct str asked;
    const char *refuse; /* calls that begin so fail */
} host = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void describe_call(struct str *s, int call_id, const void *args)
{
    const struct host_vm_attach_disk_args *disk = args;
    const struct host_vm_detach_disk_args *gone = args;
    const struct host_vm_change_media_args *media = args;
    const struct host_vm_attach_nic_args *nic = args;
    const struct host_vm_detach_nic_args *nic_gone = args;

    if (call_id == HOST_CALL_VM_ATTACH_DISK)
        str_printf(s, "attach_disk:%d:%s", (int)disk->disk.device, disk->disk.vdi);
    else if (call_id == HOST_CALL_VM_DETACH_DISK)
        str_printf(s, "detach_disk:%d:%d", (int)gone->device, (int)gone->timeout);
    else if (call_id == HOST_CALL_VM_CHANGE_MEDIA)
        str_printf(s, "media:%d:%s", (int)media->disk.device, media->disk.vdi);
    else if (call_id == HOST_CALL_VM_ATTACH_NIC)
        str_printf(s, "attach_nic:%d:%s", (int)nic->nic.device, nic->nic.bridge);
    else if (call_id == HOST_CALL_VM_DETACH_NIC)
        str_printf(s, "detach_nic:%d", (int)nic_gone->device);
    else
        str_printf(s, "call %d", call_id);
}

uint64_t hostd_connections(struct hostd *h)
{
    return 1;
}

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    _cleanup_str_ struct str line = STR_INIT;
    bool refused;

    describe_call(&line, call_id, args);
    pthread_mutex_lock(&host.lock);
    str_printf(&host.asked, "%s%s", host.asked.len ? " " : "", line.s);
    refused = host.refuse && str_starts(line.s, host.refuse);
    pthread_mutex_unlock(&host.lock);
    if (!refused)
        return NULL;
    if (str_starts(line.s, "detach"))
        return error_api("DEVICE_DETACH_TIMEOUT", 2, strstr(line.s, "nic") ? "VIF" : "VBD", "0");
    return error_text("the host says no");
}

/* The rows of a running VM with a disk, a drive and a card. */
struct bed {
    struct daemon d;
    struct call c;
    struct arena a;
    struct message msg;
    const char *vm, *disk, *disk_uuid, *disc, *disc_uuid, *vbd, *cd, *net, *other_net, *vif;
};

static const struct commit_info info = {.who = "tester", .task = "", .call = "test"};

static void assert_ok(struct error *e)
{
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        fail_msg("%s", text);
    }
}

static void make_storage(struct bed *b, struct txn *t)
{
    struct host_rec *h = txn_new_host(t);
    struct sr_rec *sr = txn_new_sr(t);
    struct sr_rec *isos = txn_new_sr(t);
    struct pbd_rec *pbd = txn_new_pbd(t);
    struct pbd_rec *iso_pbd = txn_new_pbd(t);
    struct vdi_rec *disk = txn_new_vdi(t);
    struct vdi_rec *disc = txn_new_vdi(t);

    isos->content_type = "iso";
    pbd->SR = disk->SR = sr->self;
    iso_pbd->SR = disc->SR = isos->self;
    pbd->host = iso_pbd->host = b->d.host_ref = arena_strdup(&b->a, h->self);
    pbd->currently_attached = iso_pbd->currently_attached = true;
    disk->managed = disc->managed = true;
    disk->type = disc->type = VDI_TYPE_USER;
    b->disk = arena_strdup(&b->a, disk->self);
    b->disc = arena_strdup(&b->a, disc->self);
    b->disk_uuid = arena_strdup(&b->a, disk->uuid);
    b->disc_uuid = arena_strdup(&b->a, disc->uuid);
}

static void make_vm(struct bed *b, struct txn *t)
{
    struct vm_rec *vm = txn_new_vm(t);
    struct network_rec *net = txn_new_network(t);
    struct network_rec *other = txn_new_network(t);

    vm->power_state = VM_POWER_STATE_RUNNING;
    vm->domain_type = DOMAIN_TYPE_HVM;
    vm->domid = 1;
    vm->resident_on = b->d.host_ref;
    net->bridge = "br0";
    other->bridge = "br1";
    net->managed = other->managed = true;
    b->vm = arena_strdup(&b->a, vm->self);
    b->net = arena_strdup(&b->a, net->self);
    b->other_net = arena_strdup(&b->a, other->self);
}

/* Runs a body as rpc does: again on a conflict, the plan to its end. */
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
        o->error = error_api_v(error->code ? error->code : "system",
                               (const char *const *)error->params, error->n_params);
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

typedef struct error *(*body_fn)(struct call *c, const void *args, void *ret);

static struct error *run(struct bed *b, body_fn body, const void *args, void *ret)
{
    struct txn *t = txn_new(b->d.store, &b->a);
    struct error *e;

    b->c = (struct call){.daemon = &b->d,
                         .arena = &b->a,
                         .txn = t,
                         .msg = &b->msg,
                         .session = "",
                         .user = "tester",
                         .task = ""};
    e = body(&b->c, args, ret);
    if (!e && b->c.plan)
        plan_seal(b->c.plan, t);
    if (!e && txn_has_writes(t))
        e = txn_commit(t, &info);
    txn_free(t);
    if (e && b->c.plan)
        plan_discard(b->c.plan);
    return !e && b->c.plan ? follow_plan(b) : e;
}

/* Bodies have typed arguments; the call through one pointer type is what generated code does too,
 * with adapters. */
#define ADAPT(name, args_type)                                                                     \
    static struct error *do_##name(struct call *c, const void *args, void *ret)                    \
    {                                                                                              \
        return api_##name(c, (const struct args_type *)args);                                      \
    }
#define ADAPT_RET(name, args_type)                                                                 \
    static struct error *do_##name(struct call *c, const void *args, void *ret)                    \
    {                                                                                              \
        return api_##name(c, (const struct args_type *)args, (const char **)ret);                  \
    }
ADAPT_RET(vbd_create, vbd_create_args)
ADAPT(vbd_destroy, vbd_destroy_args)
ADAPT(vbd_plug, vbd_plug_args)
ADAPT(vbd_unplug, vbd_unplug_args)
ADAPT(vbd_unplug_force, vbd_unplug_force_args)
ADAPT(vbd_insert, vbd_insert_args)
ADAPT(vbd_eject, vbd_eject_args)
ADAPT(vbd_assert_attachable, vbd_assert_attachable_args)
ADAPT_RET(vif_create, vif_create_args)
ADAPT(vif_plug, vif_plug_args)
ADAPT(vif_unplug, vif_unplug_args)
ADAPT(vif_move, vif_move_args)

static const char *create_vbd(struct bed *b, struct vbd_ctor ctor)
{
    struct vbd_create_args args = {.args = ctor};
    const char *ref = NULL;

    args.args.VM = b->vm;
    assert_ok(run(b, do_vbd_create, &args, &ref));
    return arena_strdup(&b->a, ref);
}

static struct vbd_ctor vbd_of(int type, const char *vdi)
{
    struct vbd_ctor c = vbd_ctor_default;

    c.type = type;
    c.mode = type == VBD_TYPE_CD ? VBD_MODE_RO : VBD_MODE_RW;
    c.VDI = vdi;
    c.empty = streq(vdi, REF_NULL);
    c.userdevice = "autodetect";
    c.unpluggable = true;
    return c;
}

static const char *create_vif(struct bed *b)
{
    struct vif_create_args args = {.args = vif_ctor_default};
    const char *ref = NULL;

    args.args.VM = b->vm;
    args.args.network = b->net;
    args.args.device = "autodetect";
    assert_ok(run(b, do_vif_create, &args, &ref));
    return arena_strdup(&b->a, ref);
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
    b->vbd = create_vbd(b, vbd_of(VBD_TYPE_DISK, b->disk));
    b->cd = create_vbd(b, vbd_of(VBD_TYPE_CD, REF_NULL));
    b->vif = create_vif(b);
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

/* What the host was asked since the last look. */
static void assert_asked(const char *expected)
{
    pthread_mutex_lock(&host.lock);
    assert_string_equal(str_cstr(&host.asked), expected);
    str_clear(&host.asked);
    pthread_mutex_unlock(&host.lock);
}

static void assert_fails(struct error *e, const char *code, const char *first)
{
    assert_non_null(e);
    assert_string_equal(e->code, code);
    if (first)
        assert_string_equal(e->params[0], first);
    error_free(e);
}

static const struct vbd_rec *vbd(struct bed *b, const char *ref)
{
    struct version *v = store_find(b->d.store, CLASS_VBD, ref);

    assert_non_null(v);
    arena_on_end(&b->a, (void (*)(void *))version_unref, v);
    return v->rec;
}

static const struct vif_rec *vif(struct bed *b)
{
    struct version *v = store_find(b->d.store, CLASS_VIF, b->vif);

    arena_on_end(&b->a, (void (*)(void *))version_unref, v);
    return v->rec;
}

static void set_power(struct bed *b, enum vm_power_state state)
{
    struct txn *t = txn_new(b->d.store, &b->a);
    struct vm_rec *vm;

    assert_ok(txn_edit_vm(t, b->vm, &vm));
    vm->power_state = (int)state;
    assert_ok(txn_commit(t, &info));
    txn_free(t);
}

static void a_disk_is_plugged_and_unplugged(void **state)
{
    struct bed *b = *state;
    const char *plugged = arena_printf(&b->a, "attach_disk:0:%s", b->disk_uuid);

    assert_ok(run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL));
    assert_asked(plugged);
    assert_true(vbd(b, b->vbd)->currently_attached);
    assert_string_equal(vbd(b, b->vbd)->device, "xvda");
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
    assert_fails(run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL),
                 "DEVICE_ALREADY_ATTACHED", b->vbd);
    assert_fails(run(b, do_vbd_destroy, &(struct vbd_destroy_args){b->vbd}, NULL),
                 "OPERATION_NOT_ALLOWED", NULL);
    assert_asked("");
    assert_ok(run(b, do_vbd_unplug, &(struct vbd_unplug_args){b->vbd}, NULL));
    assert_asked("detach_disk:0:60");
    assert_false(vbd(b, b->vbd)->currently_attached);
    assert_ok(run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL));
    assert_ok(run(b, do_vbd_unplug_force, &(struct vbd_unplug_force_args){b->vbd}, NULL));
    assert_ok(run(b, do_vbd_destroy, &(struct vbd_destroy_args){b->vbd}, NULL));
    assert_null(store_find(b->d.store, CLASS_VBD, b->vbd));
}

static void a_refusal_of_the_host_changes_no_row(void **state)
{
    struct bed *b = *state;
    struct error *e;

    host.refuse = "attach_disk";
    e = run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL);
    assert_non_null(e);
    error_free(e);
    assert_false(vbd(b, b->vbd)->currently_attached);
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
    host.refuse = NULL;
    assert_ok(run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL));
    host.refuse = "detach_disk";
    e = run(b, do_vbd_unplug, &(struct vbd_unplug_args){b->vbd}, NULL);
    assert_string_equal(e->params[1], b->vbd);
    assert_fails(e, "DEVICE_DETACH_TIMEOUT", "VBD");
    assert_true(vbd(b, b->vbd)->currently_attached);
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
}

static void discs_change_with_and_without_a_domain(void **state)
{
    struct bed *b = *state;
    const char *in = arena_printf(&b->a, "media:1:%s", b->disc_uuid);

    assert_fails(run(b, do_vbd_insert, &(struct vbd_insert_args){b->cd, b->disk}, NULL),
                 "VDI_IS_NOT_ISO", b->disk);
    assert_ok(run(b, do_vbd_insert, &(struct vbd_insert_args){b->cd, b->disc}, NULL));
    assert_asked(in);
    assert_string_equal(vbd(b, b->cd)->VDI, b->disc);
    assert_false(vbd(b, b->cd)->empty);
    assert_ok(run(b, do_vbd_eject, &(struct vbd_eject_args){b->cd}, NULL));
    assert_asked("media:1:");
    assert_true(vbd(b, b->cd)->empty);
    host.refuse = "media";
    struct error *e = run(b, do_vbd_insert, &(struct vbd_insert_args){b->cd, b->disc}, NULL);

    assert_non_null(e);
    error_free(e);
    assert_true(vbd(b, b->cd)->empty);
    assert_string_equal(vbd(b, b->cd)->VDI, REF_NULL);
    set_power(b, VM_POWER_STATE_HALTED);
    str_clear(&host.asked);
    assert_ok(run(b, do_vbd_insert, &(struct vbd_insert_args){b->cd, b->disc}, NULL));
    assert_string_equal(vbd(b, b->cd)->VDI, b->disc);
    assert_asked("");
}

static void devices_get_the_first_free_number(void **state)
{
    struct bed *b = *state;
    struct vbd_create_args args = {.args = vbd_of(VBD_TYPE_DISK, b->disk)};
    const char *ref;

    assert_string_equal(vbd(b, b->vbd)->userdevice, "0");
    assert_string_equal(vbd(b, b->cd)->userdevice, "1");
    args.args.VM = b->vm;
    args.args.userdevice = "xvdb";
    assert_fails(run(b, do_vbd_create, &args, &ref), "DEVICE_ALREADY_EXISTS", "1");
    args.args.userdevice = "nonsense";
    assert_fails(run(b, do_vbd_create, &args, &ref), "INVALID_DEVICE", "nonsense");
    args.args.userdevice = "autodetect";
    args.args.type = VBD_TYPE_CD;
    assert_fails(run(b, do_vbd_create, &args, &ref), "VBD_CDS_MUST_BE_READONLY", NULL);
    set_power(b, VM_POWER_STATE_SUSPENDED);
    args.args.type = VBD_TYPE_DISK;
    assert_fails(run(b, do_vbd_create, &args, &ref), "VM_BAD_POWER_STATE", b->vm);
}

static void storage_must_be_there(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->d.store, &b->a);
    const struct pbd_rec *const *all;
    size_t n = txn_all_pbd(t, &all);
    struct pbd_rec *pbd;

    for (size_t i = 0; i < n; i++) {
        assert_ok(txn_edit_pbd(t, all[i]->self, &pbd));
        pbd->currently_attached = false;
    }
    assert_ok(txn_commit(t, &info));
    txn_free(t);
    assert_fails(run(b, do_vbd_plug, &(struct vbd_plug_args){b->vbd}, NULL), "SR_NOT_ATTACHED",
                 NULL);
    assert_fails(
        run(b, do_vbd_assert_attachable, &(struct vbd_assert_attachable_args){b->vbd}, NULL),
        "SR_NOT_ATTACHED", NULL);
    assert_asked("");
}

static void a_card_is_plugged_moved_and_unplugged(void **state)
{
    struct bed *b = *state;

    assert_ok(run(b, do_vif_plug, &(struct vif_plug_args){b->vif}, NULL));
    assert_asked("attach_nic:0:br0");
    assert_true(vif(b)->currently_attached);
    assert_ok(run(b, do_vif_move, &(struct vif_move_args){b->vif, b->other_net}, NULL));
    assert_asked("detach_nic:0 attach_nic:0:br1");
    assert_string_equal(vif(b)->network, b->other_net);
    assert_true(vif(b)->currently_attached);
    host.refuse = "detach_nic";
    struct error *e = run(b, do_vif_unplug, &(struct vif_unplug_args){b->vif}, NULL);

    assert_string_equal(e->params[1], b->vif);
    assert_fails(e, "DEVICE_DETACH_TIMEOUT", "VIF");
    assert_true(vif(b)->currently_attached);
    host.refuse = NULL;
    assert_ok(run(b, do_vif_unplug, &(struct vif_unplug_args){b->vif}, NULL));
    assert_false(vif(b)->currently_attached);
    str_clear(&host.asked);
    assert_ok(run(b, do_vif_move, &(struct vif_move_args){b->vif, b->net}, NULL));
    assert_asked("");
    assert_string_equal(vif(b)->network, b->net);
}

/* The second half of a move fails: the card is back on its old network. */
static void a_failed_move_is_taken_back(void **state)
{
    struct bed *b = *state;

    assert_ok(run(b, do_vif_plug, &(struct vif_plug_args){b->vif}, NULL));
    str_clear(&host.asked);
    host.refuse = "attach_nic:0:br1";
    struct error *e = run(b, do_vif_move, &(struct vif_move_args){b->vif, b->other_net}, NULL);

    assert_non_null(e);
    error_free(e);
    assert_asked("detach_nic:0 attach_nic:0:br1 detach_nic:0 attach_nic:0:br0");
    assert_string_equal(vif(b)->network, b->net);
    assert_true(vif(b)->currently_attached);
}

#define BED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(a_disk_is_plugged_and_unplugged),
        BED(a_refusal_of_the_host_changes_no_row),
        BED(discs_change_with_and_without_a_domain),
        BED(devices_get_the_first_free_number),
        BED(storage_must_be_there),
        BED(a_card_is_plugged_moved_and_unplugged),
        BED(a_failed_move_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
