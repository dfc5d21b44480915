/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/hv_fixture.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/wait.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define PATIENCE_US                                                                                \
    (180 * SECOND_US) /* real Xen under emulation takes a minute to boot a guest                   \
                       */

void ok_(struct error *e, const char *what, const char *file, int line)
{
    if (!e)
        return;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    print_error("%s: %s\n", what, text);
    _fail(file, line);
}

void fails_(struct error *e, const char *code, const char *what, const char *file, int line)
{
    bool as_told = e && (code ? error_is(e, code) : !e->code);

    if (!as_told) {
        _cleanup_free_ char *text = e ? error_string(e) : xstrdup("success");

        print_error("%s: %s instead of %s\n", what, text, code ? code : "a system error");
        error_free(e);
        _fail(file, line);
    }
    error_free(e);
}

const char *fixture_worker;
const char *fixture_driver = "sim";

static const char *guest_dir(void)
{
    return getenv("XENOLITH_TINY");
}

static bool is_control_domain(void)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file("/proc/xen/capabilities", 64, &text);

    error_free(e);
    return strstr(str_cstr(&text), "control_d") != NULL;
}

bool fixture_usable(const char *driver)
{
    if (streq(driver, "libxl"))
        return is_control_domain() && guest_dir();
    if (!streq(driver, "qemu"))
        return true;
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "qemu-system-x86_64");
    spawn_add(&s, "--version");
    struct error *e = spawn_run(&s, 10 * SECOND_US, 4096, NULL);
    bool installed = !e;

    error_free(e);
    return installed && guest_dir();
}

static void on_event(void *ctx, const struct hv_event *ev)
{
    struct fixture *f = ctx;

    pthread_mutex_lock(&f->lock);
    if (f->n_events < EVENTS_MAX) {
        struct seen *s = &f->events[f->n_events++];

        *s = (struct seen){
            .kind = ev->kind, .state = ev->state, .stop = ev->stop, .device = ev->device};
        snprintf(s->uuid, sizeof(s->uuid), "%.36s", ev->uuid);
    }
    pthread_cond_broadcast(&f->more);
    pthread_mutex_unlock(&f->lock);
}

/* The trial of KVM takes seconds where it fails; every test would wait for it anew. */
static void keep_probe(const struct fixture *f, bool restore)
{
    static struct str kept;
    _cleanup_free_ char *path = xasprintf("%s/kvm-probe.json", f->dir);

    if (restore && kept.len)
        ok(io_write_file(path, kept.s, kept.len, 0600));
    else if (!restore && !kept.len && access(path, R_OK) == 0)
        ok(io_read_file(path, 65536, &kept));
}

static void open_driver(struct fixture *f)
{
    struct hv_config config = {
        .state_dir = f->dir, .on_event = on_event, .ctx = f, .worker = fixture_worker};

    f->n_events = f->next = 0;
    keep_probe(f, true);
    ok(hv_open(fixture_worker ? "libxl" : fixture_driver, &config, &f->hv));
    keep_probe(f, false);
}

int fixture_set_up(void **state)
{
    struct fixture *f = xnew(struct fixture);

    if (getenv("XENOLITH_TEST_DEBUG"))
        log_set_level(LOG_DEBUG);
    else
        log_set_level(LOG_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/xenolith-hv-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    arena_init(&f->arena);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->more, NULL);
    if (guest_dir()) {
        _cleanup_free_ char *path = xasprintf("%s/cmdline", guest_dir());
        _cleanup_str_ struct str text = STR_INIT;

        ok(io_read_file(path, 4096, &text));
        f->cmdline = xmemdup0(str_cstr(&text), strcspn(str_cstr(&text), "\n"));
        f->kernel = xasprintf("%s/vmlinuz", guest_dir());
        f->ramdisk = xasprintf("%s/initrd", guest_dir());
    }
    open_driver(f);
    *state = f;
    return 0;
}

void fixture_reopen(struct fixture *f)
{
    hv_close(f->hv);
    open_driver(f);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    struct hv_domain *all;
    size_t n;

    /* A failed test must not leave guests behind. */
    ok(hv_list(f->hv, &f->arena, &all, &n));
    for (size_t i = 0; i < n; i++)
        ok(hv_destroy(f->hv, all[i].uuid));
    hv_close(f->hv);
    nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_fini(&f->arena);
    pthread_cond_destroy(&f->more);
    pthread_mutex_destroy(&f->lock);
    free(f->kernel);
    free(f->ramdisk);
    free(f->cmdline);
    free(f);
    return 0;
}

