/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contract of sr.h and vdi.h, run over every kind of SR that can hold disks. */

#include "storage_rig.h"

#include "storage/tune.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

static struct vdi_info *find(struct vdi_list_info *l, const char *uuid)
{
    for (size_t i = 0; i < l->n; i++) {
        if (streq(l->v[i].uuid.s, uuid))
            return &l->v[i];
    }
    return NULL;
}

static struct vdi_list_info scan(struct rig *r)
{
    struct vdi_list_info l = {0};

    must(sr_scan(r->storage, r->sr.s, &l));
    if (!l.complete)
        fail_msg("scan is not complete: %s", l.problems);
    return l;
}

static int count_disks(struct rig *r, bool managed)
{
    struct vdi_list_info l = scan(r);
    int n = 0;

    for (size_t i = 0; i < l.n; i++)
        n += l.v[i].managed == managed;
    vdi_list_info_fini(&l);
    return n;
}

static struct uuid_text snapshot(struct rig *r, const char *vdi)
{
    struct uuid_text u = uuid_random();

    must(vdi_snapshot(r->storage, r->sr.s, vdi, u.s, 1700000000, NULL));
    return u;
}

static struct uuid_text clone_of(struct rig *r, const char *vdi)
{
    struct uuid_text u = uuid_random();

    must(vdi_clone(r->storage, r->sr.s, vdi, u.s, NULL));
    return u;
}

static bool collect(struct rig *r)
{
    const struct sr_collect how = {0};
    bool merged = false;

    must(sr_collect(r->storage, r->sr.s, &how, &merged));
    return merged;
}

static void test_create_and_destroy(void **state)
{
    struct rig *r = *state;
    const char *keys[] = {"name_label", "type"};
    const char *values[] = {"root disk", "user"};
    const struct map props = {.n = 2, .k = keys, .v = values};
    struct uuid_text u = uuid_random();

    must(vdi_create(r->storage, r->sr.s, u.s, 5 * MIB, -1, &props));
    must(vdi_create(r->storage, r->sr.s, u.s, 5 * MIB, -1, &props)); /* the same request */
    must_fail(vdi_create(r->storage, r->sr.s, u.s, 9 * MIB, -1, NULL), "SR_BACKEND_FAILURE_42");
    struct vdi_list_info l = scan(r);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].uuid.s, u.s);
    assert_int_equal(l.v[0].virtual_size, 6 * MIB); /* rounded up */
    assert_true(l.v[0].managed && l.v[0].sound && !l.v[0].is_snapshot);
    assert_string_equal(json_string_value(json_object_get(l.v[0].props, "name_label")),
                        "root disk");
    vdi_list_info_fini(&l);
    must(vdi_destroy(r->storage, r->sr.s, u.s));
    must(vdi_destroy(r->storage, r->sr.s, u.s));
    assert_int_equal(count_disks(r, true), 0);
}

static void test_refusals(void **state)
{
    struct rig *r = *state;
    struct uuid_text u = uuid_random();
    struct uuid_text none = uuid_random();

    must_fail(vdi_create(r->storage, r->sr.s, u.s, 0, -1, NULL), "SR_BACKEND_FAILURE_79");
    must_fail(vdi_create(r->storage, r->sr.s, u.s, VDI_SIZE_MAX + 1, -1, NULL),
              "SR_BACKEND_FAILURE_79");
    must_fail(vdi_create(r->storage, r->sr.s, "../../etc/passwd", MIB, -1, NULL), "UUID_INVALID");
    must_fail(vdi_create(r->storage, none.s, u.s, MIB, -1, NULL), "SR_NOT_ATTACHED");
    must_fail(vdi_snapshot(r->storage, r->sr.s, none.s, u.s, 0, NULL), "VDI_MISSING");
    must_fail(vdi_resize(r->storage, r->sr.s, none.s, MIB, &(int64_t){0}), "VDI_MISSING");
}

