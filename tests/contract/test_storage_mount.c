/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SRs with a file system to themselves: over a mounter without mounts, and over real disks where
 * this machine lets us have some. */

#include "storage_rig.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "storage/sr_internal.h"
#include "storage/sr_mount.h"
#include "storage/tune.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* ---- words for configurations ---- */

struct config {
    const char *k[8];
    const char *v[8];
    size_t n;
};

static void put(struct config *c, const char *k, const char *v)
{
    c->k[c->n] = k;
    c->v[c->n++] = v;
}

/* "server=x serverpath=/y": no value holds a space or an equals sign but the last one's. */
static struct config config_of(char *words)
{
    struct config c = {0};
    char *word;

    while ((word = strsep(&words, " "))) {
        char *value = word;

        strsep(&value, "=");
        if (value)
            put(&c, word, value);
    }
    return c;
}

static struct sr_spec spec_of(const char *uuid, const char *type, const struct config *c)
{
    return (struct sr_spec){
        .uuid = uuid, .type = type, .device_config = {.n = c->n, .k = c->k, .v = c->v}};
}

static bool has_file(const struct rig *r, const char *below, const char *text)
{
    _cleanup_free_ char *dir = xasprintf("%s/%s", r->dir, below);
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "grep");
    spawn_add(&s, "-rqF");
    spawn_add(&s, text);
    spawn_add(&s, dir);
    struct error *e = spawn_run(&s, 10 * SECOND_US, 0, NULL);

    error_free(e);
    return !e;
}

static void count(void *arg, const char *name, const char *source)
{
    ++*(int *)arg;
}

static int count_mounts(struct rig *r)
{
    int n = 0;

    if (rig_device)
        must(mounter_programs.list(r->fake.root, count, &n));
    else
        must(mounter_fake.list(&r->fake, count, &n));
    return n;
}

/* ---- what holds for every kind ---- */

static void test_life(void **state)
{
    struct rig *r = *state;
    const struct sr_spec spec = rig_spec(r);
    struct uuid_text a = rig_disk(r, 8 * MIB);
    struct sr_stat st;

    vdi_fill(r, a.s, 0, 7);
    must(sr_stat(r->storage, r->sr.s, &st));
    assert_true(st.size > 0);
    assert_int_equal(rig_count_files(r, "sr.json"), 1);
    assert_int_equal(count_mounts(r), 1);
    must(sr_create(r->storage, &spec)); /* the same call again harms nothing */
    must_fail(sr_destroy(r->storage, &spec), "SR_HAS_PBD");
    must(sr_detach(r->storage, r->sr.s));
    must(sr_detach(r->storage, r->sr.s));
    assert_int_equal(count_mounts(r), 0);
    must(rig_attach(r));
    must(rig_attach(r));
    assert_int_equal(vdi_byte(r, a.s, 0), 7);
    must(sr_detach(r->storage, r->sr.s));
    must(sr_destroy(r->storage, &spec));
    must(sr_destroy(r->storage, &spec));
    assert_int_equal(count_mounts(r), 0);
    struct error *e = rig_attach(r);
    assert_non_null(e);
    error_free(e);
    assert_int_equal(count_mounts(r), 0);
    must(sr_create(r->storage, &spec)); /* the place is free again */
    must(rig_attach(r));
    assert_int_equal(rig_count_files(r, "*.qcow2"), 0);
}

static void on_lost(void *arg, const char *sr, struct error *e)
{
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    fail_msg("%s is not attached again: %s", sr, text);
}

/* The program is killed: what it mounted is there for the next one. */
static void test_adopted(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 8 * MIB);

    vdi_fill(r, a.s, 0, 5);
    rig_stop(r);
    assert_int_equal(count_mounts(r), 1);
    int before = r->fake.mounts;
    rig_start(r);
    assert_int_equal(r->fake.mounts, before);
    assert_int_equal(vdi_byte(r, a.s, 0), 5);
}

static void test_swept(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *entry = xasprintf("%s/state/storage/%s.json", r->dir, r->sr.s);

    /* Killed between the mount and the note of it. */
    rig_stop(r);
    must(io_unlink(entry));
    rig_open(r);
    storage_restore(r->storage, on_lost, NULL);
    assert_int_equal(count_mounts(r), 0);
    must(rig_attach(r));
}

