/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The contract of hv.h, run over every driver that can run here. On qemu a real guest boots (its
 * kernel comes from the directory in XENOLITH_TINY; without it the driver is skipped).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/hv_fixture.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/uuid.h"
#include "base/world.h"
#include "hv/qemu/qemu.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static const char A[] = "11111111-0000-4000-8000-00000000000a";
static const char B[] = "11111111-0000-4000-8000-00000000000b";

static struct hv_started start(struct fixture *f, const struct hv_start *p)
{
    struct hv_started r = {0};

    ok(hv_start(f->hv, p, &f->arena, &r));
    return r;
}

static void a_domain_lives_from_start_to_destroy(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_domain *all, d;
    size_t n;

    assert_true(start(f, &p).domid > 0);
    assert_int_equal(query(f, A).state, HV_PAUSED);
    ok(hv_unpause(f->hv, A));
    await_state(f, A, HV_RUNNING);
    d = query(f, A);
    assert_int_equal(d.state, HV_RUNNING);
    assert_int_equal(d.vcpus, 1);
    assert_int_equal(d.memory_max, 128ll << 20);
    ok(hv_pause(f->hv, A));
    await_state(f, A, HV_PAUSED);
    ok(hv_pause(f->hv, A));
    ok(hv_unpause(f->hv, A));
    ok(hv_unpause(f->hv, A));
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 1);
    assert_string_equal(all[0].uuid, A);
    ok(hv_destroy(f->hv, A));
    ok(hv_destroy(f->hv, A));
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 0);
    ok(hv_forget(f->hv, A));
}

static void a_repeated_start_gives_the_same_domain(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_started first = start(f, &p), second = start(f, &p), r;

    assert_int_equal(first.domid, second.domid);
    ok(hv_unpause(f->hv, A));
    fails(hv_start(f->hv, &p, &f->arena, &r), "DUPLICATE_VM");
    ok(hv_pause(f->hv, A));
    fails(hv_start(f->hv, &p, &f->arena, &r), "DUPLICATE_VM");
}

static void what_does_not_exist_is_said_to(void **state)
{
    struct fixture *f = *state;
    struct hv_domain d;
    struct hv_stats st;
    int fd;

    fails(hv_query(f->hv, A, &f->arena, &d), "HANDLE_INVALID");
    fails(hv_pause(f->hv, A), "HANDLE_INVALID");
    fails(hv_unpause(f->hv, A), "HANDLE_INVALID");
    fails(hv_signal(f->hv, A, HV_SIGNAL_POWEROFF), "HANDLE_INVALID");
    fails(hv_reset(f->hv, A), "HANDLE_INVALID");
    fails(hv_stats(f->hv, A, &f->arena, &st), "HANDLE_INVALID");
    fails(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &fd), "HANDLE_INVALID");
    fails(hv_detach_disk(f->hv, A, 0, 0), "HANDLE_INVALID");
}

static void bad_arguments_are_refused_before_the_driver_sees_them(void **state)
{
    struct fixture *f = *state;
    const struct hv_start good = guest(f, A);
    struct hv_start p = good;
    struct hv_started r;
    struct hv_disk disk = {.device = 0, .type = HV_DISK, .vdi = B, .node = "n"};
    struct hv_disk twice[2] = {disk, disk};
    struct hv_nic nic = {.mac = "not a mac", .tap_fd = -1};

    fails(hv_pause(f->hv, "../../etc/passwd"), "INVALID_VALUE");
    fails(hv_pause(f->hv, "11111111-0000-4000-8000-00000000000A"), "INVALID_VALUE");
    p.memory_max = 1;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.memory_target = p.memory_max + 1;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.vcpus = 2;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.vcpus_max = 100000;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.boot_order = "cx";
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.disks = twice;
    p.n_disks = 2;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    p = good;
    p.nics = &nic;
    p.n_nics = 1;
    fails(hv_start(f->hv, &p, &f->arena, &r), "INVALID_VALUE");
    disk.device = HV_MAX_DEVICE + 1;
    fails(hv_attach_disk(f->hv, A, &disk), "INVALID_VALUE");
}

