/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dying at every step. Each operation runs in a child process that ends without a word at its n-th
 * change of the file system (rename, removal, flush), for every n until it gets through. Then the
 * SR is attached again: nothing that was there may be lost, nothing half-made may be left, and the
 * same request must succeed.
 */

#include "storage_rig.h"
#include "storage_steps.h"

#include "base/spawn.h"
#include "base/world.h"

#include <fcntl.h>
#include <stdio.h>

/* ---- the story: disk A (byte 1 at 0), its snapshot S (A goes on with 2 at 4 MiB) ---- */

struct cast {
    struct uuid_text a;
    struct uuid_text s;
    struct uuid_text fresh; /* of the operation */
};

struct operation {
    const char *name;
    struct error *(*run)(struct rig *r, const struct cast *c);
    void (*check)(struct rig *r, const struct cast *c);
    bool under_writer; /* with A open and written to */
    bool changes_a;
};

static void check_disk(struct rig *r, const char *vdi, int at_0, int at_4)
{
    struct disk d = disk_open(r, vdi, false);

    assert_int_equal(disk_byte(&d, 0), at_0);
    assert_int_equal(disk_byte(&d, 4 * MIB), at_4);
    disk_close(&d);
}

static void check_a(struct rig *r, const struct cast *c)
{
    check_disk(r, c->a.s, 1, 2);
}

static void check_all(struct rig *r, const struct cast *c)
{
    check_a(r, c);
    check_disk(r, c->s.s, 1, 0);
}

static struct error *run_create(struct rig *r, const struct cast *c)
{
    return vdi_create(r->storage, r->sr.s, c->fresh.s, 4 * MIB, -1, NULL);
}

static struct error *run_snapshot(struct rig *r, const struct cast *c)
{
    return vdi_snapshot(r->storage, r->sr.s, c->a.s, c->fresh.s, 7, NULL);
}

static struct error *run_clone(struct rig *r, const struct cast *c)
{
    return vdi_clone(r->storage, r->sr.s, c->a.s, c->fresh.s, NULL);
}

static struct error *run_revert(struct rig *r, const struct cast *c)
{
    return vdi_revert(r->storage, r->sr.s, c->a.s, c->s.s);
}

static void check_reverted(struct rig *r, const struct cast *c)
{
    check_disk(r, c->a.s, 1, 0);
    check_disk(r, c->s.s, 1, 0);
}

static struct error *run_copy(struct rig *r, const struct cast *c)
{
    return vdi_copy(r->storage, r->sr.s, c->s.s, r->sr.s, c->fresh.s, -1, NULL, NULL);
}

static struct error *run_resize(struct rig *r, const struct cast *c)
{
    int64_t size;

    return vdi_resize(r->storage, r->sr.s, c->a.s, 32 * MIB, &size);
}

static struct error *run_destroy(struct rig *r, const struct cast *c)
{
    return vdi_destroy(r->storage, r->sr.s, c->s.s);
}

static struct error *run_destroy_and_merge(struct rig *r, const struct cast *c)
{
    const struct sr_collect how = {0};
    bool merged = true;

    TRY(run_destroy(r, c));
    while (merged)
        TRY(sr_collect(r->storage, r->sr.s, &how, &merged));
    return NULL;
}

/* Snapshots once more and removes the first: then the middle of three images is merged. */
static struct error *run_merge_middle(struct rig *r, const struct cast *c)
{
    TRY(run_snapshot(r, c));
    return run_destroy_and_merge(r, c);
}

static struct error *run_props(struct rig *r, const struct cast *c)
{
    const char *key = "name_label";
    const char *value = "renamed";
    const struct map props = {.n = 1, .k = &key, .v = &value};

    return vdi_set_props(r->storage, r->sr.s, c->a.s, &props);
}

static void check_fresh_like_a(struct rig *r, const struct cast *c)
{
    check_all(r, c);
    check_disk(r, c->fresh.s, 1, 2);
}

static const struct operation operations[] = {
    {"create", run_create, check_all, false},
    {"snapshot", run_snapshot, check_fresh_like_a, false},
    {"snapshot under a writer", run_snapshot, check_all, true},
    {"clone", run_clone, check_fresh_like_a, false},
    {"copy", run_copy, check_all, false},
    {"revert", run_revert, check_reverted, false, true},
    {"resize", run_resize, check_all, false},
    {"destroy", run_destroy, check_a, false},
    {"merge", run_destroy_and_merge, check_a, false},
    {"merge under a writer", run_destroy_and_merge, check_a, true},
    {"merge the middle", run_merge_middle, check_a, false},
    {"merge the middle under a writer", run_merge_middle, check_a, true},
    {"set_props", run_props, check_all, false},
};