static void unmount(struct rig *r)
{
    must(rig_device ? mounter_programs.unmount(r->fake.root, r->sr.s)
                    : mounter_fake.unmount(&r->fake, r->sr.s));
}

/* Nothing is written to what lies under a mount that is gone. */
static void test_real_mount_vanished(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 8 * MIB);
    struct uuid_text b = uuid_random();

    unmount(r);
    must_fail(sr_scan(r->storage, r->sr.s, &(struct vdi_list_info){0}), "SR_BACKEND_FAILURE_47");
    must_fail(vdi_create(r->storage, r->sr.s, b.s, MIB, -1, NULL), "SR_BACKEND_FAILURE_47");
    must(sr_detach(r->storage, r->sr.s));
    must(rig_attach(r));
    vdi_fill(r, a.s, 0, 5);
}

/* The mounts of a whole machine are gone, as after a boot or in a new namespace of a unit. */
static void test_mounted_again(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 8 * MIB);

    vdi_fill(r, a.s, 0, 5);
    rig_stop(r);
    unmount(r);
    rig_open(r);
    storage_restore(r->storage, on_lost, NULL);
    assert_int_equal(vdi_byte(r, a.s, 0), 5);
}

/* ---- devices ---- */

static void expect_create(struct rig *r, const char *type, const char *words, const char *code)
{
    _cleanup_free_ char *copy = xstrdup(words);
    const struct config c = config_of(copy);
    const struct uuid_text u = uuid_random();
    const struct sr_spec spec = spec_of(u.s, type, &c);
    int before = count_mounts(r);

    if (code)
        must_fail(sr_create(r->storage, &spec), code);
    else
        must(sr_create(r->storage, &spec));
    assert_int_equal(count_mounts(r), before);
}

/* The same by the programs of the system. */
static void test_programs_refuse(void **state)
{
    static const struct mount_order order = {
        "11111111-2222-4333-8444-555555555555", "proc", "proc", "", "", false};
    struct rig *r = *state;
    struct device_look l;
    struct error *e[] = {
        mounter_programs.mount(r->fake.root, &order),
        mounter_programs.unmount(r->fake.root, "../x"),
        mounter_programs.look(r->fake.root, "/dev/absent", &l),
        mounter_programs.look(r->fake.root, "/dev/null", &l),
        mounter_programs.format(r->fake.root, "ext4", "/dev/absent",
                                "11111111-2222-4333-8444-555555555555"),
        mounter_programs.format(r->fake.root, "vfat", "/dev/absent",
                                "11111111-2222-4333-8444-555555555555"),
        mounter_programs.wipe(r->fake.root, "/dev/absent"),
        mounter_programs.exports(r->fake.root, "-h", NULL),
    };

    for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
        if (!e[i])
            fail_msg("call %zu is not refused", i);
        error_free(e[i]);
    }
}

static void test_device_in_use(void **state)
{
    struct rig *r = *state;
    const char *other = streq(r->type, "ext") ? "xfs" : "ext";

    expect_create(r, other, "device=" FAKE_DEVICE, "SR_DEVICE_IN_USE");
    expect_create(r, other, "device=" FAKE_DEVICE " force=true", "SR_DEVICE_IN_USE");
    must(sr_detach(r->storage, r->sr.s));
    expect_create(r, other, "device=" FAKE_DEVICE, "SR_BACKEND_FAILURE_42"); /* an SR */
    fake_mounter_device(&r->fake, "ntfs", "0123-4567", "photos");
    expect_create(r, other, "device=" FAKE_DEVICE, "SR_BACKEND_FAILURE_91");
    expect_create(r, other, "device=" FAKE_DEVICE " force=true", NULL);
    fake_mounter_device(&r->fake, "", "", "");
    expect_create(r, other, "device=" FAKE_DEVICE, NULL);
}

static void test_device_is_another(void **state)
{
    struct rig *r = *state;
    const struct sr_spec spec = rig_spec(r);

    must(sr_detach(r->storage, r->sr.s));
    fake_mounter_device(&r->fake, NULL, "", "");
    must_fail(rig_attach(r), "SR_BACKEND_FAILURE_91");
    must_fail(sr_destroy(r->storage, &spec), "SR_BACKEND_FAILURE_91");
    fake_mounter_device(&r->fake, "ext4", "11111111-2222-4333-8444-555555555555", MOUNT_LABEL);
    must_fail(rig_attach(r), "SR_BACKEND_FAILURE_47");
    must(sr_destroy(r->storage, &spec)); /* nothing of it is there: nothing is erased */
    struct device_look l;
    must(mounter_fake.look(&r->fake, FAKE_DEVICE, &l));
    assert_string_equal(l.uuid, "11111111-2222-4333-8444-555555555555");
}