static void domains_go_on_without_us(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    int64_t domid = start(f, &p).domid;
    struct hv_started r;

    ok(hv_unpause(f->hv, A));
    fixture_reopen(f);
    struct hv_domain d = query(f, A);

    assert_int_equal(d.domid, domid);
    assert_int_equal(d.state, HV_RUNNING);
    assert_int_equal(d.vcpus, 1);
    fails(hv_start(f->hv, &p, &f->arena, &r), "DUPLICATE_VM");
    p.uuid = B;
    assert_true(start(f, &p).domid > domid);
    fixture_reopen(f);
    /* Paused and never ran: a repeated start is still the same start. */
    assert_int_equal(query(f, B).state, HV_PAUSED);
    assert_true(start(f, &p).domid > domid);
    ok(hv_destroy(f->hv, A));
    ok(hv_destroy(f->hv, B));
    fixture_reopen(f);
    fails(hv_query(f->hv, A, &f->arena, &d), "HANDLE_INVALID");
}

static void media_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_free_ char *path = xasprintf("%s/cd.iso", f->dir);
    _cleanup_free_ char *node =
        xasprintf("{\"driver\":\"raw\",\"node-name\":\"cd1\",\"read-only\":true,"
                  "\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}",
                  path);
    const char *nodes[] = {node};
    struct hv_disk drive = {.device = 3, .type = HV_CD, .read_only = true, .vdi = "", .node = ""};
    struct hv_disk disc = drive;
    char zeros[4096] = {0};

    ok(io_write_file(path, zeros, sizeof(zeros), 0600));
    disc.vdi = B;
    disc.node = "cd1";
    disc.blockdevs = nodes;
    disc.n_blockdevs = 1;
    p.disks = &drive;
    p.n_disks = 1;
    start(f, &p);
    if (p.kind != HV_KIND_HVM) {
        fails(hv_change_media(f->hv, A, &disc), NULL); /* it has no drive with a tray */
        return;
    }
    ok(hv_change_media(f->hv, A, &disc));
    ok(hv_change_media(f->hv, A, &disc));
    ok(hv_change_media(f->hv, A, &drive));
    disc.device = 4;
    fails(hv_change_media(f->hv, A, &disc), NULL);
    disc.type = HV_DISK;
    fails(hv_change_media(f->hv, A, &disc), "INVALID_VALUE");
}

static void many_threads_may_call(void **state);

/* A start that fails leaves nothing, and can be done again. */
static void a_failed_start_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_domain *all;
    struct hv_started r;
    size_t n;
    const char *nodes[] = {"{\"driver\":\"file\",\"node-name\":\"x\",\"filename\":\"/nowhere/x\"}"};
    struct hv_disk disk = {.device = 0,
                           .type = HV_DISK,
                           .vdi = B,
                           .node = "x",
                           .path = "/nowhere/x",
                           .blockdevs = nodes,
                           .n_blockdevs = 1};
    const char *answer;

    if (streq(fixture_driver, "sim"))
        ok(hv_control(f->hv, "{\"fault\":{\"op\":\"start\",\"text\":\"no\"}}", &f->arena, &answer));
    p.disks = &disk;
    p.n_disks = 1;
    fails(hv_start(f->hv, &p, &f->arena, &r), NULL);
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 0);
    p.n_disks = 0;
    start(f, &p);
    fixture_reopen(f);
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 1);
}

struct caller {
    pthread_t thread;
    struct fixture *f;
    int number;
    struct error *failed;
};

static struct error *one_life(struct fixture *f, const char *uuid)
{
    struct hv_start p = guest(f, uuid);
    _cleanup_arena_ struct arena a;
    struct hv_started r;
    struct hv_domain d;

    arena_init(&a);
    TRY(hv_start(f->hv, &p, &a, &r));
    TRY(hv_unpause(f->hv, uuid));
    TRY(hv_query(f->hv, uuid, &a, &d));
    TRY(hv_pause(f->hv, uuid));
    return hv_destroy(f->hv, uuid);
}

static void *call_much(void *arg)
{
    struct caller *c = arg;
    char uuid[UUID_LEN + 1];

    snprintf(uuid, sizeof(uuid), "22222222-0000-4000-8000-%012d", c->number);
    for (int i = 0; i < (streq(fixture_driver, "sim") ? 50 : 2) && !c->failed; i++)
        c->failed = one_life(c->f, uuid);
    return NULL;
}

