/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bodies of VBD and VIF with the real store and engine, and a host made of a few variables:
 * what they ask of the host, what the rows say afterwards, and what is left when the host refuses.
 */
#include "base/str.h"
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
#include "lib/call_bed.h"
#include "proto/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Of the VM's first run, and of the one after it. */
#define RUN      "11111111-2222-4333-8444-555555555555"
#define NEXT_RUN "66666666-7777-4888-9999-000000000000"

/* What the host was asked, one word a call, and how it is to answer. */
static struct {
    pthread_mutex_t lock;
    struct str asked;
    const char *refuse; /* calls that begin so fail */
    const char *run;    /* what is under way: others are refused */
    /* When a call that begins so comes, the VM ends and is started again: before or after it. */
    const char *ends, *ends_after;
    const char *vm_uuid;
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

/* The run that a call is meant for. */
static const char *run_of(int call_id, const void *args)
{
    switch (call_id) {
    case HOST_CALL_VM_ATTACH_DISK:
        return ((const struct host_vm_attach_disk_args *)args)->run;
    case HOST_CALL_VM_DETACH_DISK:
        return ((const struct host_vm_detach_disk_args *)args)->run;
    case HOST_CALL_VM_CHANGE_MEDIA:
        return ((const struct host_vm_change_media_args *)args)->run;
    case HOST_CALL_VM_ATTACH_NIC:
        return ((const struct host_vm_attach_nic_args *)args)->run;
    case HOST_CALL_VM_DETACH_NIC:
        return ((const struct host_vm_detach_nic_args *)args)->run;
    default:
        return host.run;
    }
}

uint64_t hostd_connections(struct hostd *h)
{
    return 1;
}

static void restart_vm(void);

/* Restarts the VM once if this is the moment. */
static void restart_at(const char **moment, const char *line)
{
    if (!*moment || !str_starts(line, *moment))
        return;
    *moment = NULL;
    host.run = NEXT_RUN;
    restart_vm();
}

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    _cleanup_str_ struct str line = STR_INIT;
    bool refused;

    describe_call(&line, call_id, args);
    restart_at(&host.ends, line.s);
    if (!streq(run_of(call_id, args), host.run))
        return error_api("HANDLE_INVALID", 2, "VM", host.vm_uuid);
    pthread_mutex_lock(&host.lock);
    str_printf(&host.asked, "%s%s", host.asked.len ? " " : "", line.s);
    refused = host.refuse && str_starts(line.s, host.refuse);
    pthread_mutex_unlock(&host.lock);
    restart_at(&host.ends_after, line.s);
    if (!refused)
        return NULL;
    if (str_starts(line.s, "detach"))
        return error_api("DEVICE_DETACH_TIMEOUT", 2, strstr(line.s, "nic") ? "VIF" : "VBD", "0");
    return error_text("the host says no");
}

/* The rows of a running VM with a disk, a drive and a card. */
struct bed {
    struct call_bed call;
    const char *vm, *disk, *disk_uuid, *disc, *disc_uuid, *vbd, *cd, *net, *other_net, *vif;
};

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
    pbd->host = iso_pbd->host = b->call.d.host_ref = arena_strdup(&b->call.a, h->self);
    pbd->currently_attached = iso_pbd->currently_attached = true;
    disk->managed = disc->managed = true;
    disk->type = disc->type = VDI_TYPE_USER;
    b->disk = arena_strdup(&b->call.a, disk->self);
    b->disc = arena_strdup(&b->call.a, disc->self);
    b->disk_uuid = arena_strdup(&b->call.a, disk->uuid);
    b->disc_uuid = arena_strdup(&b->call.a, disc->uuid);
}

static void make_vm(struct bed *b, struct txn *t)
{
    struct vm_rec *vm = txn_new_vm(t);
    struct network_rec *net = txn_new_network(t);
    struct network_rec *other = txn_new_network(t);

    vm->power_state = VM_POWER_STATE_RUNNING;
    vm->domain_type = DOMAIN_TYPE_HVM;
    vm->domid = 1;
    vm->run = RUN;
    vm->resident_on = b->call.d.host_ref;
    host.vm_uuid = arena_strdup(&b->call.a, vm->uuid);
    net->bridge = "br0";
    other->bridge = "br1";
    net->managed = other->managed = true;
    b->vm = arena_strdup(&b->call.a, vm->self);
    b->net = arena_strdup(&b->call.a, net->self);
    b->other_net = arena_strdup(&b->call.a, other->self);
}

static struct bed *the_bed;

/* The VM has ended and was started again, as the rows said. The number of the domain is the same,
 * since a host that was restarted meanwhile counts anew. */