static void test_snapshot_keeps_the_past(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text s = snapshot(r, a.s);
    must(vdi_snapshot(r->storage, r->sr.s, a.s, s.s, 1700000000, NULL)); /* the same request */
    vdi_fill(r, a.s, 0, 2);
    vdi_fill(r, a.s, 4 * MIB, 3);
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
    assert_int_equal(vdi_byte(r, s.s, 4 * MIB), 0);
    assert_int_equal(vdi_byte(r, a.s, 0), 2);
    assert_int_equal(vdi_byte(r, a.s, 4 * MIB), 3);
    struct vdi_list_info l = scan(r);
    const struct vdi_info *i = find(&l, s.s);
    assert_true(i->is_snapshot);
    assert_string_equal(i->snapshot_of.s, a.s);
    assert_int_equal(i->snapshot_time, 1700000000);
    assert_string_equal(find(&l, a.s)->parent.s, i->node.s);
    vdi_list_info_fini(&l);
}

static void test_snapshot_under_a_writer(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);
    struct disk d = disk_open(r, a.s, true);

    disk_fill(&d, 0, 1);
    struct uuid_text s = snapshot(r, a.s);
    disk_fill(&d, 0, 2);
    struct uuid_text s2 = snapshot(r, a.s);
    disk_fill(&d, 0, 3);
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
    assert_int_equal(vdi_byte(r, s2.s, 0), 2);
    assert_int_equal(disk_byte(&d, 0), 3);
    disk_close(&d);
    assert_int_equal(vdi_byte(r, a.s, 0), 3);
}

static void test_clones_are_apart(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text b = clone_of(r, a.s);
    struct uuid_text s = snapshot(r, a.s);
    struct uuid_text c = clone_of(r, s.s);
    vdi_fill(r, a.s, 0, 2);
    vdi_fill(r, b.s, 0, 3);
    vdi_fill(r, c.s, 2 * MIB, 4);
    assert_int_equal(vdi_byte(r, a.s, 0), 2);
    assert_int_equal(vdi_byte(r, b.s, 0), 3);
    assert_int_equal(vdi_byte(r, c.s, 0), 1);
    assert_int_equal(vdi_byte(r, c.s, 2 * MIB), 4);
    assert_int_equal(vdi_byte(r, s.s, 2 * MIB), 0);
}

static void test_a_snapshot_can_be_written(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text s = snapshot(r, a.s);
    vdi_fill(r, s.s, 0, 9);
    assert_int_equal(vdi_byte(r, s.s, 0), 9);
    assert_int_equal(vdi_byte(r, a.s, 0), 1);
}

static void test_revert(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);
    int64_t size;

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text s = snapshot(r, a.s);
    vdi_fill(r, a.s, 0, 2);
    must(vdi_resize(r->storage, r->sr.s, a.s, 32 * MIB, &size));
    struct disk d = disk_open(r, a.s, true);
    must_fail(vdi_revert(r->storage, r->sr.s, a.s, s.s), "VDI_IN_USE");
    disk_close(&d);
    for (int i = 0; i < 3; i++) {
        must(vdi_revert(r->storage, r->sr.s, a.s, s.s));
        assert_int_equal(vdi_byte(r, a.s, 0), 1);
        vdi_fill(r, a.s, 0, 3);
    }
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
    assert_int_equal(count_disks(r, true) + count_disks(r, false), 2);
    struct vdi_info i;
    must(vdi_stat(r->storage, r->sr.s, a.s, &i));
    assert_int_equal(i.virtual_size, 16 * MIB);
    vdi_info_fini(&i);
}

static void test_uuid_is_used_again(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text b = clone_of(r, a.s);
    must(vdi_destroy(r->storage, r->sr.s, a.s));
    must(vdi_create(r->storage, r->sr.s, a.s, 4 * MIB, -1, NULL));
    assert_int_equal(vdi_byte(r, a.s, 0), 0);
    assert_int_equal(vdi_byte(r, b.s, 0), 1);
}