static void many_threads_may_call(void **state)
{
    struct fixture *f = *state;
    struct caller c[4];

    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){.f = f, .number = i};
        pthread_create(&c[i].thread, NULL, call_much, &c[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(c[i].thread, NULL);
    for (int i = 0; i < 4; i++)
        ok(c[i].failed);
}

static void *start_a(void *arg)
{
    struct caller *c = arg;
    struct hv_start p = guest(c->f, A);
    _cleanup_arena_ struct arena a;
    struct hv_started r;

    arena_init(&a);
    c->failed = hv_start(c->f->hv, &p, &a, &r);
    return NULL;
}

/* Whatever the order they come in, after the destroy and the start nothing half-made is left. */
static void destroy_may_come_during_start(void **state)
{
    struct fixture *f = *state;
    struct caller c = {.f = f};
    struct hv_domain *all;
    size_t n;

    for (int delay_us = 0; delay_us < 60000; delay_us += 20000) {
        struct timespec ts = {.tv_nsec = delay_us * 1000};

        c.failed = NULL;
        pthread_create(&c.thread, NULL, start_a, &c);
        nanosleep(&ts, NULL); /* a moment chosen to differ, nothing is awaited */
        ok(hv_destroy(f->hv, A));
        pthread_join(c.thread, NULL);
        error_free(c.failed);
        ok(hv_destroy(f->hv, A));
        ok(hv_list(f->hv, &f->arena, &all, &n));
        assert_int_equal(n, 0);
    }
}

/* ---- a guest that runs ---- */

static const char *ready_text(void)
{
    return streq(fixture_driver, "sim") ? "login:" : "XENOLITH-TINY READY";
}

static int boot(struct fixture *f, const struct hv_start *p)
{
    int console;

    start(f, p);
    ok(hv_console(f->hv, p->uuid, HV_CONSOLE_SERIAL, &console));
    ok(hv_unpause(f->hv, p->uuid));
    await_text(console, ready_text());
    return console;
}

static void a_guest_boots_and_shuts_down(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_close_ int console = boot(f, &p);
    _cleanup_close_ int late = -1;
    _cleanup_close_ int vnc = -1;
    char rfb[12];

    /* A viewer that comes late sees what was said before. */
    ok(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &late));
    await_text(late, ready_text());
    if (p.kind == HV_KIND_HVM) {
        ok(hv_console(f->hv, A, HV_CONSOLE_VNC, &vnc));
        ok(io_read_all(vnc, rfb, sizeof(rfb)));
        assert_memory_equal(rfb, "RFB 003.", 8);
    } else {
        fails(hv_console(f->hv, A, HV_CONSOLE_VNC, &vnc), NULL);
    }
    ok(hv_signal(f->hv, A, HV_SIGNAL_POWEROFF));
    struct seen s = await_state(f, A, HV_STOPPED);

    assert_int_equal(s.stop, HV_STOP_POWEROFF);
    assert_int_equal(query(f, A).stop, HV_STOP_POWEROFF);
    fails(hv_unpause(f->hv, A), NULL);
    /* The reason can still be asked after a restart of the program. */
    fixture_reopen(f);
    assert_int_equal(query(f, A).state, HV_STOPPED);
    assert_int_equal(query(f, A).stop, HV_STOP_POWEROFF);
    ok(hv_destroy(f->hv, A));
}

static void a_stop_we_slept_through_is_found(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_close_ int console = boot(f, &p);

    ok(hv_signal(f->hv, A, HV_SIGNAL_POWEROFF));
    hv_close(f->hv);
    struct hv_config config = {.state_dir = f->dir, .worker = fixture_worker};
    struct hv_domain d;
    int64_t deadline = mono_us() + 120 * SECOND_US;

    /* Opened without a receiver of events, again and again: only the state found counts. */
    do {
        struct timespec ts = {.tv_nsec = 100000000};

        nanosleep(&ts, NULL);
        ok(hv_open(fixture_driver, &config, &f->hv));
        d = query(f, A);
        if (d.state != HV_STOPPED)
            hv_close(f->hv);
    } while (d.state != HV_STOPPED && mono_us() < deadline);
    assert_int_equal(d.state, HV_STOPPED);
    assert_int_equal(d.stop, HV_STOP_POWEROFF);
}