static void restart_vm(void)
{
    _cleanup_arena_ struct arena a;
    struct vbd_rec *disk, *cd;
    struct vif_rec *vif;
    struct vm_rec *vm;

    arena_init(&a);
    struct txn *t = txn_new(the_bed->call.d.store, &a);

    assert_ok(txn_edit_vm(t, the_bed->vm, &vm));
    assert_ok(txn_edit_vbd(t, the_bed->vbd, &disk));
    assert_ok(txn_edit_vbd(t, the_bed->cd, &cd));
    assert_ok(txn_edit_vif(t, the_bed->vif, &vif));
    vm->run = NEXT_RUN;
    disk->currently_attached = cd->currently_attached = vif->currently_attached = true;
    call_bed_commit(t);
}

static const char *create_vbd(struct bed *b, struct vbd_ctor ctor)
{
    struct vbd_create_args args = {.args = ctor};
    const char *ref = NULL;
    struct call_outcome o;

    args.args.VM = b->vm;
    assert_ok(call_begin(&b->call, MID_VBD_CREATE, &args, (void *)&ref, &o));
    return arena_strdup(&b->call.a, ref);
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
    struct call_outcome o;

    args.args.VM = b->vm;
    args.args.network = b->net;
    args.args.device = "autodetect";
    assert_ok(call_begin(&b->call, MID_VIF_CREATE, &args, (void *)&ref, &o));
    return arena_strdup(&b->call.a, ref);
}

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);

    call_bed_init(&b->call);
    struct txn *t = txn_new(b->call.d.store, &b->call.a);

    make_storage(b, t);
    make_vm(b, t);
    call_bed_commit(t);
    b->vbd = create_vbd(b, vbd_of(VBD_TYPE_DISK, b->disk));
    b->cd = create_vbd(b, vbd_of(VBD_TYPE_CD, REF_NULL));
    b->vif = create_vif(b);
    host.refuse = host.ends = host.ends_after = NULL;
    host.run = RUN;
    str_clear(&host.asked);
    the_bed = *state = b;
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

/* What the host was asked since the last look. */
static void assert_asked(const char *expected)
{
    pthread_mutex_lock(&host.lock);
    assert_string_equal(str_cstr(&host.asked), expected);
    str_clear(&host.asked);
    pthread_mutex_unlock(&host.lock);
}

/* What an error begins with. */
static void assert_names(struct error *e, const char *code, const char *first)
{
    assert_non_null(e);
    assert_string_equal(e->params[0], first);
    assert_fails(e, code);
}

static const struct vbd_rec *vbd(struct bed *b, const char *ref)
{
    return call_bed_row(&b->call, CLASS_VBD, ref);
}

static const struct vif_rec *vif(struct bed *b)
{
    return call_bed_row(&b->call, CLASS_VIF, b->vif);
}

static void set_power(struct bed *b, enum vm_power_state state)
{
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct vm_rec *vm;

    assert_ok(txn_edit_vm(t, b->vm, &vm));
    vm->power_state = (int)state;
    call_bed_commit(t);
}

static void a_disk_is_plugged_and_unplugged(void **state)
{
    struct bed *b = *state;
    const char *plugged = arena_printf(&b->call.a, "attach_disk:0:%s", b->disk_uuid);

    assert_ok(call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}));
    assert_asked(plugged);
    assert_true(vbd(b, b->vbd)->currently_attached);
    assert_string_equal(vbd(b, b->vbd)->device, "xvda");
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
    assert_names(call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}),
                 "DEVICE_ALREADY_ATTACHED", b->vbd);
    assert_fails(call_run(&b->call, MID_VBD_DESTROY, &(struct vbd_destroy_args){b->vbd}),
                 "OPERATION_NOT_ALLOWED");
    assert_asked("");
    assert_ok(call_run(&b->call, MID_VBD_UNPLUG, &(struct vbd_unplug_args){b->vbd}));
    assert_asked("detach_disk:0:60");
    assert_false(vbd(b, b->vbd)->currently_attached);
    assert_ok(call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}));
    assert_ok(call_run(&b->call, MID_VBD_UNPLUG_FORCE, &(struct vbd_unplug_force_args){b->vbd}));
    assert_ok(call_run(&b->call, MID_VBD_DESTROY, &(struct vbd_destroy_args){b->vbd}));
    assert_null(store_find(b->call.d.store, CLASS_VBD, b->vbd));
}

static void a_refusal_of_the_host_changes_no_row(void **state)
{
    struct bed *b = *state;
    struct error *e;

    host.refuse = "attach_disk";
    e = call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd});
    assert_non_null(e);
    error_free(e);
    assert_false(vbd(b, b->vbd)->currently_attached);
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
    host.refuse = NULL;
    assert_ok(call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}));
    host.refuse = "detach_disk";
    e = call_run(&b->call, MID_VBD_UNPLUG, &(struct vbd_unplug_args){b->vbd});
    assert_string_equal(e->params[1], b->vbd);
    assert_names(e, "DEVICE_DETACH_TIMEOUT", "VBD");
    assert_true(vbd(b, b->vbd)->currently_attached);
    assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
}

