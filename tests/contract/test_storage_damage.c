/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SRs in directories that were damaged, moved, filled up or left half-way. */

#include "storage_rig.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "lib/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char *in_sr(const struct rig *r, const char *name)
{
    return xasprintf("%s/%s", r->sr_dir, name);
}

static struct uuid_text node_of(struct rig *r, const char *vdi)
{
    struct vdi_info i;

    must(vdi_stat(r->storage, r->sr.s, vdi, &i));
    struct uuid_text node = i.node;
    vdi_info_fini(&i);
    return node;
}

static char *image_of(struct rig *r, const char *vdi)
{
    struct uuid_text node = node_of(r, vdi);

    return xasprintf("%s/%s.qcow2", r->sr_dir, node.s);
}

static void write_file(const struct rig *r, const char *name, const char *text)
{
    _cleanup_free_ char *path = in_sr(r, name);

    must(io_write_file(path, text, strlen(text), 0600));
}

static void expect_incomplete(struct rig *r, const char *what)
{
    struct vdi_list_info l = {0};

    must(sr_scan(r->storage, r->sr.s, &l));
    if (l.complete || !strstr(l.problems, what))
        fail_msg("the scan does not tell of %s: %s", what, l.problems);
    vdi_list_info_fini(&l);
}

static void expect_open_refused(struct rig *r, const char *vdi, const char *code)
{
    struct uuid_text id = uuid_random();
    int fd = -1;

    must_fail(vdi_nbd(r->storage, r->sr.s, vdi, id.s, false, &fd), code);
    assert_int_equal(fd, -1);
}

static void test_directory_gone(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *away = xasprintf("%s.away", r->sr_dir);
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text u = uuid_random();

    assert_int_equal(rename(r->sr_dir, away), 0);
    must_fail(sr_scan(r->storage, r->sr.s, &(struct vdi_list_info){0}), "SR_BACKEND_FAILURE_47");
    must_fail(sr_stat(r->storage, r->sr.s, &(struct sr_stat){0}), "SR_BACKEND_FAILURE_47");
    must_fail(vdi_create(r->storage, r->sr.s, u.s, MIB, -1, NULL), "SR_BACKEND_FAILURE_47");
    must_fail(vdi_destroy(r->storage, r->sr.s, a.s), "SR_BACKEND_FAILURE_47");
    /* Another directory in its place, as when a file system is not mounted. */
    assert_int_equal(mkdir(r->sr_dir, 0700), 0);
    must_fail(sr_scan(r->storage, r->sr.s, &(struct vdi_list_info){0}), "SR_BACKEND_FAILURE_47");
    must_fail(vdi_create(r->storage, r->sr.s, u.s, MIB, -1, NULL), "SR_BACKEND_FAILURE_47");
    must(sr_detach(r->storage, r->sr.s));
    must_fail(rig_attach(r), "SR_BACKEND_FAILURE_47");
    assert_int_equal(rmdir(r->sr_dir), 0);
    assert_int_equal(rename(away, r->sr_dir), 0);
    must(rig_attach(r));
    vdi_fill(r, a.s, 0, 1);
}

static void test_corrupt_records(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"xenolith\": 1}",
        "{\"xenolith\": 99, \"node\": \"x\"}",
        "{\"xenolith\": 1, \"node\": \"3b241101-e2bb-4255-8caf-4136c566a962\", "
        "\"format\": \"qcow2\", \"size\": -5, \"parent\": null}",
        "{\"xenolith\": 1, \"node\": \"3b241101-e2bb-4255-8caf-4136c566a962\", "
        "\"format\": \"qcow2\", \"size\": 4096, \"parent\": \"../../etc/passwd\"}",
        /* its own parent */
        "{\"xenolith\": 1, \"node\": \"3b241101-e2bb-4255-8caf-4136c566a962\", "
        "\"format\": \"qcow2\", \"size\": 4096, "
        "\"parent\": \"3b241101-e2bb-4255-8caf-4136c566a962\"}",
    };
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    /* An image that only a record could explain: nothing may be removed while one is unreadable. */
    const char *orphan = "{\"xenolith\": 1, \"node\": \"11111111-e2bb-4255-8caf-4136c566a962\", "
                         "\"format\": \"qcow2\", \"size\": 4194304, \"parent\": null}";

    vdi_fill(r, a.s, 0, 1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        write_file(r, "11111111-e2bb-4255-8caf-4136c566a962.json", orphan);
        write_file(r, "11111111-e2bb-4255-8caf-4136c566a962.qcow2", "precious");
        write_file(r, "3b241101-e2bb-4255-8caf-4136c566a962.json", bad[i]);
        rig_restart(r);
        expect_incomplete(r, "3b241101-e2bb-4255-8caf-4136c566a962");
        assert_int_equal(rig_count_files(r, "11111111-*.qcow2"), 1);
        assert_int_equal(vdi_byte(r, a.s, 0), 1);
    }
    _cleanup_free_ char *path = in_sr(r, "3b241101-e2bb-4255-8caf-4136c566a962.json");
    assert_int_equal(unlink(path), 0);
    rig_restart(r);
    assert_int_equal(rig_count_files(r, "11111111-*"), 0);
}