/* Each line once and in order, though nobody read while the program was away. */
static void the_console_misses_nothing(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);

    int before = boot(f, &p);

    await_text(before, "counter 1\r");
    close(before);
    for (int round = 0; round < 3; round++) {
        struct timespec ts = {.tv_sec = 1, .tv_nsec = 300000000 * round};

        hv_close(f->hv);
        nanosleep(&ts, NULL); /* the guest says something, to nobody */
        struct hv_config config = {.state_dir = f->dir, .worker = fixture_worker};

        ok(hv_open(fixture_driver, &config, &f->hv));
    }
    _cleanup_close_ int console = -1;

    ok(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &console));
    _cleanup_free_ char *text = read_until(console, "counter 9\r");
    const char *at = text;

    for (int i = 0; i <= 9; i++) {
        char line[32];

        snprintf(line, sizeof(line), "counter %d\r", i);
        const char *found = strstr(at, line);

        if (!found || strstr(found + 1, line))
            fail_msg("%s is not there once, in its place:\n%s", line, text);
        at = found;
    }
}

/* The n-th, after a reset. On Xen that is another domain with a console of its own. */
static void await_boot(struct fixture *f, int console, int n)
{
    _cleanup_close_ int fresh = -1;

    if (streq(fixture_driver, "qemu"))
        await_text(console, ready_text());
    if (!streq(fixture_driver, "libxl"))
        return;
    ok(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &fresh));
    await_times(fresh, ready_text(), n);
}

static void a_reset_guest_boots_again(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_close_ int console = boot(f, &p);

    ok(hv_reset(f->hv, A));
    await_event(f, A, HV_EVENT_REBOOTED);
    assert_int_equal(query(f, A).state, HV_RUNNING);
    await_boot(f, console, 2);
    /* The guest's own reboot, in place and then as a stop. */
    ok(hv_signal(f->hv, A, HV_SIGNAL_REBOOT));
    await_event(f, A, HV_EVENT_REBOOTED);
    await_boot(f, console, 3);
    ok(hv_set_on_reboot(f->hv, A, HV_ACTION_STOP));
    ok(hv_signal(f->hv, A, HV_SIGNAL_REBOOT));
    assert_int_equal(await_state(f, A, HV_STOPPED).stop, HV_STOP_REBOOT);
    /* A stopped guest can be started again in place. */
    ok(hv_reset(f->hv, A));
    assert_int_equal(query(f, A).state, HV_RUNNING);
}

static void memory_survives_suspend_and_resume(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_close_ int console = -1;
    _cleanup_close_ int again = -1;
    _cleanup_free_ char *path = xasprintf("%s/memory", f->dir);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct hv_nic nic = {.device = 0, .mac = "52:54:00:00:00:01", .net = HV_NET_USER, .tap_fd = -1};
    struct hv_domain d;

    p.nics = &nic;
    p.n_nics = 1;
    struct hv_started started = start(f, &p);

    ok(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &console));
    ok(hv_unpause(f->hv, A));
    await_text(console, streq(fixture_driver, "sim") ? ready_text() : "counter 2\r");
    /* Too small a place is refused and the guest runs on. */
    fails(hv_suspend(f->hv, A, fd, 1000), NULL);
    assert_int_equal(query(f, A).state, HV_RUNNING);
    ok(hv_suspend(f->hv, A, fd, 1ll << 30));
    /* It ends when its memory is safe, which only the caller knows. */
    assert_int_equal(query(f, A).state, HV_PAUSED);
    ok(hv_destroy(f->hv, A));
    fails(hv_query(f->hv, A, &f->arena, &d), "HANDLE_INVALID");
    assert_true(lseek(fd, 0, SEEK_CUR) > 4096);
    lseek(fd, 0, SEEK_SET);
    p.resume_fd = fd;
    p.record = started.record;
    start(f, &p);
    assert_int_equal(query(f, A).state, HV_PAUSED);
    ok(hv_console(f->hv, A, HV_CONSOLE_SERIAL, &again));
    ok(hv_unpause(f->hv, A));
    /* It counts on where it was: a rebooted guest would say READY first and begin at 0. */
    if (!streq(fixture_driver, "sim"))
        await_text(again, "counter 5\r");
}

