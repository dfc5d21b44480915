/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Empty images as QEMU sees them. */

#include "base/mem.h"
#include "base/spawn.h"
#include "base/world.h"
#include "storage/qcow2_new.h"
#include "storage/tune.h"
#include "value/json.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char dir[] = "/tmp/xenolith-qcow2-XXXXXX";

static void qemu_img(const char *command, const char *name, struct str *out)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, "qemu-img");
    spawn_add(&s, command);
    spawn_add(&s, "--output=json");
    spawn_add(&s, "-f");
    spawn_add(&s, "qcow2");
    spawn_addf(&s, "%s/%s", dir, name);
    struct error *e = spawn_run(&s, 20 * SECOND_US, 65536, out);
    if (e)
        fail_msg("%s", e->detail);
}

static void check(int64_t size, const char *backing)
{
    _cleanup_str_ struct str checked = STR_INIT;
    _cleanup_str_ struct str info = STR_INIT;
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error *e = qcow2_create(fd, "image", size, backing, backing ? "raw" : NULL);

    if (e)
        fail_msg("%s", e->detail);
    if (!backing)
        qemu_img("check", "image", &checked); /* fails on leaks and errors */
    qemu_img("info", "image", &info);
    _cleanup_json_ json_t *j = json_loads(str_cstr(&info), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(j, "virtual-size")), size);
    const json_t *data = json_object_get(json_object_get(j, "format-specific"), "data");
    assert_true(json_is_true(json_object_get(data, "extended-l2")));
    assert_false(json_is_true(json_object_get(data, "corrupt")));
    const char *name = json_string_value(json_object_get(j, "backing-filename"));
    if (backing) {
        assert_string_equal(name, backing);
        assert_string_equal(json_string_value(json_object_get(j, "backing-filename-format")),
                            "raw");
    } else {
        assert_null(name);
    }
    unlinkat(fd, "image", 0);
}

static void test_sizes(void **state)
{
    const int64_t sizes[] = {512,       1ll << 20,  (1ll << 30) - 512, 1ll << 30, (1ll << 30) + 512,
                             1ll << 40, 16ll << 40, VDI_SIZE_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        check(sizes[i], NULL);
}

static void test_backing_names(void **state)
{
    _cleanup_free_ char *longest = xcalloc(1, 1024);

    memset(longest, 'x', 1023);
    check(1ll << 30, "a");
    check(1ll << 30, "3b241101-e2bb-4255-8caf-4136c566a962.raw");
    check(64ll << 40, longest);
}

static void test_existing_file_stays(void **state)
{
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error *e;

    assert_null(qcow2_create(fd, "image", 512, NULL, NULL));
    e = qcow2_create(fd, "image", 512, NULL, NULL);
    assert_non_null(e);
    error_free(e);
    assert_int_equal(unlinkat(fd, "image", 0), 0);
}

static int set_up(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_backing_names),
        cmocka_unit_test(test_existing_file_stays),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
