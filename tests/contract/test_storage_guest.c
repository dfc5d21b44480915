/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a guest whose QEMU owns the chain: guest.h against a real QEMU. No guest runs in it (the
 * machine stays stopped); its disk is written and read through QEMU's own "qemu-io" command, which
 * goes the way a guest's requests go.
 */

#include "storage_rig.h"
#include "storage_steps.h"

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "storage/guest.h"
#include "value/json.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define QEMU    "qemu-system-x86_64"
#define TIMEOUT (20 * SECOND_US)

struct guest_rig {
    struct rig *r;
    struct uuid_text vm;
    struct uuid_text disk;
    char *qmp_path;
};

static void connect_guest(struct guest_rig *g)
{
    int fd = -1;

    must(io_connect_unix(g->qmp_path, SOCK_STREAM, &fd));
    must(qmp_open(g->r->loop, fd, TIMEOUT, NULL, NULL, &g->r->guest_qmp));
}

static void open_disk(struct guest_rig *g, bool adopt, struct guest_disk *ret)
{
    must(guest_disk_open(g->r->storage, g->vm.s, g->r->sr.s, g->disk.s, true, adopt, ret));
}

static void start_qemu(struct guest_rig *g, const struct guest_disk *d)
{
    _cleanup_spawn_ struct spawn s;
    _cleanup_close_ int fd = -1;
    static const char *const fixed[] = {"-M",       "q35",
                                        "-accel",   "tcg",
                                        "-m",       "64",
                                        "-S",       "-nodefaults",
                                        "-display", "none",
                                        "-chardev", "socket,id=qmp,fd=3,server=on,wait=off",
                                        "-mon",     "chardev=qmp,mode=control"};

    spawn_init(&s, QEMU);
    must(io_listen_unix(g->qmp_path, SOCK_STREAM, 0600, &fd));
    must(io_set_nonblock(fd, true));
    spawn_pass_fd(&s, fd, 3);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        spawn_add(&s, fixed[i]);
    for (size_t i = 0; i < d->n; i++) {
        spawn_add(&s, "-blockdev");
        spawn_add(&s, d->blockdev[i]);
    }
    spawn_add(&s, "-device");
    spawn_addf(&s, "virtio-blk-pci,id=vbd0,drive=%s", d->node);
    must(spawn_start(&s, &g->r->guest));
}

static struct guest_rig start_guest(struct rig *r)
{
    struct guest_rig g = {.r = r, .vm = uuid_random(), .disk = rig_disk(r, 16 * MIB)};
    struct guest_disk d;

    g.qmp_path = xasprintf("%s/guest-qmp", r->dir);
    open_disk(&g, false, &d);
    start_qemu(&g, &d);
    guest_disk_fini(&d);
    connect_guest(&g);
    must(guest_connected(r->storage, g.vm.s, g.r->guest_qmp));
    return g;
}

static void stop_guest(struct guest_rig *g)
{
    IGNORE_ERROR(qmp_run(g->r->guest_qmp, "quit", NULL, TIMEOUT, NULL));
    waitpid(g->r->guest, NULL, 0);
    g->r->guest = 0;
    guest_gone(g->r->storage, g->vm.s);
    qmp_close(g->r->guest_qmp);
    g->r->guest_qmp = NULL;
    free(g->qmp_path);
}

static char *qemu_io(struct guest_rig *g, const char *command)
{
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_free_ char *line =
        xasprintf("qemu-io -d /machine/peripheral/vbd0/virtio-backend \"%s\"", command);

    must(qmp_run(g->r->guest_qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line),
                 TIMEOUT, &answer));
    return xstrdup(json_string_value(answer));
}

static void guest_write(struct guest_rig *g, int64_t at, int byte)
{
    _cleanup_free_ char *command = xasprintf("write -P %d %lld 1M", byte, (long long)at);
    _cleanup_free_ char *flushed = NULL;
    _cleanup_free_ char *answer = qemu_io(g, command);

    if (*answer)
        fail_msg("guest write: %s", answer);
    flushed = qemu_io(g, "flush");
}

static void guest_expect(struct guest_rig *g, int64_t at, int byte)
{
    _cleanup_free_ char *command = xasprintf("read -P %d %lld 1M", byte, (long long)at);
    _cleanup_free_ char *answer = qemu_io(g, command);

    if (*answer)
        fail_msg("guest read: %s", answer);
}

static bool collect(struct rig *r)
{
    const struct sr_collect how = {0};
    bool merged = false;

    must(sr_collect(r->storage, r->sr.s, &how, &merged));
    return merged;
}