/* ---- the child: argv = program, operation, steps, directory, sr, a, s, fresh ---- */

static int child(char **argv)
{
    const struct operation *op = &operations[strtol(argv[1], NULL, 10)];
    struct rig *r = rig_take_over(argv[3], argv[4]);
    struct cast c;
    struct disk d = {0};

    snprintf(c.a.s, sizeof(c.a.s), "%s", argv[5]);
    snprintf(c.s.s, sizeof(c.s.s), "%s", argv[6]);
    snprintf(c.fresh.s, sizeof(c.fresh.s), "%s", argv[7]);
    if (op->under_writer) {
        d = disk_open(r, c.a.s, true);
        disk_fill(&d, 8 * MIB, 3);
    }
    steps_crash_at((int)strtol(argv[2], NULL, 10));
    struct error *e = op->run(r, &c);
    steps_crash_at(0);
    if (e) {
        _cleanup_free_ char *text = error_string(e);
        fprintf(stderr, "%s: %s\n", op->name, text);
        return 1;
    }
    if (op->under_writer) {
        disk_fill(&d, 9 * MIB, 4);
        disk_close(&d);
    }
    rig_give_back(r);
    return 0;
}

/* True: it died on the way. */
static bool run_child(const struct rig *r, size_t op, int n, const struct cast *c)
{
    _cleanup_spawn_ struct spawn s;
    char text[16];

    spawn_init(&s, "/proc/self/exe");
    spawn_addf(&s, "%zu", op);
    spawn_addf(&s, "%d", n);
    const char *args[] = {r->dir, r->sr.s, c->a.s, c->s.s, c->fresh.s};
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        spawn_add(&s, args[i]);
    struct error *e = spawn_run(&s, 60 * SECOND_US, 0, NULL);
    if (!e)
        return false;
    snprintf(text, sizeof(text), "code %d", STEPS_CRASHED);
    if (!strstr(e->detail, text))
        fail_msg("%s, step %d: %s", operations[op].name, n, e->detail);
    error_free(e);
    return true;
}

/* ---- the parent ---- */

static void check_tidy(struct rig *r)
{
    struct vdi_list_info l = {0};

    must(sr_scan(r->storage, r->sr.s, &l));
    if (!l.complete)
        fail_msg("damage: %s", l.problems);
    /* Several disks may share one image; each image is in the list at least once. */
    int images = 0;
    for (size_t i = 0; i < l.n; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first &= !streq(l.v[k].node.s, l.v[i].node.s);
        images += first;
    }
    assert_int_equal(rig_count_files(r, "*.qcow2"), images);
    assert_int_equal(rig_count_files(r, ".making-*") + rig_count_files(r, "*.tmp"), 0);
    vdi_list_info_fini(&l);
}

static struct cast set_stage(struct rig *r)
{
    struct cast c = {.a = rig_disk(r, 16 * MIB), .s = uuid_random(), .fresh = uuid_random()};

    vdi_fill(r, c.a.s, 0, 1);
    must(vdi_snapshot(r->storage, r->sr.s, c.a.s, c.s.s, 1, NULL));
    vdi_fill(r, c.a.s, 4 * MIB, 2);
    return c;
}

static void clear_stage(struct rig *r, const struct cast *c)
{
    const struct sr_collect how = {0};
    bool merged = true;

    must(vdi_destroy(r->storage, r->sr.s, c->s.s));
    must(vdi_destroy(r->storage, r->sr.s, c->fresh.s));
    must(vdi_destroy(r->storage, r->sr.s, c->a.s));
    while (merged)
        must(sr_collect(r->storage, r->sr.s, &how, &merged));
    assert_int_equal(rig_count_files(r, "*.qcow2"), 0);
}

static bool crash_once(struct rig *r, size_t i, int n)
{
    const struct operation *op = &operations[i];
    struct cast c = set_stage(r);

    rig_stop(r);
    bool crashed = run_child(r, i, n, &c);
    rig_start(r);
    check_tidy(r);
    if (!op->changes_a)
        check_a(r, &c);
    if (op->under_writer) /* what was flushed before the operation */
        assert_int_equal(vdi_byte(r, c.a.s, 8 * MIB), 3);
    must(op->run(r, &c));
    op->check(r, &c);
    check_tidy(r);
    clear_stage(r, &c);
    return crashed;
}

static void test_every_step(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        int n = 1;
        while (crash_once(r, i, n))
            n++;
        print_message("%s: %d places to die\n", operations[i].name, n - 1);
        assert_true(n > 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_step, rig_set_up, rig_tear_down),
    };

    if (argc == 8)
        return child(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