static void discs_change_with_and_without_a_domain(void **state)
{
    struct bed *b = *state;
    const char *in = arena_printf(&b->call.a, "media:1:%s", b->disc_uuid);

    assert_names(call_run(&b->call, MID_VBD_INSERT, &(struct vbd_insert_args){b->cd, b->disk}),
                 "VDI_IS_NOT_ISO", b->disk);
    assert_ok(call_run(&b->call, MID_VBD_INSERT, &(struct vbd_insert_args){b->cd, b->disc}));
    assert_asked(in);
    assert_string_equal(vbd(b, b->cd)->VDI, b->disc);
    assert_false(vbd(b, b->cd)->empty);
    assert_ok(call_run(&b->call, MID_VBD_EJECT, &(struct vbd_eject_args){b->cd}));
    assert_asked("media:1:");
    assert_true(vbd(b, b->cd)->empty);
    host.refuse = "media";
    struct error *e = call_run(&b->call, MID_VBD_INSERT, &(struct vbd_insert_args){b->cd, b->disc});

    assert_non_null(e);
    error_free(e);
    assert_true(vbd(b, b->cd)->empty);
    assert_string_equal(vbd(b, b->cd)->VDI, REF_NULL);
    set_power(b, VM_POWER_STATE_HALTED);
    str_clear(&host.asked);
    assert_ok(call_run(&b->call, MID_VBD_INSERT, &(struct vbd_insert_args){b->cd, b->disc}));
    assert_string_equal(vbd(b, b->cd)->VDI, b->disc);
    assert_asked("");
}

static void devices_get_the_first_free_number(void **state)
{
    struct bed *b = *state;
    struct vbd_create_args args = {.args = vbd_of(VBD_TYPE_DISK, b->disk)};

    assert_string_equal(vbd(b, b->vbd)->userdevice, "0");
    assert_string_equal(vbd(b, b->cd)->userdevice, "1");
    args.args.VM = b->vm;
    args.args.userdevice = "xvdb";
    assert_names(call_run(&b->call, MID_VBD_CREATE, &args), "DEVICE_ALREADY_EXISTS", "1");
    args.args.userdevice = "nonsense";
    assert_names(call_run(&b->call, MID_VBD_CREATE, &args), "INVALID_DEVICE", "nonsense");
    args.args.userdevice = "autodetect";
    args.args.type = VBD_TYPE_CD;
    assert_fails(call_run(&b->call, MID_VBD_CREATE, &args), "VBD_CDS_MUST_BE_READONLY");
    set_power(b, VM_POWER_STATE_SUSPENDED);
    args.args.type = VBD_TYPE_DISK;
    assert_names(call_run(&b->call, MID_VBD_CREATE, &args), "VM_BAD_POWER_STATE", b->vm);
}

static void storage_must_be_there(void **state)
{
    struct bed *b = *state;
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    const struct pbd_rec *const *all;
    size_t n = txn_all_pbd(t, &all);
    struct pbd_rec *pbd;

    for (size_t i = 0; i < n; i++) {
        assert_ok(txn_edit_pbd(t, all[i]->self, &pbd));
        pbd->currently_attached = false;
    }
    call_bed_commit(t);
    assert_fails(call_run(&b->call, MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}),
                 "SR_NOT_ATTACHED");
    assert_fails(
        call_run(&b->call, MID_VBD_ASSERT_ATTACHABLE, &(struct vbd_assert_attachable_args){b->vbd}),
        "SR_NOT_ATTACHED");
    assert_asked("");
}

static void a_card_is_plugged_moved_and_unplugged(void **state)
{
    struct bed *b = *state;

    assert_ok(call_run(&b->call, MID_VIF_PLUG, &(struct vif_plug_args){b->vif}));
    assert_asked("attach_nic:0:br0");
    assert_true(vif(b)->currently_attached);
    assert_ok(call_run(&b->call, MID_VIF_MOVE, &(struct vif_move_args){b->vif, b->other_net}));
    assert_asked("detach_nic:0 attach_nic:0:br1");
    assert_string_equal(vif(b)->network, b->other_net);
    assert_true(vif(b)->currently_attached);
    host.refuse = "detach_nic";
    struct error *e = call_run(&b->call, MID_VIF_UNPLUG, &(struct vif_unplug_args){b->vif});

    assert_string_equal(e->params[1], b->vif);
    assert_names(e, "DEVICE_DETACH_TIMEOUT", "VIF");
    assert_true(vif(b)->currently_attached);
    host.refuse = NULL;
    assert_ok(call_run(&b->call, MID_VIF_UNPLUG, &(struct vif_unplug_args){b->vif}));
    assert_false(vif(b)->currently_attached);
    str_clear(&host.asked);
    assert_ok(call_run(&b->call, MID_VIF_MOVE, &(struct vif_move_args){b->vif, b->net}));
    assert_asked("");
    assert_string_equal(vif(b)->network, b->net);
}