/* ---- servers ---- */

static void test_silent_server(void **state)
{
    struct rig *r = *state;
    const char *code = streq(r->type, "nfs") ? "SR_BACKEND_FAILURE_73" : "SR_BACKEND_FAILURE_111";

    must(sr_detach(r->storage, r->sr.s));
    r->fake.silent = true;
    must_fail(rig_attach(r), code);
    assert_int_equal(count_mounts(r), 0);
    r->fake.silent = false;
    must(rig_attach(r));
}

static void *attach_slowly(void *arg)
{
    must(rig_attach(arg));
    return NULL;
}

static void test_hanging_server_hinders_nobody(void **state)
{
    struct rig *r = *state;
    const struct uuid_text u = uuid_random();
    const struct sr_spec local = {.uuid = u.s, .type = "file"};
    pthread_t thread;

    must(sr_detach(r->storage, r->sr.s));
    __atomic_store_n(&r->fake.deaf, true, __ATOMIC_SEQ_CST);
    assert_int_equal(pthread_create(&thread, NULL, attach_slowly, r), 0);
    must(sr_create(r->storage, &local));
    must(sr_attach(r->storage, &local));
    must(sr_stat(r->storage, u.s, &(struct sr_stat){0}));
    must(sr_detach(r->storage, u.s));
    must(sr_destroy(r->storage, &local));
    must_fail(sr_stat(r->storage, r->sr.s, &(struct sr_stat){0}), "SR_NOT_ATTACHED");
    __atomic_store_n(&r->fake.deaf, false, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    must(sr_stat(r->storage, r->sr.s, &(struct sr_stat){0}));
}

static void *stat_patiently(void *arg)
{
    struct rig *r = arg;

    must_fail(sr_stat(r->storage, r->sr.s, &(struct sr_stat){0}), "SR_BACKEND_FAILURE_47");
    return NULL;
}

/* One call waits for a server that fell silent; those behind it hear of it instead. */
static void test_fallen_silent(void **state)
{
    struct rig *r = *state;
    struct sr *held = NULL;
    pthread_t threads[3];
    int64_t begin = mono_us();

    must(sr_lock(r->storage, r->sr.s, &held));
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stat_patiently, r), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(mono_us() - begin >= SR_SILENT_US);
    sr_unlock(held);
    must(sr_stat(r->storage, r->sr.s, &(struct sr_stat){0}));
    must(sr_detach(r->storage, r->sr.s));
}

/* A restarted program knows it; no disk does, and no list of what is attached. */
static void test_password(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *path = xasprintf("%s/run/%s.password", r->dir, r->sr.s);
    struct stat st;

    assert_false(has_file(r, "state", FAKE_PASSWORD));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    must(sr_detach(r->storage, r->sr.s));
    assert_int_equal(access(path, F_OK), -1);
    expect_create(r, "smb", "server=" FAKE_SHARE " username=ann password=guessed",
                  "SR_BACKEND_FAILURE_111");
    expect_create(r, "smb", "server=" FAKE_SHARE, "SR_BACKEND_FAILURE_111");
}

/* ---- bad words ---- */