/* Up to 256 KiB a record is read; what is larger explains nothing. */
static void test_large_record(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text node = node_of(r, a.s);
    _cleanup_free_ char *record = xasprintf("%s.vdi.json", a.s);
    const int lengths[] = {200 << 10, 300 << 10};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        _cleanup_free_ char *text =
            xasprintf("{\"xenolith\": 1, \"vdi\": \"%s\", \"node\": \"%s\", "
                      "\"props\": {}, \"more\": \"%*s\"}",
                      a.s, node.s, lengths[i], "x");
        struct vdi_list_info l = {0};

        write_file(r, record, text);
        rig_restart(r);
        must(sr_scan(r->storage, r->sr.s, &l));
        assert_int_equal(l.complete, i == 0);
        vdi_list_info_fini(&l);
    }
    expect_incomplete(r, record);
    assert_int_equal(rig_count_files(r, "*.qcow2"), 1);
}

static void test_truncated_image(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text b = rig_disk(r, 4 * MIB);
    _cleanup_free_ char *path = image_of(r, a.s);

    assert_int_equal(truncate(path, 100), 0);
    expect_incomplete(r, "missing or damaged");
    expect_open_refused(r, a.s, "SR_BACKEND_FAILURE_46");
    rig_restart(r);
    expect_open_refused(r, a.s, "SR_BACKEND_FAILURE_65");
    assert_int_equal(unlink(path), 0);
    rig_restart(r);
    expect_open_refused(r, a.s, "SR_BACKEND_FAILURE_65");
    vdi_fill(r, b.s, 0, 1); /* others go on */
    must(vdi_destroy(r->storage, r->sr.s, a.s));
}

static void test_image_of_another_size(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 8 * MIB);
    struct uuid_text small = rig_disk(r, 4 * MIB);
    struct uuid_text s = uuid_random();
    _cleanup_free_ char *from = image_of(r, small.s);
    _cleanup_free_ char *to = image_of(r, a.s);

    must(vdi_snapshot(r->storage, r->sr.s, a.s, s.s, 0, NULL));
    assert_int_equal(rename(from, to), 0); /* the base is now smaller than it says */
    expect_incomplete(r, "missing or damaged");
    expect_open_refused(r, a.s, "SR_BACKEND_FAILURE_46");
    expect_open_refused(r, s.s, "SR_BACKEND_FAILURE_46");
}

/* A qcow2 header may name any file as its backing file; records decide, never the header. */
static void test_backing_name_is_not_followed(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    _cleanup_free_ char *path = image_of(r, a.s);
    _cleanup_free_ char *secret = xasprintf("%s/secret", r->dir);
    _cleanup_free_ char *text = xcalloc(1, 4 * MIB);
    _cleanup_spawn_ struct spawn s;

    memset(text, 'S', 4 * MIB);
    must(io_write_file(secret, text, 4 * MIB, 0600));
    spawn_init(&s, "qemu-img");
    const char *args[] = {"rebase", "-u", "-b", secret, "-F", "raw", path};
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        spawn_add(&s, args[i]);
    must(spawn_run(&s, 10 * SECOND_US, 0, NULL));
    assert_int_equal(vdi_byte(r, a.s, 0), 0);
}

static void test_half_made_things_go(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text s = uuid_random();
    struct uuid_text node = node_of(r, a.s);
    _cleanup_free_ char *record = xasprintf("%s.vdi.json", s.s);
    /* The record of a snapshot, before the record of its source was changed. */
    _cleanup_free_ char *text = xasprintf(
        "{\"xenolith\": 1, \"vdi\": \"%s\", \"node\": \"%s\", \"frozen\": true, "
        "\"is_snapshot\": true, \"snapshot_of\": \"%s\", \"snapshot_time\": 5, \"props\": {}}",
        s.s, node.s, a.s);

    vdi_fill(r, a.s, 0, 1);
    write_file(r, ".making-3b241101-e2bb-4255-8caf-4136c566a962", "half");
    write_file(r, "holiday.qcow2", "not ours");
    write_file(r, record, text);
    rig_restart(r);
    assert_int_equal(rig_count_files(r, ".making-*"), 0);
    assert_int_equal(rig_count_files(r, "*.vdi.json"), 1);
    assert_int_equal(rig_count_files(r, "holiday.qcow2"), 1);
    assert_int_equal(vdi_byte(r, a.s, 0), 1);
    must(vdi_snapshot(r->storage, r->sr.s, a.s, s.s, 5, NULL)); /* the request, repeated */
    vdi_fill(r, a.s, 0, 2);
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
}