static void test_depth_is_limited(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text u = uuid_random();

    /* Written to in between: an empty image is not frozen again. */
    for (int i = 1; i < VDI_DEPTH_MAX; i++) {
        (void)snapshot(r, a.s);
        (void)snapshot(r, a.s);
        vdi_fill(r, a.s, 0, 2);
    }
    must_fail(vdi_snapshot(r->storage, r->sr.s, a.s, u.s, 0, NULL), "SR_BACKEND_FAILURE_109");
    assert_int_equal(count_disks(r, true), 2 * VDI_DEPTH_MAX - 1);
    vdi_fill(r, a.s, 0, 1);
    assert_int_equal(vdi_byte(r, a.s, 0), 1);
}

static void test_use_is_exclusive(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text other = uuid_random();
    struct disk d = disk_open(r, a.s, true);
    int fd = -1;

    must_fail(vdi_nbd(r->storage, r->sr.s, a.s, other.s, true, &fd), "VDI_IN_USE");
    must_fail(vdi_destroy(r->storage, r->sr.s, a.s), "VDI_IN_USE");
    must_fail(sr_detach(r->storage, r->sr.s), "VDI_IN_USE");
    must_fail(vdi_copy(r->storage, r->sr.s, a.s, r->sr.s, other.s, -1, NULL, NULL), "VDI_IN_USE");
    struct disk reader = disk_open(r, a.s, false);
    disk_fill(&d, 0, 5);
    assert_int_equal(disk_byte(&reader, 0), 5);
    disk_close(&reader);
    disk_close(&d);
    must(vdi_nbd_close(r->storage, r->sr.s, d.id.s)); /* the same request */
    must(vdi_destroy(r->storage, r->sr.s, a.s));
    must(sr_detach(r->storage, r->sr.s));
    must(sr_detach(r->storage, r->sr.s));
}

struct snapshot_run {
    struct rig *r;
    const char *disk;
    struct error *e;
    atomic_bool done;
};

static void *run_snapshot(void *arg)
{
    struct snapshot_run *run = arg;

    run->e = vdi_snapshot(run->r->storage, run->r->sr.s, run->disk, uuid_random().s, 0, NULL);
    atomic_store(&run->done, true);
    return NULL;
}

/* QEMU lets a client in while it drains an image: its writes would go where nobody looks. */
static void test_nothing_changes_while_somebody_attaches(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct snapshot_run run = {.r = r, .disk = a.s};
    pthread_t thread;

    vdi_fill(r, a.s, 0, 1);
    must(vdi_destroy(r->storage, r->sr.s, snapshot(r, a.s).s));
    struct disk d = disk_connect(r, a.s, true);

    assert_false(collect(r));
    pthread_create(&thread, NULL, run_snapshot, &run);
    poll(NULL, 0, 100);
    assert_false(atomic_load(&run.done));
    disk_attach(&d);
    pthread_join(thread, NULL);
    must(run.e);
    disk_fill(&d, 0, 2);
    assert_true(collect(r));
    disk_close(&d);
    assert_int_equal(vdi_byte(r, a.s, 0), 2);
}

static void test_resize(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    int64_t size = 0;

    vdi_fill(r, a.s, 0, 7);
    must(vdi_resize(r->storage, r->sr.s, a.s, 9 * MIB, &size));
    assert_int_equal(size, 10 * MIB);
    must_fail(vdi_resize(r->storage, r->sr.s, a.s, 4 * MIB, &size), "SR_BACKEND_FAILURE_79");
    vdi_fill(r, a.s, 9 * MIB, 8);
    struct uuid_text s = snapshot(r, a.s);
    must(vdi_resize(r->storage, r->sr.s, a.s, 20 * MIB, &size));
    vdi_fill(r, a.s, 19 * MIB, 9);
    assert_int_equal(vdi_byte(r, a.s, 0), 7);
    assert_int_equal(vdi_byte(r, s.s, 9 * MIB), 8);
    struct vdi_info i;
    must(vdi_stat(r->storage, r->sr.s, s.s, &i));
    assert_int_equal(i.virtual_size, 10 * MIB);
    vdi_info_fini(&i);
}