static const struct {
    const char *type, *words, *code;
} refused[] = {
    {"ext", "", "SR_BACKEND_FAILURE_90"},
    {"ext", "device=/etc/passwd", "SR_BACKEND_FAILURE_91"},
    {"ext", "device=/dev/../etc/passwd", "SR_BACKEND_FAILURE_91"},
    {"ext", "device=sda", "SR_BACKEND_FAILURE_91"},
    {"ext", "device=/dev/fake0,/dev/fake1", "SR_BACKEND_FAILURE_91"},
    {"xfs", "device=/dev/gone", "SR_BACKEND_FAILURE_91"},
    {"nfs", "", "SR_BACKEND_FAILURE_102"},
    {"nfs", "server=" FAKE_SERVER, "SR_BACKEND_FAILURE_101"},
    {"nfs", "server=-o serverpath=/x", "SR_BACKEND_FAILURE_140"},
    {"nfs", "server=a;b serverpath=/x", "SR_BACKEND_FAILURE_140"},
    {"nfs", "server=elsewhere serverpath=/x", "SR_BACKEND_FAILURE_140"},
    {"nfs", "server=" FAKE_SERVER " serverpath=x", "SR_BACKEND_FAILURE_73"},
    {"nfs", "server=" FAKE_SERVER " serverpath=/x/../../y", "SR_BACKEND_FAILURE_73"},
    {"nfs", "server=" FAKE_SERVER " serverpath=/absent", "SR_BACKEND_FAILURE_73"},
    {"nfs", "server=" FAKE_SERVER " serverpath=/disks nfsversion=2", "SR_BACKEND_FAILURE_72"},
    {"nfs", "server=" FAKE_SERVER " serverpath=/disks options=suid", "SR_BACKEND_FAILURE_115"},
    {"nfs", "server=" FAKE_SERVER " serverpath=/disks options=timeo=5,hard",
     "SR_BACKEND_FAILURE_115"},
    {"smb", "", "SR_BACKEND_FAILURE_102"},
    {"smb", "server=" FAKE_SERVER, "SR_BACKEND_FAILURE_111"},
    {"smb", "server=//" FAKE_SERVER, "SR_BACKEND_FAILURE_111"},
    {"smb", "server=//" FAKE_SERVER "/disks/../..", "SR_BACKEND_FAILURE_111"},
    {"smb", "server=" FAKE_SHARE " username=a,uid=5", "SR_BACKEND_FAILURE_115"},
    {"smb", "server=" FAKE_SHARE " vers=9", "SR_BACKEND_FAILURE_227"},
    {"iso", "type=nfs_iso", "SR_BACKEND_FAILURE_220"},
    {"iso", "location=" FAKE_SERVER ":/absent type=nfs_iso", "SR_BACKEND_FAILURE_222"},
    {"iso", "location=/x type=nfs_iso", "SR_BACKEND_FAILURE_222"},
    {"iso", "location=" FAKE_SERVER ":/disks type=floppy", "SR_BACKEND_FAILURE_115"},
    {"iso", "location=" FAKE_SHARE " type=cifs iso_path=../x", "SR_BACKEND_FAILURE_225"},
};

static void test_refusals(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        expect_create(r, refused[i].type, refused[i].words, refused[i].code);
}

static void test_orders_are_checked_again(void **state)
{
    static const struct mount_order bad[] = {
        {"x", "nfs", "h:/x", "", "", false},
        {"../11111111-2222-4333-8444-555555555555", "nfs", "h:/x", "", "", false},
        {"11111111-2222-4333-8444-555555555555", "proc", "proc", "", "", false},
        {"11111111-2222-4333-8444-555555555555", "ext4", "/etc/passwd", "", "", false},
        {"11111111-2222-4333-8444-555555555555", "ext4", "/dev/sda", "loop,offset=$(id)", "",
         false},
        {"11111111-2222-4333-8444-555555555555", "nfs", "-o:/x", "", "", false},
        {"11111111-2222-4333-8444-555555555555", "cifs", "/etc", "", "", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *e = mount_check_order(&bad[i]);

        if (!e)
            fail_msg("order %zu is accepted", i);
        error_free(e);
    }
}

/* ---- libraries ---- */

static void expect_library(struct rig *r, const char *words, const char *folder)
{
    _cleanup_free_ char *copy = xstrdup(words);
    const struct config c = config_of(copy);
    const struct uuid_text u = uuid_random();
    const struct sr_spec spec = spec_of(u.s, "iso", &c);
    _cleanup_free_ char *file = xasprintf("%s/installer.iso", folder);
    struct vdi_list_info l = {0};

    must(io_mkdir_p(folder, 0700));
    must(io_replace_file(file, "media", 5, 0600));
    must(sr_create(r->storage, &spec));
    must(sr_attach(r->storage, &spec));
    must(sr_scan(r->storage, u.s, &l));
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].location, "installer.iso");
    vdi_list_info_fini(&l);
    must(sr_detach(r->storage, u.s));
    must(sr_destroy(r->storage, &spec));
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(unlink(file), 0);
}