static void test_unknown_members_stay(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text node = node_of(r, a.s);
    _cleanup_free_ char *record = xasprintf("%s.vdi.json", a.s);
    _cleanup_free_ char *path = in_sr(r, record);
    _cleanup_free_ char *text =
        xasprintf("{\"xenolith\": 1, \"vdi\": \"%s\", \"node\": \"%s\", \"from_the_future\": 42, "
                  "\"props\": {}}",
                  a.s, node.s);
    _cleanup_str_ struct str now = STR_INIT;

    write_file(r, record, text);
    rig_restart(r);
    must(vdi_set_props(r->storage, r->sr.s, a.s, NULL));
    must(io_read_file(path, 65536, &now));
    assert_non_null(strstr(str_cstr(&now), "from_the_future"));
}

static void test_locations(void **state)
{
    struct rig *r = *state;
    _cleanup_free_ char *link = xasprintf("%s/sr/link", r->dir);
    _cleanup_free_ char *up = xasprintf("%s/sr/../../elsewhere", r->dir);
    const char *const bad[] = {"/etc", "relative", "", up, link};
    struct uuid_text u = uuid_random();
    const char *key = "location";

    assert_int_equal(symlink("/usr", link), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const struct sr_spec spec = {
            .uuid = u.s, .type = "file", .device_config = {.n = 1, .k = &key, .v = &bad[i]}};
        must_fail(sr_create(r->storage, &spec), "SR_BACKEND_FAILURE_91");
        must_fail(sr_attach(r->storage, &spec), "SR_BACKEND_FAILURE_91");
    }
    const struct sr_spec unknown = {.uuid = u.s, .type = "floppy"};
    must_fail(sr_create(r->storage, &unknown), "SR_UNKNOWN_DRIVER");
    const struct sr_spec bad_uuid = {.uuid = "../x", .type = "file"};
    must_fail(sr_create(r->storage, &bad_uuid), "UUID_INVALID");
}

static void test_one_process_at_a_time(void **state)
{
    struct rig *r = *state;
    struct rig other = *r;
    _cleanup_free_ char *state_dir = xasprintf("%s/state2", r->dir);
    _cleanup_free_ char *run_dir = xasprintf("%s/run2", r->dir);
    _cleanup_free_ char *root = xasprintf("%s/sr", r->dir);
    const char *roots[] = {root};
    const struct storage_config c = {
        .state_dir = state_dir, .run_dir = run_dir, .roots = roots, .n_roots = 1, .loop = r->loop};

    must(storage_new(&c, &other.storage));
    must_fail(rig_attach(&other), "SR_BACKEND_FAILURE_47");
    storage_free(other.storage);
}

static void test_formats(void **state)
{
    struct rig *r = *state;

    for (int f = 0; f < IMAGE_FORMAT_MAX; f++) {
        struct uuid_text a = uuid_random();
        struct uuid_text s = uuid_random();
        struct uuid_text b = uuid_random();
        must(vdi_create(r->storage, r->sr.s, a.s, 8 * MIB, f, NULL));
        vdi_fill(r, a.s, 0, 1);
        must(vdi_snapshot(r->storage, r->sr.s, a.s, s.s, 0, NULL));
        vdi_fill(r, a.s, 4 * MIB, 2);
        must(vdi_copy(r->storage, r->sr.s, a.s, r->sr.s, b.s, f, NULL, NULL));
        rig_restart(r);
        assert_int_equal(vdi_byte(r, b.s, 0), 1);
        assert_int_equal(vdi_byte(r, b.s, 4 * MIB), 2);
        assert_int_equal(vdi_byte(r, s.s, 4 * MIB), 0);
        struct vdi_info i;
        must(vdi_stat(r->storage, r->sr.s, b.s, &i));
        assert_int_equal(i.virtual_size, 8 * MIB);
        assert_true(i.sound);
        vdi_info_fini(&i);
    }
}

static bool may_mount;