/* ---- a guest's disk at work ---- */

static void test_snapshot_and_merge(void **state)
{
    struct rig *r = *state;
    struct guest_rig g = start_guest(r);
    struct uuid_text s = uuid_random();
    struct uuid_text t = uuid_random();

    guest_write(&g, 0, 1);
    must(vdi_snapshot(r->storage, r->sr.s, g.disk.s, s.s, 1, NULL));
    guest_write(&g, 0, 2);
    must(vdi_snapshot(r->storage, r->sr.s, g.disk.s, t.s, 2, NULL));
    guest_write(&g, 2 * MIB, 3);
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
    assert_int_equal(vdi_byte(r, t.s, 0), 2);
    assert_int_equal(vdi_byte(r, t.s, 2 * MIB), 0);
    must(vdi_destroy(r->storage, r->sr.s, s.s));
    assert_true(collect(r));
    guest_write(&g, 4 * MIB, 4);
    assert_int_equal(vdi_byte(r, t.s, 0), 2);
    must(vdi_destroy(r->storage, r->sr.s, t.s));
    assert_true(collect(r));
    assert_false(collect(r));
    assert_int_equal(rig_count_files(r, "*.qcow2"), 1);
    guest_write(&g, 6 * MIB, 5);
    guest_expect(&g, 0, 2);
    guest_expect(&g, 2 * MIB, 3);
    stop_guest(&g);
    assert_int_equal(vdi_byte(r, g.disk.s, 0), 2);
    assert_int_equal(vdi_byte(r, g.disk.s, 4 * MIB), 4);
    assert_int_equal(vdi_byte(r, g.disk.s, 6 * MIB), 5);
}

static void test_reading_beside_the_guest(void **state)
{
    struct rig *r = *state;
    struct guest_rig g = start_guest(r);
    struct uuid_text id = uuid_random();
    int64_t size;
    int fd = -1;

    guest_write(&g, 0, 1);
    struct disk d = disk_open(r, g.disk.s, false);
    assert_int_equal(disk_byte(&d, 0), 1);
    guest_write(&g, 0, 2);
    assert_int_equal(disk_byte(&d, 0), 2);
    must_fail(vdi_resize(r->storage, r->sr.s, g.disk.s, 32 * MIB, &size), "VDI_IN_USE");
    disk_close(&d);
    must_fail(vdi_nbd(r->storage, r->sr.s, g.disk.s, id.s, true, &fd), "VDI_IN_USE");
    must_fail(vdi_destroy(r->storage, r->sr.s, g.disk.s), "VDI_IN_USE");
    must(vdi_resize(r->storage, r->sr.s, g.disk.s, 32 * MIB, &size));
    guest_write(&g, 31 * MIB, 9);
    stop_guest(&g);
    assert_int_equal(vdi_byte(r, g.disk.s, 31 * MIB), 9);
    must(vdi_destroy(r->storage, r->sr.s, g.disk.s));
}

static void test_unplugging(void **state)
{
    struct rig *r = *state;
    struct guest_rig g = start_guest(r);
    struct uuid_text b = rig_disk(r, 4 * MIB);
    struct guest_disk d;

    must(guest_disk_open(r->storage, g.vm.s, r->sr.s, b.s, true, false, &d));
    for (size_t i = 0; i < d.n; i++)
        must(qmp_run(g.r->guest_qmp, "blockdev-add", json_loads(d.blockdev[i], 0, NULL), TIMEOUT,
                     NULL));
    guest_disk_fini(&d);
    must_fail(vdi_destroy(r->storage, r->sr.s, b.s), "VDI_IN_USE");
    must(guest_disk_close(r->storage, g.vm.s, r->sr.s, b.s));
    must(guest_disk_close(r->storage, g.vm.s, r->sr.s, b.s));
    vdi_fill(r, b.s, 0, 1); /* nobody else has it open now */
    stop_guest(&g);
}

static void adopt(struct guest_rig *g)
{
    struct guest_disk d;

    open_disk(g, true, &d);
    guest_disk_fini(&d);
    connect_guest(g);
    must(guest_connected(g->r->storage, g->vm.s, g->r->guest_qmp));
}

static void let_go(struct guest_rig *g)
{
    guest_disconnected(g->r->storage, g->vm.s);
    qmp_close(g->r->guest_qmp);
    g->r->guest_qmp = NULL;
    rig_stop(g->r);
}