static void test_libraries(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *nfs = fake_mounter_held(&r->fake, FAKE_SERVER ":/disks/iso");
    _cleanup_free_ char *smb = fake_mounter_held(&r->fake, FAKE_SHARE);
    _cleanup_free_ char *below = xasprintf("%s/media/linux", smb);

    expect_library(r, "location=" FAKE_SERVER ":/disks/iso", nfs);
    expect_library(r, "location=" FAKE_SERVER ":/disks/iso type=nfs_iso nfsversion=4", nfs);
    expect_library(r, "location=" FAKE_SHARE " type=cifs username=ann cifspassword=" FAKE_PASSWORD,
                   smb);
    expect_library(r,
                   "location=\\\\filer.example\\disks username=ann iso_path=/media/linux "
                   "cifspassword=" FAKE_PASSWORD,
                   below);
    expect_create(r, "iso",
                  "location=" FAKE_SHARE " username=ann iso_path=absent "
                  "cifspassword=" FAKE_PASSWORD,
                  "SR_BACKEND_FAILURE_224");
}

/* ---- probing ---- */

static struct sr_places_found probe(struct rig *r, const char *type, const char *words)
{
    _cleanup_free_ char *copy = xstrdup(words);
    const struct config c = config_of(copy);
    const struct uuid_text u = uuid_random();
    const struct sr_spec spec = spec_of(u.s, type, &c);
    struct sr_places_found found;
    int before = count_mounts(r);

    must(sr_probe(r->storage, &spec, &found));
    assert_int_equal(count_mounts(r), before);
    return found;
}

static void test_probe_server(void **state)
{
    struct rig *r = *state;
    struct sr_places_found f = probe(r, "nfs", "server=" FAKE_SERVER);

    assert_int_equal(f.v.n, 2);
    assert_string_equal(f.v.v[0].key, "serverpath");
    assert_string_equal(f.v.v[0].value, FAKE_EXPORT);
    assert_false(f.v.v[0].complete);
    sr_places_found_fini(&f);
    f = probe(r, "nfs", "server=" FAKE_SERVER " serverpath=" FAKE_EXPORT);
    assert_int_equal(f.v.n, 1);
    assert_string_equal(f.v.v[0].sr.s, r->sr.s);
    assert_true(f.v.v[0].complete && f.v.v[0].size > 0);
    sr_places_found_fini(&f);
    f = probe(r, "nfs", "server=" FAKE_SERVER " serverpath=/disks/empty");
    assert_int_equal(f.v.n, 1);
    assert_string_equal(f.v.v[0].sr.s, "");
    assert_true(f.v.v[0].complete);
    sr_places_found_fini(&f);
}

static void test_probe_device(void **state)
{
    struct rig *r = *state;
    struct sr_places_found f;

    must(sr_detach(r->storage, r->sr.s));
    f = probe(r, r->type, "device=" FAKE_DEVICE);
    assert_int_equal(f.v.n, 1);
    assert_string_equal(f.v.v[0].sr.s, r->sr.s);
    sr_places_found_fini(&f);
    fake_mounter_device(&r->fake, "ntfs", "0123-4567", "photos");
    f = probe(r, r->type, "device=" FAKE_DEVICE);
    assert_string_equal(f.v.v[0].sr.s, "");
    assert_false(f.v.v[0].complete);
    assert_non_null(strstr(f.v.v[0].what, "photos"));
    sr_places_found_fini(&f);
    f = probe(r, r->type, ""); /* whatever this machine has: none of it is ours to look into */
    sr_places_found_fini(&f);
}

/* ---- real disks ---- */

/* A loop device over a file, in mounts of our own. NULL: this machine lets us have none. */
static char *make_disk(char *file)
{
    _cleanup_close_ int fd = mkstemp(file);
    _cleanup_str_ struct str out = STR_INIT;

    if (geteuid() != 0 || fd < 0 || ftruncate(fd, 512 * MIB) < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return NULL;
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, "losetup");
    spawn_add(&s, "--find");
    spawn_add(&s, "--show");
    spawn_add(&s, file);
    struct error *e = spawn_run(&s, 10 * SECOND_US, 256, &out);

    error_free(e);
    return e ? NULL : xmemdup0(str_cstr(&out), out.len - 1);
}

static void remove_disk(const char *device)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "losetup");
    spawn_add(&s, "--detach");
    spawn_add(&s, device);
    IGNORE_ERROR(spawn_run(&s, 10 * SECOND_US, 0, NULL));
}