/* A file system of 8 MiB. */
static void test_full_disk(void **state)
{
    struct rig *r = *state;

    must(sr_detach(r->storage, r->sr.s));
    if (!may_mount) {
        print_message("this machine lets nobody make namespaces\n");
        skip();
    }
    assert_return_code(mount("tmpfs", r->sr_dir, "tmpfs", 0, "size=8m"), errno);
    const struct sr_spec spec = {.uuid = r->sr.s, .type = r->type};
    must(sr_create(r->storage, &spec));
    must(rig_attach(r));
    struct uuid_text a = rig_disk(r, 64 * MIB);
    for (int i = 0; i < 4; i++)
        vdi_fill(r, a.s, i * MIB, 1);
    _cleanup_free_ char *filler = in_sr(r, "filler");
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    _cleanup_free_ char *zeroes = xcalloc(1, 65536);
    while (write(fd, zeroes, 65536) > 0)
        ;
    close(fd);
    struct uuid_text u = uuid_random();
    must_fail(vdi_create(r->storage, r->sr.s, u.s, MIB, -1, NULL), "SR_BACKEND_FAILURE_44");
    must_fail(vdi_snapshot(r->storage, r->sr.s, a.s, u.s, 0, NULL), "SR_BACKEND_FAILURE_44");
    must_fail(vdi_copy(r->storage, r->sr.s, a.s, r->sr.s, u.s, -1, NULL, NULL),
              "SR_BACKEND_FAILURE_44");
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(vdi_byte(r, a.s, 3 * MIB), 1);
    must(vdi_snapshot(r->storage, r->sr.s, a.s, u.s, 0, NULL));
    must(vdi_destroy(r->storage, r->sr.s, u.s));
    must(vdi_destroy(r->storage, r->sr.s, a.s));
    assert_int_equal(rig_count_files(r, "*.qcow2"), 0);
    must(sr_detach(r->storage, r->sr.s));
    assert_int_equal(umount(r->sr_dir), 0);
}

static void test_iso_library(void **state)
{
    struct rig *r = *state;
    struct uuid_text u = uuid_random();
    _cleanup_free_ char *dir = xasprintf("%s/sr/isos", r->dir);
    const char *key = "location";
    const char *value = dir;
    const struct sr_spec spec = {
        .uuid = u.s, .type = "iso", .device_config = {.n = 1, .k = &key, .v = &value}};
    _cleanup_free_ char *iso = xasprintf("%s/debian.iso", dir);
    _cleanup_free_ char *other = xasprintf("%s/readme.txt", dir);
    _cleanup_free_ char *data = xcalloc(1, 2 * MIB + 2048);
    struct vdi_list_info l = {0};
    int fd = -1;

    memset(data, 'I', 2 * MIB + 2048);
    must(sr_create(r->storage, &spec));
    must(io_write_file(iso, data, 2 * MIB + 2048, 0600));
    must(io_write_file(other, data, 10, 0600));
    must(sr_attach(r->storage, &spec));
    must(sr_scan(r->storage, u.s, &l));
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].location, "debian.iso");
    assert_true(l.v[0].read_only && l.v[0].sound);
    assert_int_equal(l.v[0].virtual_size, 2 * MIB + 2048);
    struct uuid_text vdi = l.v[0].uuid;
    vdi_list_info_fini(&l);

    struct rig lib = *r;
    lib.sr = u;
    assert_int_equal(vdi_byte(&lib, vdi.s, 2 * MIB), 'I');
    must_fail(vdi_nbd(r->storage, u.s, vdi.s, u.s, true, &fd), "SR_OPERATION_NOT_SUPPORTED");
    must_fail(vdi_create(r->storage, u.s, u.s, MIB, -1, NULL), "SR_OPERATION_NOT_SUPPORTED");
    must_fail(vdi_destroy(r->storage, u.s, vdi.s), "SR_OPERATION_NOT_SUPPORTED");
    must_fail(vdi_snapshot(r->storage, u.s, vdi.s, u.s, 0, NULL), "SR_OPERATION_NOT_SUPPORTED");
    struct uuid_text copy = uuid_random();
    must(vdi_copy(r->storage, u.s, vdi.s, r->sr.s, copy.s, -1, NULL, NULL));
    assert_int_equal(vdi_byte(r, copy.s, 2 * MIB), 'I');
    assert_int_equal(unlink(iso), 0);
    must(sr_scan(r->storage, u.s, &l));
    assert_int_equal(l.n, 0);
    vdi_list_info_fini(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_directory_gone),
        TEST(test_corrupt_records),
        TEST(test_large_record),
        TEST(test_truncated_image),
        TEST(test_image_of_another_size),
        TEST(test_backing_name_is_not_followed),
        TEST(test_half_made_things_go),
        TEST(test_unknown_members_stay),
        TEST(test_locations),
        TEST(test_one_process_at_a_time),
        TEST(test_formats),
        TEST(test_full_disk),
        TEST(test_iso_library),
    };

    may_mount = namespace_be_root();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