/* XENOLITH_XEN_KIND: "pv", else PVH. */
static enum hv_kind xen_kind(void)
{
    const char *kind = getenv("XENOLITH_XEN_KIND");

    return kind && streq(kind, "pv") ? HV_KIND_PV : HV_KIND_PVH;
}

struct hv_start guest(struct fixture *f, const char *uuid)
{
    struct hv_start p = {
        .uuid = uuid,
        .name = "test, with a comma",
        .memory_max = 128ll << 20,
        .memory_target = 128ll << 20,
        .vcpus_max = 1,
        .vcpus = 1,
        .boot_order = "cd",
        .kernel = "",
        .ramdisk = "",
        .cmdline = "",
        .resume_fd = -1,
    };

    if (f->kernel) {
        p.firmware = HV_FIRMWARE_DIRECT;
        p.kind = streq(fixture_driver, "libxl") ? xen_kind() : HV_KIND_HVM;
        p.kernel = f->kernel;
        p.ramdisk = f->ramdisk;
        p.cmdline = f->cmdline;
    }
    return p;
}

static struct seen await(struct fixture *f, const char *uuid, enum hv_event_kind kind, int state)
{
    int64_t deadline = mono_us() + PATIENCE_US;
    struct seen found = {.kind = HV_EVENT_MAX};
    bool in_time = true;

    pthread_mutex_lock(&f->lock);
    while (found.kind == HV_EVENT_MAX && in_time) {
        for (; f->next < f->n_events && found.kind == HV_EVENT_MAX; f->next++) {
            const struct seen *s = &f->events[f->next];

            if (s->kind == kind && streq(s->uuid, uuid) && (state < 0 || (int)s->state == state))
                found = *s;
        }
        if (found.kind == HV_EVENT_MAX)
            in_time = cond_wait_until(&f->more, &f->lock, deadline);
    }
    pthread_mutex_unlock(&f->lock);
    if (found.kind == HV_EVENT_MAX)
        fail_msg("no event %s of %s", hv_event_names[kind], uuid);
    return found;
}

struct seen await_event(struct fixture *f, const char *uuid, enum hv_event_kind kind)
{
    return await(f, uuid, kind, -1);
}

struct seen await_state(struct fixture *f, const char *uuid, enum hv_state state)
{
    return await(f, uuid, HV_EVENT_STATE, (int)state);
}

struct hv_domain query(struct fixture *f, const char *uuid)
{
    struct hv_domain d = {0};

    ok(hv_query(f->hv, uuid, &f->arena, &d));
    return d;
}

static bool is_there(const char *s, const char *text, int times)
{
    while (times-- > 0) {
        s = strstr(s, text);
        if (!s)
            return false;
        s += strlen(text);
    }
    return true;
}

static char *read_until_times(int fd, const char *text, int times)
{
    struct str seen = STR_INIT;
    int64_t deadline = mono_us() + PATIENCE_US;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (!is_there(str_cstr(&seen), text, times)) {
        char buf[4096];
        ssize_t n = 0;

        if (mono_us() < deadline && poll(&p, 1, (int)((deadline - mono_us()) / 1000)) > 0)
            n = recv(fd, buf, sizeof(buf), 0);
        if (n <= 0)
            fail_msg("waited for \"%s\", the console said: %s", text, str_cstr(&seen));
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i])
                str_add_char(&seen, buf[i]);
        }
    }
    return str_take(&seen);
}

char *read_until(int fd, const char *text)
{
    return read_until_times(fd, text, 1);
}

void await_times(int fd, const char *text, int times)
{
    free(read_until_times(fd, text, times));
}

void await_text(int fd, const char *text)
{
    free(read_until(fd, text));
}

void host(const char *program, const char *a, const char *b, const char *c, struct str *out)
{
    _cleanup_spawn_ struct spawn s;
    const char *const args[] = {a, b, c};

    spawn_init(&s, program);
    for (size_t i = 0; i < ARRAY_SIZE(args) && args[i]; i++)
        spawn_add(&s, args[i]);
    ok(spawn_run(&s, 60 * SECOND_US, 4096, out));
}

void speak_as_agent(int64_t domid)
{
    _cleanup_free_ char *name = xasprintf("/local/domain/%lld/data/os_name", (long long)domid);
    _cleanup_free_ char *done = xasprintf("/local/domain/%lld/data/updated", (long long)domid);

    host("xenstore-write", name, "Tiny", NULL, NULL);
    host("xenstore-write", done, "1", NULL, NULL);
}
