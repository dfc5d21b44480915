/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls on storage with the real store and engine, and a host that answers as the test says:
 * what is left when it refuses half-way, and what a scan makes of what it finds.
 */
#include "api/message/post.h"
#include "api/sr/refresh.h"
#include "auth/sessions.h"
#include "base/str.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SM_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/message_txn.h"
#include "gen/class/session_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/SR.h"
#include "gen/msg/VDI.h"
#include "gen/msg/session.h"
#include "lib/call_bed.h"
#include "proto/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GIB (1ll << 30)

static const char *const features[] = {"VDI_CREATE", "VDI_DELETE", "VDI_CLONE", "VDI_RESIZE",
                                       "VDI_SNAPSHOT"};

/* The host: which calls it refuses, what it was asked, what a scan finds. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct str asked;
    const char *refuse; /* name of a call */
    struct error *(*refusal)(const void *args);
    bool copy_runs, copy_cancelled;
    struct host_vdi_rec found[4];
    size_t n_found;
    bool incomplete;
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct error *blocked_copy(void)
{
    host.copy_runs = true;
    pthread_cond_broadcast(&host.changed);
    while (!host.copy_cancelled)
        pthread_cond_wait(&host.changed, &host.lock);
    return error_errno(125 /* ECANCELED */, "the copy was cancelled");
}

static void fill_vdi(struct host_vdi_rec *v, const char *uuid, int64_t size)
{
    *v = (struct host_vdi_rec){
        .uuid = uuid,
        .location = uuid,
        .format = "qcow2",
        .virtual_size = size,
        .managed = true,
        .snapshot_of = "",
        .parent = "",
        .sound = true,
    };
}

static struct error *answer(int call_id, const void *args, struct arena *a, void *ret)
{
    const struct host_vdi_create_args *create = args;
    const struct host_vdi_snapshot_args *snapshot = args;
    struct host_vdi_create_result *created = ret;
    struct host_vdi_snapshot_result *shot = ret;
    struct host_sr_scan_result *scan = ret;
    const struct host_vdi_copy_progress_args *progress = args;

    switch (call_id) {
    case HOST_CALL_VDI_CREATE:
        fill_vdi(&created->vdi, create->uuid, create->virtual_size);
        break;
    case HOST_CALL_VDI_SNAPSHOT:
        fill_vdi(&shot->vdi, snapshot->uuid, GIB);
        fill_vdi(&shot->snapshot, snapshot->snapshot, GIB);
        break;
    case HOST_CALL_SR_SCAN:
        scan->vdis = (struct set_host_vdi_rec){.n = host.n_found, .v = host.found};
        scan->complete = !host.incomplete;
        break;
    case HOST_CALL_VDI_COPY:
        return blocked_copy();
    case HOST_CALL_VDI_COPY_PROGRESS:
        host.copy_cancelled |= progress->cancel;
        pthread_cond_broadcast(&host.changed);
        break;
    default:
        break;
    }
    return NULL;
}

uint64_t hostd_connections(struct hostd *h)
{
    return 1;
}

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    const char *name = host_calls[call_id].name;
    struct error *e = NULL;

    memcpy(ret, host_calls[call_id].result->defaults, host_calls[call_id].result->size);
    pthread_mutex_lock(&host.lock);
    if (call_id != HOST_CALL_VDI_COPY_PROGRESS)
        str_printf(&host.asked, "%s%s", host.asked.len ? " " : "", name);
    if (host.refuse && streq(host.refuse, name))
        e = host.refusal(args);
    else
        e = answer(call_id, args, arena, ret);
    pthread_mutex_unlock(&host.lock);
    return e;
}

static void assert_asked(const char *expected)
{
    pthread_mutex_lock(&host.lock);
    assert_string_equal(str_cstr(&host.asked), expected);
    str_clear(&host.asked);
    pthread_mutex_unlock(&host.lock);
}

struct bed {
    struct call_bed call;
    const char *host, *sr, *sr_uuid, *pbd, *disk, *disk_uuid;
};