static void test_the_guest_outlives_storage(void **state)
{
    struct rig *r = *state;
    struct guest_rig g = start_guest(r);
    struct uuid_text s = uuid_random();

    guest_write(&g, 0, 1);
    let_go(&g);
    rig_start(r);
    adopt(&g);
    must(vdi_snapshot(r->storage, r->sr.s, g.disk.s, s.s, 1, NULL));
    guest_write(&g, 0, 2);
    assert_int_equal(vdi_byte(r, s.s, 0), 1);
    stop_guest(&g);
    assert_int_equal(vdi_byte(r, g.disk.s, 0), 2);
}

/* ---- storage dies in the middle, the guest lives on ---- */

static struct error *run_operation(struct guest_rig *g, bool merge, const char *fresh)
{
    const struct sr_collect how = {0};
    struct rig *r = g->r;
    bool merged = true;

    TRY(vdi_snapshot(r->storage, r->sr.s, g->disk.s, fresh, 1, NULL));
    if (!merge)
        return NULL;
    TRY(vdi_destroy(r->storage, r->sr.s, fresh));
    while (merged)
        TRY(sr_collect(r->storage, r->sr.s, &how, &merged));
    return NULL;
}

/* argv: program, merge?, steps, directory, sr, vm, disk, fresh */
static int child(char **argv)
{
    struct guest_rig g = {.r = rig_take_over(argv[3], argv[4])};

    snprintf(g.vm.s, sizeof(g.vm.s), "%s", argv[5]);
    snprintf(g.disk.s, sizeof(g.disk.s), "%s", argv[6]);
    g.qmp_path = xasprintf("%s/guest-qmp", argv[3]);
    adopt(&g);
    steps_crash_at((int)strtol(argv[2], NULL, 10));
    struct error *e = run_operation(&g, *argv[1] == '1', argv[7]);
    steps_crash_at(0);
    if (e) {
        _cleanup_free_ char *text = error_string(e);
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    let_go(&g);
    free(g.qmp_path);
    rig_give_back(g.r);
    return 0;
}

static bool run_child(const struct guest_rig *g, bool merge, int n, const char *fresh)
{
    _cleanup_spawn_ struct spawn s;
    const struct rig *r = g->r;
    const char *args[] = {r->dir, r->sr.s, g->vm.s, g->disk.s, fresh};

    spawn_init(&s, "/proc/self/exe");
    spawn_addf(&s, "%d", merge);
    spawn_addf(&s, "%d", n);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        spawn_add(&s, args[i]);
    struct error *e = spawn_run(&s, 60 * SECOND_US, 0, NULL);
    if (!e)
        return false;
    if (!strstr(e->detail, "code 99"))
        fail_msg("step %d: %s", n, e->detail);
    error_free(e);
    return true;
}

static bool crash_once(struct rig *r, bool merge, int n)
{
    struct guest_rig g = start_guest(r);
    struct uuid_text fresh = uuid_random();

    guest_write(&g, 0, 1);
    let_go(&g);
    bool crashed = run_child(&g, merge, n, fresh.s);
    rig_start(r);
    adopt(&g);
    guest_expect(&g, 0, 1);
    guest_write(&g, 2 * MIB, 2);
    must(run_operation(&g, merge, fresh.s));
    guest_write(&g, 4 * MIB, 3);
    stop_guest(&g);
    /* What counts is what the records lead to, now that the guest is gone. */
    rig_restart(r);
    struct disk d = disk_open(r, g.disk.s, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(disk_byte(&d, i * 2 * MIB), i + 1);
    disk_close(&d);
    must(vdi_destroy(r->storage, r->sr.s, fresh.s));
    must(vdi_destroy(r->storage, r->sr.s, g.disk.s));
    while (collect(r))
        ;
    assert_int_equal(rig_count_files(r, "*.qcow2"), 0);
    return crashed;
}

static void crash_everywhere(struct rig *r, bool merge)
{
    int n = 1;

    while (crash_once(r, merge, n))
        n++;
    print_message("%d places to die\n", n - 1);
    assert_true(n > 8);
}

static void test_dying_in_a_snapshot(void **state)
{
    crash_everywhere(*state, false);
}

static void test_dying_in_a_merge(void **state)
{
    crash_everywhere(*state, true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_snapshot_and_merge),  TEST(test_reading_beside_the_guest),
        TEST(test_unplugging),          TEST(test_the_guest_outlives_storage),
        TEST(test_dying_in_a_snapshot), TEST(test_dying_in_a_merge),
    };

    if (argc == 8)
        return child(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