static void test_real_mount_is_hardened(void **state)
{
    struct rig *r = *state;
    _cleanup_str_ struct str text = STR_INIT;

    must(io_read_file("/proc/self/mountinfo", 1 << 20, &text));
    char *line = strstr(str_cstr(&text), r->sr.s);
    assert_non_null(line);
    line[strcspn(line, "\n")] = 0;
    if (!strstr(line, "nosuid,nodev,noexec"))
        fail_msg("mounted with: %s", line);
    assert_non_null(strstr(line, streq(r->type, "ext") ? " ext4 " : " xfs "));
}

static void test_real_device_in_use(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *plain = xasprintf("device=%s", rig_device);
    _cleanup_free_ char *force = xasprintf("device=%s force=true", rig_device);

    expect_create(r, r->type, force, "SR_DEVICE_IN_USE");
    must(sr_detach(r->storage, r->sr.s));
    expect_create(r, r->type, plain, "SR_BACKEND_FAILURE_42");
    struct sr_places_found f = probe(r, r->type, plain);
    assert_string_equal(f.v.v[0].sr.s, r->sr.s);
    assert_int_equal(f.v.v[0].size, 512 * MIB);
    sr_places_found_fini(&f);
    expect_create(r, r->type, force, NULL);
}

/* Each begins with a blank disk. */
static int real_tear_down(void **state)
{
    struct rig *r = *state;

    if (r->storage)
        IGNORE_ERROR(sr_detach(r->storage, r->sr.s));
    IGNORE_ERROR(mounter_programs.wipe(r->fake.root, rig_device));
    return rig_tear_down(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
#define REAL(f) cmocka_unit_test_setup_teardown(f, rig_set_up, real_tear_down)

static int run_on_disks(void)
{
    static const struct CMUnitTest tests[] = {
        REAL(test_life),
        REAL(test_adopted),
        REAL(test_swept),
        REAL(test_real_mount_vanished),
        REAL(test_mounted_again),
        REAL(test_real_mount_is_hardened),
        REAL(test_real_device_in_use),
    };
    char file[] = "/tmp/xenolith-disk-XXXXXX";
    _cleanup_free_ char *device = make_disk(file);
    int failed = 0;

    if (!device) {
        print_message("no disks of our own on this machine: not tried on real file systems\n");
        unlink(file);
        return 0;
    }
    rig_device = device;
    rig_type = "ext";
    failed += cmocka_run_group_tests_name("ext on a disk", tests, NULL, NULL);
    rig_type = "xfs";
    failed += cmocka_run_group_tests_name("xfs on a disk", tests, NULL, NULL);
    remove_disk(device);
    unlink(file);
    return failed;
}

int main(void)
{
    static const char *const kinds[] = {"ext", "xfs", "nfs", "smb"};
    const struct CMUnitTest all[] = {TEST(test_life), TEST(test_adopted), TEST(test_swept),
                                     TEST(test_mounted_again)};
    const struct CMUnitTest devices[] = {TEST(test_device_in_use), TEST(test_device_is_another),
                                         TEST(test_probe_device)};
    const struct CMUnitTest servers[] = {TEST(test_silent_server),
                                         TEST(test_hanging_server_hinders_nobody)};
    const struct CMUnitTest fallen[] = {TEST(test_fallen_silent)};
    const struct CMUnitTest nfs[] = {TEST(test_probe_server), TEST(test_libraries),
                                     TEST(test_refusals), TEST(test_orders_are_checked_again),
                                     TEST(test_programs_refuse)};
    const struct CMUnitTest smb[] = {TEST(test_password)};
    int failed = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        rig_type = kinds[i];
        failed += cmocka_run_group_tests_name(rig_type, all, NULL, NULL);
        failed += i < 2 ? cmocka_run_group_tests_name("devices", devices, NULL, NULL)
                        : cmocka_run_group_tests_name("servers", servers, NULL, NULL);
    }
    rig_type = "nfs";
    failed += cmocka_run_group_tests_name("nfs alone", nfs, NULL, NULL);
    failed += cmocka_run_group_tests_name("nfs, silent", fallen, NULL, NULL);
    rig_type = "smb";
    failed += cmocka_run_group_tests_name("smb alone", smb, NULL, NULL);
    return failed + run_on_disks();
}