static void a_record_of_another_kind_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_started r;
    _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct hv_domain *all;
    size_t n;

    p.resume_fd = fd;
    p.record = "{\"version\":1,\"type\":\"x -readconfig y\",\"cpu\":\"max\",\"accel\":\"tcg\"}";
    fails(hv_start(f->hv, &p, &f->arena, &r), NULL);
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 0);
}

static void devices_come_and_go_in_a_running_guest(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    _cleanup_close_ int console = boot(f, &p);
    _cleanup_free_ char *path = xasprintf("%s/disk", f->dir);
    _cleanup_free_ char *node = xasprintf("{\"driver\":\"raw\",\"node-name\":\"d1\",\"file\":{"
                                          "\"driver\":\"file\",\"filename\":\"%s\"}}",
                                          path);
    const char *nodes[] = {node};
    struct hv_disk disk = {
        .device = 1, .type = HV_DISK, .vdi = B, .node = "d1", .blockdevs = nodes, .n_blockdevs = 1};
    struct hv_nic nic = {.device = 2, .mac = "52:54:00:00:00:02", .net = HV_NET_USER, .tap_fd = -1};
    struct hv_stats st;
    _cleanup_str_ struct str loop = STR_INIT;

    ok(io_write_file(path, "", 0, 0600));
    assert_return_code(truncate(path, 8 << 20), 0);
    if (streq(fixture_driver, "libxl")) {
        host("losetup", "-f", "--show", path, &loop);
        loop.s[strcspn(loop.s, "\n")] = 0;
        disk.path = loop.s;
    }
    ok(hv_attach_disk(f->hv, A, &disk));
    ok(hv_attach_disk(f->hv, A, &disk));
    ok(hv_attach_nic(f->hv, A, &nic));
    assert_int_equal(query(f, A).n_disks, 1);
    assert_int_equal(query(f, A).n_nics, 1);
    fixture_reopen(f);
    assert_int_equal(query(f, A).n_disks, 1);
    ok(hv_stats(f->hv, A, &f->arena, &st));
    assert_int_equal(st.n_vcpus, 1);
    assert_true(st.cpu_ns > 0);
    assert_int_equal(st.n_disks, 1);
    assert_int_equal(st.disks[0].device, 1);
    ok(hv_detach_disk(f->hv, A, 1, 30 * SECOND_US));
    ok(hv_detach_disk(f->hv, A, 1, 30 * SECOND_US));
    ok(hv_detach_nic(f->hv, A, 2, 30 * SECOND_US));
    assert_int_equal(query(f, A).n_disks, 0);
    assert_int_equal(query(f, A).n_nics, 0);
    if (disk.path)
        host("losetup", "-d", disk.path, NULL, NULL);
}

static void scheduling_changes_live(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);

    start(f, &p);
    ok(hv_unpause(f->hv, A));
    if (!(hv_probe(f->hv)->features & HV_CAN_SCHEDULE)) {
        fails(hv_set_scheduling(f->hv, A, "weight", "512"), "NOT_IMPLEMENTED");
        return;
    }
    ok(hv_set_scheduling(f->hv, A, "weight", "512"));
    ok(hv_set_scheduling(f->hv, A, "cap", "0"));
    ok(hv_set_scheduling(f->hv, A, "mask", "0"));
    fails(hv_set_scheduling(f->hv, A, "weight", "0"), "INVALID_VALUE");
    fails(hv_set_scheduling(f->hv, A, "cap", "1x"), "INVALID_VALUE");
    fails(hv_set_scheduling(f->hv, A, "mask", "0,"), "INVALID_VALUE");
    fails(hv_set_scheduling(f->hv, A, "colour", "1"), "INVALID_VALUE");
    fails(hv_set_scheduling(f->hv, B, "cap", "0"), "HANDLE_INVALID");
    fixture_reopen(f);
    ok(hv_set_scheduling(f->hv, A, "weight", "256"));
}

