/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What programs that hostd starts can still reach: tried with cat, which opens what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "sandbox/child.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* NULL = cat could read it; what it said is in out. */
static struct error *cat(struct child_confine *confine, const char *path, struct str *out)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "cat");
    spawn_add(&s, path);
    s.session = true;
    s.confine = child_confine;
    s.confine_arg = confine;
    return spawn_run(&s, 20 * SECOND_US, 4096, out);
}

static void need_landlock(void)
{
    if (landlock_abi() < 1) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
}

static void only_what_is_allowed_can_be_read(void **state)
{
    static const char *const refused[] = {"/etc/passwd", "/etc/hostname", "/proc/self/status"};
    struct child_confine c = {0};
    _cleanup_str_ struct str out = STR_INIT;

    need_landlock();
    _cleanup_free_ char *mine = xstrdup(in_dir("mine"));

    child_allow(&c, mine, LANDLOCK_USE);
    assert_null(cat(&c, in_dir("mine/disk"), &out));
    assert_string_equal(str_cstr(&out), "mine");
    _cleanup_error_ struct error *other = cat(&c, in_dir("others/disk"), NULL);
    _cleanup_error_ struct error *link = cat(&c, in_dir("mine/link"), NULL);

    assert_non_null(other);
    assert_non_null(link);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        _cleanup_error_ struct error *e = cat(&c, refused[i], NULL);

        if (!e)
            fail_msg("%s was read", refused[i]);
    }
}

static void nothing_is_left_of_root(void **state)
{
    struct child_confine c = {0};
    _cleanup_str_ struct str out = STR_INIT;

    child_allow(&c, "/proc", LANDLOCK_READ);
    assert_null(cat(&c, "/proc/self/status", &out));
    assert_non_null(strstr(out.s, "CapPrm:\t0000000000000000"));
    assert_non_null(strstr(out.s, "CapEff:\t0000000000000000"));
    assert_non_null(strstr(out.s, "NoNewPrivs:\t1"));
}

/* All of that was the starting thread's alone. */
static void this_process_is_as_before(void **state)
{
    struct child_confine c = {0};
    _cleanup_str_ struct str out = STR_INIT;

    IGNORE_ERROR(cat(&c, "/dev/null", NULL));
    assert_null(io_read_file("/proc/self/status", 8192, &out));
    assert_non_null(strstr(out.s, "NoNewPrivs:\t0"));
    str_clear(&out);
    assert_null(io_read_file("/etc/passwd", 1 << 20, &out));
}

/* The environment is the listed few; standard input is empty; nothing else is open. */
static void children_inherit_nothing_else(void **state)
{
    _cleanup_str_ struct str out = STR_INIT;
    _cleanup_spawn_ struct spawn s;

    setenv("XENOLITH_SECRET", "x", 1);
    spawn_init(&s, "sh");
    spawn_add(&s, "-c");
    spawn_add(&s, "env; ls /proc/self/fd; tty; cut -d ' ' -f 7 /proc/$$/stat");
    s.session = true;
    assert_null(spawn_run(&s, 20 * SECOND_US, 8192, &out));
    unsetenv("XENOLITH_SECRET");
    assert_null(strstr(out.s, "XENOLITH_SECRET"));
    /* 0, 1, 2, and the directory that ls reads; the session has no terminal */
    assert_non_null(strstr(out.s, "\n0\n1\n2\n3\nnot a tty\n0\n"));
}

static void a_confinement_that_fails_starts_nothing(void **state)
{
    struct child_confine c = {0};
    _cleanup_spawn_ struct spawn s;
    pid_t pid = 0;

    spawn_init(&s, "/no/such/program");
    s.confine = child_confine;
    s.confine_arg = &c;
    _cleanup_error_ struct error *e = spawn_start(&s, &pid);

    assert_non_null(e);
    assert_int_equal(pid, 0);
}

static int set_up(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/xenolith-child-XXXXXX");
    if (!mkdtemp(dir) || mkdir(in_dir("mine"), 0700) < 0 || mkdir(in_dir("others"), 0700) < 0)
        return -1;
    struct error *e = io_write_file(in_dir("mine/disk"), "mine", 4, 0600);

    if (!e)
        e = io_write_file(in_dir("others/disk"), "others", 6, 0600);
    assert_null(e);
    return symlink("../others/disk", in_dir("mine/link"));
}

static int tear_down(void **state)
{
    unlink(in_dir("mine/link"));
    unlink(in_dir("mine/disk"));
    unlink(in_dir("others/disk"));
    rmdir(in_dir("mine"));
    rmdir(in_dir("others"));
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(only_what_is_allowed_can_be_read),
        T(nothing_is_left_of_root),
        T(this_process_is_as_before),
        T(children_inherit_nothing_else),
        T(a_confinement_that_fails_starts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