static void make_rows(struct bed *b, struct txn *t)
{
    struct host_rec *h = txn_new_host(t);
    struct sr_rec *sr = txn_new_sr(t);
    struct pbd_rec *pbd = txn_new_pbd(t);
    struct vdi_rec *disk = txn_new_vdi(t);
    struct sm_rec *sm = txn_new_sm(t);
    static const int64_t versions[ARRAY_SIZE(features)] = {1, 1, 1, 1, 1};

    sm->type = sr->type = "file";
    sm->features = (struct map_string_int){.n = ARRAY_SIZE(features), .k = features, .v = versions};
    pbd->SR = disk->SR = sr->self;
    pbd->host = h->self;
    pbd->currently_attached = disk->managed = true;
    disk->type = VDI_TYPE_USER;
    disk->on_boot = ON_BOOT_PERSIST;
    disk->virtual_size = GIB;
    b->host = b->call.d.host_ref = arena_strdup(&b->call.a, h->self);
    b->sr = arena_strdup(&b->call.a, sr->self);
    b->sr_uuid = arena_strdup(&b->call.a, sr->uuid);
    b->pbd = arena_strdup(&b->call.a, pbd->self);
    b->disk = arena_strdup(&b->call.a, disk->self);
    b->disk_uuid = arena_strdup(&b->call.a, disk->uuid);
}

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);

    call_bed_init(&b->call);
    b->call.d.sessions = sessions_new(0);
    struct txn *t = txn_new(b->call.d.store, &b->call.a);

    make_rows(b, t);
    call_bed_commit(t);
    host.refuse = NULL;
    host.n_found = 0;
    host.incomplete = host.copy_runs = host.copy_cancelled = false;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    sessions_free(b->call.d.sessions);
    call_bed_fini(&b->call);
    free(b);
    str_fini(&host.asked);
    host.asked = STR_INIT;
    return 0;
}

static const struct vdi_rec *disk(struct bed *b, const char *ref)
{
    return call_bed_row(&b->call, CLASS_VDI, ref);
}

/* Nothing is under way any more, and as many disks are there as before. */
static void assert_quiet(struct bed *b, size_t disks)
{
    const struct sr_rec *sr = call_bed_row(&b->call, CLASS_SR, b->sr);

    assert_int_equal(sr->current_operations.n, 0);
    assert_int_equal(disk(b, b->disk)->current_operations.n, 0);
    assert_int_equal(store_count(b->call.d.store, CLASS_VDI), disks);
    assert_int_equal(store_count(b->call.d.store, CLASS_TASK), 0);
}

static struct vdi_create_args create_args(struct bed *b)
{
    struct vdi_create_args a = {.args = vdi_ctor_default};

    a.args.SR = b->sr;
    a.args.virtual_size = GIB;
    a.args.type = VDI_TYPE_USER;
    a.args.name_label = "new";
    return a;
}

static struct error *no_space(const void *args)
{
    return error_api("SR_BACKEND_FAILURE_44", 3, "", "no space", "");
}

static struct error *names_the_disk(const void *args)
{
    return err_vdi_in_use(((const struct host_vdi_snapshot_args *)args)->uuid, "snapshot");
}

static void refuse(const char *call, struct error *(*how)(const void *args))
{
    host.refuse = call;
    host.refusal = how;
}

static void a_refused_disk_leaves_no_row(void **state)
{
    struct bed *b = *state;
    struct vdi_create_args args = create_args(b);

    refuse("vdi_create", no_space);
    assert_fails(call_run(&b->call, MID_VDI_CREATE, &args), "SR_BACKEND_FAILURE_44");
    assert_asked("vdi_create vdi_destroy");
    assert_quiet(b, 1);
    host.refuse = NULL;
    assert_ok(call_run(&b->call, MID_VDI_CREATE, &args));
    assert_quiet(b, 2);
}

static void errors_of_the_host_name_references(void **state)
{
    struct bed *b = *state;
    const struct vdi_snapshot_args args = {.vdi = b->disk};

    refuse("vdi_snapshot", names_the_disk);
    struct error *e = call_run(&b->call, MID_VDI_SNAPSHOT, &args);

    assert_non_null(e);
    assert_string_equal(e->params[0], b->disk);
    error_free(e);
    assert_quiet(b, 1);
}

static void a_refused_snapshot_leaves_nothing(void **state)
{
    struct bed *b = *state;
    const struct vdi_snapshot_args args = {.vdi = b->disk};

    refuse("vdi_snapshot", no_space);
    assert_fails(call_run(&b->call, MID_VDI_SNAPSHOT, &args), "SR_BACKEND_FAILURE_44");
    assert_asked("vdi_snapshot vdi_destroy");
    assert_quiet(b, 1);
}

static void a_repository_that_cannot_be_attached_is_unmade(void **state)
{
    struct bed *b = *state;
    struct sr_create_args args = *(const struct sr_create_args *)sr_create_args_info.defaults;

    args.host = b->host;
    args.type = "file";
    args.name_label = args.name_description = args.content_type = "";
    refuse("sr_attach", no_space);
    assert_fails(call_run(&b->call, MID_SR_CREATE, &args), "SR_BACKEND_FAILURE_44");
    assert_asked("sr_create sr_attach sr_detach sr_destroy");
    assert_int_equal(store_count(b->call.d.store, CLASS_SR), 1);
    assert_int_equal(store_count(b->call.d.store, CLASS_PBD), 1);
}

