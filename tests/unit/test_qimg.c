/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img, here a script, reaches the directory it works in and nothing of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "sandbox/landlock.h"
#include "storage/qimg.h"

#include <stdlib.h>
#include <unistd.h>

static char base[64];

static char *at(const char *name)
{
    return xasprintf("%s/%s", base, name);
}

static void put(const char *name, const char *text, mode_t mode)
{
    _cleanup_free_ char *path = at(name);

    assert_null(io_write_file(path, text, strlen(text), mode));
}

static int setup(void **state)
{
    static const char *const dirs[] = {"bin", "sr", "other"};

    snprintf(base, sizeof(base), "/tmp/xenolith-qimg-XXXXXX");
    assert_non_null(mkdtemp(base));
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *dir = at(dirs[i]);

        assert_null(io_mkdir_p(dir, 0700));
    }
    put("sr/image", "image", 0600);
    put("other/secret", "secret", 0600);
    /* Programs are run from the directories of PATH. */
    _cleanup_free_ char *path = xasprintf("%s/bin:/usr/bin:/bin", base);

    return setenv("PATH", path, 1);
}

static int teardown(void **state)
{
    _cleanup_free_ char *command = xasprintf("rm -rf %s", base);

    return system(command);
}

static struct error *run_script(const char *what)
{
    _cleanup_free_ char *text = xasprintf("#!/bin/sh\ncd %s || exit 9\n%s\n", base, what);
    _cleanup_free_ char *program = at("bin/qemu-img"), *image = at("sr/image");

    put("bin/qemu-img", text, 0700);
    return qimg_resize(program, image, IMAGE_QCOW2, 1 << 20);
}

static void its_own_directory_is_open(void **state)
{
    struct error *e = run_script("echo more >>sr/image && echo new >sr/new && cat sr/image");

    if (e)
        fail_msg("%s", e->detail);
}

static void others_are_not(void **state)
{
    static const char *const tries[] = {"cat other/secret", "echo x >>other/secret",
                                        "echo x >other/new", "ls other", "cat /etc/passwd"};

    if (!landlock_abi())
        skip();
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        struct error *e = run_script(tries[i]);

        if (!e)
            fail_msg("it may: %s", tries[i]);
        error_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_directory_is_open),
        cmocka_unit_test(others_are_not),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
