/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest says while nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bounded_file.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "hv/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct bed {
    char dir[32], log[64], ring[64];
    struct console_hub *hub;
    struct console *console;
    int hypervisor; /* its end of the line */
};

static int setup(void **state)
{
    struct bed *b = xnew(struct bed);

    snprintf(b->dir, sizeof(b->dir), "/tmp/xenolith-console-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->log, sizeof(b->log), "%s/log", b->dir);
    snprintf(b->ring, sizeof(b->ring), "%s/ring", b->dir);
    assert_null(console_hub_start(&b->hub));
    b->hypervisor = -1;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    console_close(b->console);
    console_hub_stop(b->hub);
    cleanup_close(&b->hypervisor);
    unlink(b->log);
    unlink(b->ring);
    rmdir(b->dir);
    free(b);
    return 0;
}

static int64_t bytes_on_disk(const struct bed *b)
{
    struct stat st;

    assert_return_code(stat(b->log, &st), errno);
    return (int64_t)st.st_blocks * 512;
}

/* As QEMU does it: appends, and takes no notice of what does not fit. How much did? */
static int64_t say(int log, const char *text, int times)
{
    int64_t taken = 0;

    for (int i = 0; i < times; i++) {
        ssize_t n = write(log, text, strlen(text));

        taken += n > 0 ? n : 0;
    }
    return taken;
}

static void connect_console(struct bed *b)
{
    int pair[2];

    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
    b->hypervisor = pair[1];
    assert_null(console_open(b->hub, pair[0], b->ring, b->log, &b->console));
}

/* All that a new viewer is shown. */
static void kept(struct bed *b, struct str *ret)
{
    _cleanup_close_ int fd = -1;
    char buf[4096];
    ssize_t n;

    assert_null(console_view(b->console, &fd));
    while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        str_add_mem(ret, buf, (size_t)n);
}

static void a_log_that_nobody_cuts_ends(void **state)
{
    struct bed *b = *state;
    char line[1025];
    _cleanup_str_ struct str text = STR_INIT;

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    assert_null(bounded_file_make(b->log));
    _cleanup_close_ int log = open(b->log, O_WRONLY | O_APPEND | O_CLOEXEC);
    int64_t taken = say(log, "first ", 1) + say(log, line, 5000);

    assert_in_range(taken, BOUNDED_FILE_ROOM / 2, BOUNDED_FILE_ROOM);
    assert_in_range(bytes_on_disk(b), taken / 2, 2 * BOUNDED_FILE_ROOM);
    connect_console(b);
    assert_in_range(bytes_on_disk(b), 0, 4096 * 4);
    kept(b, &text);
    assert_int_equal(text.len, CONSOLE_RING);
    assert_int_equal(say(log, line, 100), 100 * 1024);
}

static void what_was_said_is_found(void **state)
{
    struct bed *b = *state;
    _cleanup_str_ struct str text = STR_INIT;

    assert_null(bounded_file_make(b->log));
    _cleanup_close_ int log = open(b->log, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(say(log, "hello ", 2), 12);
    assert_null(bounded_file_make(b->log)); /* changes nothing */
    connect_console(b);
    kept(b, &text);
    assert_string_equal(str_cstr(&text), "hello hello ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_log_that_nobody_cuts_ends),
        T(what_was_said_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