/* A disc in the drive of a VM, or a disk it has open. */
static const char *add_vbd(struct bed *b, int type, bool attached)
{
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct vm_rec *vm = txn_new_vm(t);
    struct vbd_rec *vbd = txn_new_vbd(t);

    vbd->VM = vm->self;
    vbd->VDI = b->disk;
    vbd->type = type;
    vbd->currently_attached = attached;
    const char *ref = arena_strdup(&b->call.a, vbd->self);

    call_bed_commit(t);
    return ref;
}

static void a_scan_that_saw_part_removes_nothing(void **state)
{
    struct bed *b = *state;
    const struct sr_scan_args args = {.sr = b->sr};

    host.incomplete = true;
    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    assert_quiet(b, 1);
    host.incomplete = false;
    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    assert_null(disk(b, b->disk));
}

static void a_disc_that_vanished_leaves_an_empty_drive(void **state)
{
    struct bed *b = *state;
    const struct sr_scan_args args = {.sr = b->sr};
    const char *drive = add_vbd(b, VBD_TYPE_CD, false);
    const char *other = add_vbd(b, VBD_TYPE_DISK, false);

    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    assert_null(disk(b, b->disk));
    assert_null(call_bed_row(&b->call, CLASS_VBD, other));
    const struct vbd_rec *vbd = call_bed_row(&b->call, CLASS_VBD, drive);

    assert_true(vbd->empty);
    assert_string_equal(vbd->VDI, REF_NULL);
}

static void a_disk_that_vanished_under_a_vm_is_missing(void **state)
{
    struct bed *b = *state;
    const struct sr_scan_args args = {.sr = b->sr};

    add_vbd(b, VBD_TYPE_DISK, true);
    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    assert_true(disk(b, b->disk)->missing);
    fill_vdi(&host.found[host.n_found++], b->disk_uuid, 2 * GIB);
    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    assert_false(disk(b, b->disk)->missing);
    assert_int_equal(disk(b, b->disk)->virtual_size, 2 * GIB);
}

static void a_scan_finds_disks_and_whose_snapshots_they_are(void **state)
{
    struct bed *b = *state;
    const struct sr_scan_args args = {.sr = b->sr};
    static const char *const keys[] = {"name_label"}, *const names[] = {"found"};
    static const char *const base = "6a1c6d2e-0b5c-4d0b-9a5e-0d9c3c1b2a01";
    static const char *const snap = "6a1c6d2e-0b5c-4d0b-9a5e-0d9c3c1b2a02";

    fill_vdi(&host.found[0], b->disk_uuid, GIB);
    fill_vdi(&host.found[1], snap, GIB);
    fill_vdi(&host.found[2], base, GIB);
    host.found[1].is_snapshot = true;
    host.found[1].snapshot_of = b->disk_uuid;
    host.found[1].props = (struct map_string_string){.n = 1, .k = keys, .v = names};
    host.found[2].managed = false;
    host.n_found = 3;
    assert_ok(call_run(&b->call, MID_SR_SCAN, &args));
    _cleanup_version_ struct version *s = store_find_uuid(b->call.d.store, CLASS_VDI, snap);
    _cleanup_version_ struct version *inner = store_find_uuid(b->call.d.store, CLASS_VDI, base);
    const struct vdi_rec *row = s->rec, *hidden = inner->rec;

    assert_string_equal(row->snapshot_of, b->disk);
    assert_true(row->is_a_snapshot);
    assert_string_equal(row->name_label, "found");
    assert_false(hidden->managed);
    assert_string_equal(hidden->name_label, "base copy");
}

/* other_config of the repository, and an operation under way on it. */
static void set_sr(struct bed *b, const char *const *key, bool busy)
{
    static const char *const empty[] = {""}, *const task[] = {"OpaqueRef:task"};
    static const int op = STORAGE_OPERATIONS_VDI_CREATE;
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct sr_rec *sr;

    assert_ok(txn_edit_sr(t, b->sr, &sr));
    sr->other_config = (struct map_string_string){.n = 1, .k = key, .v = empty};
    sr->current_operations = (struct map_string_enum){.n = busy, .k = task, .v = &op};
    call_bed_commit(t);
}

static void upkeep_scans_only_what_asks_for_it_and_nothing_busy(void **state)
{
    static const char *const plain[] = {"k"}, *const dirty[] = {"dirty"};
    struct bed *b = *state;

    set_sr(b, plain, false);
    assert_ok(sr_refresh_all(&b->call.d));
    assert_asked("sr_stat");
    assert_non_null(disk(b, b->disk));
    set_sr(b, dirty, true);
    assert_ok(sr_refresh_all(&b->call.d));
    assert_asked("");
    set_sr(b, dirty, false);
    assert_ok(sr_refresh_all(&b->call.d));
    assert_asked("sr_scan sr_stat");
    assert_null(disk(b, b->disk));
    assert_int_equal(
        ((const struct sr_rec *)call_bed_row(&b->call, CLASS_SR, b->sr))->other_config.n, 0);
}