/* The largest disk there may be holds data up to its end, and takes no more than that. */
static void test_largest_disk(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, VDI_SIZE_MAX);
    struct uuid_text b = rig_disk(r, VDI_SIZE_MAX - VDI_SIZE_STEP);
    struct vdi_info i;
    int64_t size;

    vdi_fill(r, a.s, VDI_SIZE_MAX - MIB, 6);
    struct uuid_text s = snapshot(r, a.s);
    vdi_fill(r, a.s, VDI_SIZE_MAX - MIB, 7);
    assert_int_equal(vdi_byte(r, a.s, VDI_SIZE_MAX - 1), 7);
    assert_int_equal(vdi_byte(r, s.s, VDI_SIZE_MAX - 1), 6);
    must(vdi_resize(r->storage, r->sr.s, b.s, VDI_SIZE_MAX, &size));
    assert_int_equal(size, VDI_SIZE_MAX);
    vdi_fill(r, b.s, VDI_SIZE_MAX - MIB, 8);
    assert_int_equal(vdi_byte(r, b.s, VDI_SIZE_MAX - 1), 8);
    must_fail(vdi_resize(r->storage, r->sr.s, b.s, VDI_SIZE_MAX + 1, &size),
              "SR_BACKEND_FAILURE_79");
    must(vdi_stat(r->storage, r->sr.s, b.s, &i));
    assert_int_equal(i.virtual_size, VDI_SIZE_MAX);
    assert_true(i.physical_utilisation < 64 * MIB);
    vdi_info_fini(&i);
}

static void test_copy(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);
    struct uuid_text b = uuid_random();

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text s = snapshot(r, a.s);
    vdi_fill(r, a.s, 8 * MIB, 2);
    must(vdi_copy(r->storage, r->sr.s, a.s, r->sr.s, b.s, -1, NULL, NULL));
    must(vdi_copy(r->storage, r->sr.s, a.s, r->sr.s, b.s, -1, NULL, NULL));
    must(vdi_destroy(r->storage, r->sr.s, a.s));
    must(vdi_destroy(r->storage, r->sr.s, s.s));
    assert_int_equal(vdi_byte(r, b.s, 0), 1);
    assert_int_equal(vdi_byte(r, b.s, 8 * MIB), 2);
    assert_int_equal(vdi_byte(r, b.s, 12 * MIB), 0);
}

static void test_merge_at_rest(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);

    vdi_fill(r, a.s, 0, 1);
    struct uuid_text s1 = snapshot(r, a.s);
    vdi_fill(r, a.s, 2 * MIB, 2);
    struct uuid_text s2 = snapshot(r, a.s);
    vdi_fill(r, a.s, 0, 3);
    assert_false(collect(r)); /* nothing to do while all are wanted */
    must(vdi_destroy(r->storage, r->sr.s, s1.s));
    assert_int_equal(count_disks(r, false), 1);
    assert_true(collect(r)); /* the middle into the base */
    assert_int_equal(count_disks(r, false), 0);
    assert_int_equal(vdi_byte(r, s2.s, 0), 1);
    assert_int_equal(vdi_byte(r, s2.s, 2 * MIB), 2);
    must(vdi_destroy(r->storage, r->sr.s, s2.s));
    assert_true(collect(r)); /* the leaf */
    assert_false(collect(r));
    assert_int_equal(vdi_byte(r, a.s, 0), 3);
    assert_int_equal(vdi_byte(r, a.s, 2 * MIB), 2);
    must(vdi_destroy(r->storage, r->sr.s, a.s));
    assert_int_equal(count_disks(r, false) + count_disks(r, true), 0);
}