static void memory_and_cpus_change_live(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_pair *info = NULL;
    size_t n = 0;

    p.vcpus_max = 3;
    _cleanup_close_ int console = boot(f, &p);

    ok(hv_set_vcpus(f->hv, A, 2));
    assert_int_equal(query(f, A).vcpus, 2);
    fails(hv_set_vcpus(f->hv, A, 4), NULL);
    ok(hv_set_memory(f->hv, A, 96ll << 20));
    if (streq(fixture_driver, "sim")) {
        await_event(f, A, HV_EVENT_MEMORY);
        assert_int_equal(query(f, A).memory_actual, 96ll << 20);
    }
    if (streq(fixture_driver, "libxl"))
        speak_as_agent(query(f, A).domid);
    ok(hv_guest_info(f->hv, A, &f->arena, &info, &n));
    for (int64_t deadline = mono_us() + 20 * SECOND_US; n == 0 && mono_us() < deadline;) {
        await_event(f, A, HV_EVENT_GUEST);
        ok(hv_guest_info(f->hv, A, &f->arena, &info, &n));
    }
    assert_true(n > 0);
    assert_string_equal(info[0].key, "os_version/name");
}

static void a_guest_whose_process_dies_is_lost(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    const char *answer;

    start(f, &p);
    ok(hv_unpause(f->hv, A));
    if (streq(fixture_driver, "sim")) {
        _cleanup_free_ char *say = xasprintf("{\"guest\":{\"uuid\":\"%s\",\"act\":\"lost\"}}", A);

        ok(hv_control(f->hv, say, &f->arena, &answer));
    } else if (streq(fixture_driver, "libxl")) {
        _cleanup_free_ char *domid = xasprintf("%lld", (long long)query(f, A).domid);

        host("xl", "destroy", domid, NULL, NULL);
    } else {
        _cleanup_free_ char *path = xasprintf("%s/run/vm/%s/pid", f->dir, A);
        _cleanup_str_ struct str text = STR_INIT;

        ok(io_read_file(path, 64, &text));
        kill((pid_t)strtol(str_cstr(&text), NULL, 10), SIGKILL);
    }
    assert_int_equal(await_state(f, A, HV_STOPPED).stop, HV_STOP_LOST);
    fixture_reopen(f);
    assert_int_equal(query(f, A).stop, HV_STOP_LOST);
    ok(hv_destroy(f->hv, A));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

static int run_driver(const char *name)
{
    const struct CMUnitTest tests[] = {
        T(a_domain_lives_from_start_to_destroy),
        T(a_repeated_start_gives_the_same_domain),
        T(what_does_not_exist_is_said_to),
        T(bad_arguments_are_refused_before_the_driver_sees_them),
        T(domains_go_on_without_us),
        T(media_come_and_go),
        T(a_failed_start_leaves_nothing),
        T(many_threads_may_call),
        T(destroy_may_come_during_start),
        T(a_guest_boots_and_shuts_down),
        T(a_reset_guest_boots_again),
        T(memory_survives_suspend_and_resume),
        T(a_record_of_another_kind_is_refused),
        T(devices_come_and_go_in_a_running_guest),
        T(scheduling_changes_live),
        T(memory_and_cpus_change_live),
        T(a_guest_whose_process_dies_is_lost),
        /* Guests of sim do and say nothing while it is closed: not these. */
        T(a_stop_we_slept_through_is_found),
        T(the_console_misses_nothing),
    };
    size_t n = ARRAY_SIZE(tests) - (streq(name, "sim") ? 2 : 0);

    fixture_driver = name;
    if (!fixture_usable(name)) {
        print_message("driver %s cannot run here\n", name);
        return 77; /* meson and Automake: skipped */
    }
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 2 && streq(argv[1], "worker")) {
        fixture_worker = argv[2];
        return run_driver("sim");
    }
    if (argc > 2 && streq(argv[1], "libxl")) {
        fixture_worker = argv[2];
        cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
        return run_driver("libxl");
    }
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    if (argc > 1 && streq(argv[1], "qemu"))
        return run_driver("qemu");
    return run_driver("sim");
}