static void a_cancelled_copy_is_taken_back(void **state)
{
    struct bed *b = *state;
    const struct vdi_copy_args args = {
        .vdi = b->disk, .sr = b->sr, .base_vdi = REF_NULL, .into_vdi = REF_NULL};
    const char *ret = NULL;
    struct call_outcome o;

    assert_ok(call_begin(&b->call, MID_VDI_COPY, &args, (void *)&ret, &o));
    pthread_mutex_lock(&host.lock);
    while (!host.copy_runs)
        pthread_cond_wait(&host.changed, &host.lock);
    pthread_mutex_unlock(&host.lock);
    struct version_list tasks;

    store_all(b->call.d.store, CLASS_TASK, &tasks);
    assert_int_equal(tasks.n, 1);
    assert_true(engine_cancel(b->call.d.engine, version_ref_text(tasks.v[0])));
    version_list_fini(&tasks);
    assert_fails(call_await(&o), "TASK_CANCELLED");
    assert_asked("vdi_copy vdi_destroy");
    assert_quiet(b, 1);
}

static const char *add_session(struct bed *b, const char *sid)
{
    struct txn *t = txn_new(b->call.d.store, &b->call.a);
    struct session_rec *row = txn_new_session(t);
    const char *evicted;

    row->auth_user_sid = sid;
    const struct session seed = {.ref = row->self, .user = "u", .originator = ""};
    const char *ref = arena_strdup(&b->call.a, row->self);

    sessions_add(b->call.d.sessions, &seed, &b->call.a, &evicted);
    call_bed_commit(t);
    return ref;
}

static void the_sessions_of_one_subject_end_together(void **state)
{
    struct bed *b = *state;
    const struct session_get_all_subject_identifiers_args none = {0};
    const struct session_logout_subject_identifier_args args = {.subject_identifier = "S-1"};
    const char *one = add_session(b, "S-1"), *two = add_session(b, "S-1");
    const char *other = add_session(b, "S-2");
    struct set_string sids;
    struct call_outcome o;

    assert_ok(call_begin(&b->call, MID_SESSION_GET_ALL_SUBJECT_IDENTIFIERS, &none, &sids, &o));
    assert_int_equal(sids.n, 2);
    assert_ok(call_run(&b->call, MID_SESSION_LOGOUT_SUBJECT_IDENTIFIER, &args));
    assert_null(call_bed_row(&b->call, CLASS_SESSION, one));
    assert_null(call_bed_row(&b->call, CLASS_SESSION, two));
    assert_null(sessions_find(b->call.d.sessions, one));
    assert_non_null(call_bed_row(&b->call, CLASS_SESSION, other));
    assert_int_equal(sessions_count(b->call.d.sessions), 1);
}

static void old_messages_make_room(void **state)
{
    struct bed *b = *state;
    const struct message_text m = {"N", 5, CLS_HOST, "", ""};
    const char *first = NULL;

    for (int i = 0; i < MESSAGES_MAX + 50; i++) {
        struct txn *t = txn_new(b->call.d.store, &b->call.a);
        struct message_rec *row;

        assert_ok(message_post(t, &m, &row));
        if (i == 0)
            first = arena_strdup(&b->call.a, row->self);
        call_bed_commit(t);
    }
    assert_true(store_count(b->call.d.store, CLASS_MESSAGE) <= MESSAGES_MAX);
    assert_true(store_count(b->call.d.store, CLASS_MESSAGE) > MESSAGES_MAX - 200);
    assert_null(call_bed_row(&b->call, CLASS_MESSAGE, first));
}

#define BED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(a_refused_disk_leaves_no_row),
        BED(errors_of_the_host_name_references),
        BED(a_refused_snapshot_leaves_nothing),
        BED(a_repository_that_cannot_be_attached_is_unmade),
        BED(a_scan_that_saw_part_removes_nothing),
        BED(a_disc_that_vanished_leaves_an_empty_drive),
        BED(a_disk_that_vanished_under_a_vm_is_missing),
        BED(a_scan_finds_disks_and_whose_snapshots_they_are),
        BED(upkeep_scans_only_what_asks_for_it_and_nothing_busy),
        BED(a_cancelled_copy_is_taken_back),
        BED(the_sessions_of_one_subject_end_together),
        BED(old_messages_make_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