static void test_merge_under_a_writer(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 16 * MIB);
    struct disk d = disk_open(r, a.s, true);

    disk_fill(&d, 0, 1);
    struct uuid_text s1 = snapshot(r, a.s);
    disk_fill(&d, 2 * MIB, 2);
    struct uuid_text s2 = snapshot(r, a.s);
    disk_fill(&d, 4 * MIB, 3);
    must(vdi_destroy(r->storage, r->sr.s, s1.s));
    assert_true(collect(r));
    disk_fill(&d, 6 * MIB, 4);
    assert_int_equal(vdi_byte(r, s2.s, 2 * MIB), 2);
    must(vdi_destroy(r->storage, r->sr.s, s2.s));
    assert_true(collect(r));
    disk_fill(&d, 8 * MIB, 5);
    assert_int_equal(disk_byte(&d, 0), 1);
    (void)snapshot(r, a.s);
    disk_fill(&d, 0, 6);
    disk_close(&d);
    for (int i = 0; i < 5; i++)
        assert_int_equal(vdi_byte(r, a.s, 2 * MIB * i), i == 0 ? 6 : i + 1);
}

static void test_restart_keeps_the_tree(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    struct uuid_text s = snapshot(r, a.s);
    struct uuid_text c = clone_of(r, s.s);

    rig_restart(r);
    struct vdi_list_info l = scan(r);
    assert_int_equal(l.n, 3);
    assert_string_equal(find(&l, a.s)->parent.s, find(&l, s.s)->node.s);
    assert_string_equal(find(&l, c.s)->parent.s, find(&l, s.s)->node.s);
    vdi_list_info_fini(&l);
}

static void test_properties(void **state)
{
    struct rig *r = *state;
    struct uuid_text a = rig_disk(r, 4 * MIB);
    const char *keys[] = {"name_label"};
    const char *values[] = {"Datenträger"};
    const struct map props = {.n = 1, .k = keys, .v = values};

    must(vdi_set_props(r->storage, r->sr.s, a.s, &props));
    rig_restart(r);
    struct vdi_info i;
    must(vdi_stat(r->storage, r->sr.s, a.s, &i));
    assert_string_equal(json_string_value(json_object_get(i.props, "name_label")), "Datenträger");
    vdi_info_fini(&i);
}

static void test_space(void **state)
{
    struct rig *r = *state;
    struct sr_stat st;

    (void)rig_disk(r, 8 * MIB);
    (void)rig_disk(r, 4 * MIB);
    must(sr_stat(r->storage, r->sr.s, &st));
    assert_int_equal(st.virtual_allocation, 12 * MIB);
    assert_true(st.size > 0 && st.used >= 0 && st.used <= st.size);
}

static void test_sr_life(void **state)
{
    struct rig *r = *state;
    const struct sr_spec spec = rig_spec(r);

    (void)rig_disk(r, 4 * MIB);
    must_fail(sr_destroy(r->storage, &spec), "SR_HAS_PBD");
    must(sr_detach(r->storage, r->sr.s));
    must_fail(sr_scan(r->storage, r->sr.s, &(struct vdi_list_info){0}), "SR_NOT_ATTACHED");
    must(sr_destroy(r->storage, &spec));
    must(sr_destroy(r->storage, &spec));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_and_destroy),
        TEST(test_refusals),
        TEST(test_snapshot_keeps_the_past),
        TEST(test_snapshot_under_a_writer),
        TEST(test_clones_are_apart),
        TEST(test_a_snapshot_can_be_written),
        TEST(test_revert),
        TEST(test_uuid_is_used_again),
        TEST(test_depth_is_limited),
        TEST(test_use_is_exclusive),
        TEST(test_nothing_changes_while_somebody_attaches),
        TEST(test_resize),
        TEST(test_largest_disk),
        TEST(test_copy),
        TEST(test_merge_at_rest),
        TEST(test_merge_under_a_writer),
        TEST(test_restart_keeps_the_tree),
        TEST(test_properties),
        TEST(test_space),
        TEST(test_sr_life),
    };

    rig_type = "sim";
    int failed = cmocka_run_group_tests_name("sim", tests, NULL, NULL);
    rig_type = "file";
    failed += cmocka_run_group_tests_name("file", tests, NULL, NULL);
    rig_type = "nfs";
    return failed + cmocka_run_group_tests_name("nfs", tests, NULL, NULL);
}