/* The second half of a move fails: the card is back on its old network. */
static void a_failed_move_is_taken_back(void **state)
{
    struct bed *b = *state;

    assert_ok(call_run(&b->call, MID_VIF_PLUG, &(struct vif_plug_args){b->vif}));
    str_clear(&host.asked);
    host.refuse = "attach_nic:0:br1";
    struct error *e =
        call_run(&b->call, MID_VIF_MOVE, &(struct vif_move_args){b->vif, b->other_net});

    assert_non_null(e);
    error_free(e);
    assert_asked("detach_nic:0 attach_nic:0:br1 detach_nic:0 attach_nic:0:br0");
    assert_string_equal(vif(b)->network, b->net);
    assert_true(vif(b)->currently_attached);
}

static void first_run(struct bed *b, bool attached)
{
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct vbd_rec *disk;
    struct vif_rec *card;
    struct vm_rec *vm;

    assert_ok(txn_edit_vm(t, b->vm, &vm));
    assert_ok(txn_edit_vbd(t, b->vbd, &disk));
    assert_ok(txn_edit_vif(t, b->vif, &card));
    vm->run = host.run = RUN;
    disk->currently_attached = card->currently_attached = attached;
    call_bed_commit(t);
}

struct late_call {
    enum msg_id id;
    const void *args;
    bool attached;     /* the devices, before it */
    const char *asked; /* of the host for it; with the last of these the next run begins */
};

/* The next run begins just before the host gets the call, and just after it has answered. */
static void leaves_the_next_run_alone(struct bed *b, const struct late_call *c)
{
    const char *last = strrchr(c->asked, ' ') ? strrchr(c->asked, ' ') + 1 : c->asked;
    size_t n = (size_t)(last - c->asked);
    const char *before = arena_printf(&b->call.a, "%.*s", n ? (int)n - 1 : 0, c->asked);

    for (int after = 0; after <= 1; after++) {
        first_run(b, c->attached);
        const char *disc = vbd(b, b->cd)->VDI, *network = vif(b)->network;

        *(after ? &host.ends_after : &host.ends) = last;
        assert_names(call_run(&b->call, c->id, c->args), "VM_BAD_POWER_STATE", b->vm);
        assert_string_equal(host.run, NEXT_RUN);
        assert_asked(after ? c->asked : before);
        assert_true(vbd(b, b->vbd)->currently_attached);
        assert_true(vif(b)->currently_attached);
        assert_string_equal(vbd(b, b->cd)->VDI, disc);
        assert_string_equal(vif(b)->network, network);
        assert_int_equal(vbd(b, b->vbd)->current_operations.n, 0);
        assert_int_equal(vbd(b, b->cd)->current_operations.n, 0);
        assert_int_equal(vif(b)->current_operations.n, 0);
    }
}

static void what_is_meant_for_one_run_leaves_the_next_alone(void **state)
{
    struct bed *b = *state;
    const struct vbd_insert_args insert = {b->cd, b->disc};
    const char *attach = arena_printf(&b->call.a, "attach_disk:0:%s", b->disk_uuid);
    const char *in = arena_printf(&b->call.a, "media:1:%s", b->disc_uuid);
    const struct late_call calls[] = {
        {MID_VBD_PLUG, &(struct vbd_plug_args){b->vbd}, false, attach},
        {MID_VBD_UNPLUG, &(struct vbd_unplug_args){b->vbd}, true, "detach_disk:0:60"},
        {MID_VIF_PLUG, &(struct vif_plug_args){b->vif}, false, "attach_nic:0:br0"},
        {MID_VIF_UNPLUG, &(struct vif_unplug_args){b->vif}, true, "detach_nic:0"},
        {MID_VIF_MOVE, &(struct vif_move_args){b->vif, b->other_net}, true,
         "detach_nic:0 attach_nic:0:br1"},
        {MID_VBD_INSERT, &insert, true, in},
    };
    const struct late_call eject = {MID_VBD_EJECT, &(struct vbd_eject_args){b->cd}, true,
                                    "media:1:"};

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        leaves_the_next_run_alone(b, &calls[i]);
    assert_ok(call_run(&b->call, MID_VBD_INSERT, &insert));
    assert_asked(in);
    leaves_the_next_run_alone(b, &eject);
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
        BED(what_is_meant_for_one_run_leaves_the_next_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
