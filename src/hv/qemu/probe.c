/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The version of QEMU, and the trial of KVM. */
#include "hv/qemu/probe.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/world.h"
#include "hv/qemu/domain.h"

#include <errno.h>
#include <fcntl.h>

#define PROBE_LIMIT_US (5 * SECOND_US)
#define SAYS_OK        "64-bit ok"

extern const unsigned char kvm_probe_image[], kvm_probe_image_end[]; /* kvm_probe.S */

struct error *hv_qemu_version(char **ret)
{
    static const char before[] = "QEMU emulator version ";
    _cleanup_spawn_ struct spawn s;
    _cleanup_str_ struct str out = STR_INIT;

    spawn_init(&s, QEMU_PROGRAM);
    spawn_add(&s, "--version");
    TRY(spawn_run(&s, 10 * SECOND_US, 4096, &out));
    if (!str_starts(str_cstr(&out), before))
        return error_text("cannot make out the version of " QEMU_PROGRAM);
    const char *from = out.s + sizeof(before) - 1;

    *ret = xmemdup0(from, strcspn(from, " (\n"));
    return NULL;
}

static struct error *try_kvm(const char *state_dir, struct kvm_probe *ret)
{
    _cleanup_free_ char *path = xasprintf("%s/run/kvm-probe", state_dir);
    _cleanup_str_ struct str out = STR_INIT;
    static const char *const args[] = {
        "-accel",  "kvm",   "-machine",    "pc-q35-7.2",      "-cpu",     "host",
        "-m",      "16",    "-nodefaults", "-no-user-config", "-display", "none",
        "-serial", "stdio", "-no-reboot",  "-kernel",
    };

    TRY(io_write_file(path, kvm_probe_image, (size_t)(kvm_probe_image_end - kvm_probe_image),
                      0600));
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, QEMU_PROGRAM);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        spawn_add(&s, args[i]);
    spawn_add(&s, path);
    int64_t from = mono_us();
    struct error *e = spawn_run(&s, PROBE_LIMIT_US, 4096, &out);
    int ms = (int)((mono_us() - from) / 1000);

    ret->works = !e && strstr(str_cstr(&out), SAYS_OK);
    if (ret->works) {
        ret->why = xasprintf("a trial guest ran under KVM in %d ms", ms);
    } else {
        _cleanup_free_ char *why = e ? error_string(e) : xstrdup("it said nothing");

        ret->why = xasprintf("/dev/kvm is there, but a trial guest failed: %s", why);
    }
    error_free(e);
    return io_unlink(path);
}

static struct error *boot_id(struct str *ret)
{
    TRY(io_read_file("/proc/sys/kernel/random/boot_id", 128, ret));
    while (ret->len && ret->s[ret->len - 1] == '\n')
        ret->s[--ret->len] = 0;
    return NULL;
}

static bool read_cache(const char *path, const char *boot, const char *version,
                       struct kvm_probe *ret)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file(path, 65536, &text);

    if (e) {
        error_free(e);
        return false;
    }
    _cleanup_json_ json_t *j = json_loads(str_cstr(&text), 0, NULL);
    const char *b = json_string_value(json_object_get(j, "boot"));
    const char *v = json_string_value(json_object_get(j, "qemu"));
    const char *why = json_string_value(json_object_get(j, "why"));

    if (!b || !v || !why || !streq(b, boot) || !streq(v, version))
        return false;
    ret->works = json_is_true(json_object_get(j, "works"));
    ret->why = xstrdup(why);
    return true;
}

/* Without the processor's own virtualization a /dev/kvm emulates, far slower than QEMU does. */
static bool has_hardware(void)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_error_ struct error *e = io_read_file("/proc/cpuinfo", 4u << 20, &text);
    const char *flags = e ? NULL : strstr(str_cstr(&text), "\nflags");
    size_t n = flags ? strcspn(flags + 1, "\n") : 0;
    _cleanup_free_ char *line = flags ? xasprintf("%.*s ", (int)n, flags + 1) : NULL;

    return line && (strstr(line, " vmx ") || strstr(line, " svm "));
}

struct error *kvm_probe(const char *state_dir, const char *qemu_version, struct kvm_probe *ret)
{
    _cleanup_free_ char *path = xasprintf("%s/kvm-probe.json", state_dir);
    _cleanup_str_ struct str boot = STR_INIT;

    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        ret->works = false;
        ret->why = xasprintf("/dev/kvm: %s", strerror(errno));
        return NULL;
    }
    if (!has_hardware()) {
        ret->works = false;
        ret->why = xstrdup("the processor offers no virtualization (vmx, svm)");
        return NULL;
    }
    TRY(boot_id(&boot));
    if (read_cache(path, str_cstr(&boot), qemu_version, ret))
        return NULL;
    TRY(try_kvm(state_dir, ret));
    _cleanup_json_ json_t *j = pack("{s:s, s:s, s:b, s:s}", "boot", str_cstr(&boot), "qemu",
                                    qemu_version, "works", (int)ret->works, "why", ret->why);
    _cleanup_free_ char *text = json_dumps(j, JSON_INDENT(1));

    return io_write_file(path, text, strlen(text), 0600);
}
