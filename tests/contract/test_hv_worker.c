/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hv/remote promises beside the contract of hv.h, tried on the simulator in a worker: one that
 * ends is replaced and the domains go on; one that cannot start says why. The contract itself runs
 * over the worker in test_hv.c.
 *
 * usage: test_contract_hv_worker PROGRAM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/hv_fixture.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>

static const char A[] = "11111111-0000-4000-8000-00000000000a";

/* The one child there is; the kernel lists children by the thread that started them. */
static pid_t find_worker(void)
{
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    pid_t pid = 0;

    assert_non_null(dir);
    while (!pid && (entry = readdir(dir))) {
        _cleanup_free_ char *path = xasprintf("/proc/self/task/%s/children", entry->d_name);
        _cleanup_str_ struct str text = STR_INIT;

        if (entry->d_name[0] == '.')
            continue;
        ok(io_read_file(path, 4096, &text));
        pid = (pid_t)strtol(str_cstr(&text), NULL, 10);
    }
    closedir(dir);
    assert_true(pid > 0);
    return pid;
}

static void a_worker_that_ends_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    struct hv_started started;
    struct hv_domain *all;
    size_t n;

    ok(hv_start(f->hv, &p, &f->arena, &started));
    ok(hv_unpause(f->hv, A));
    await_state(f, A, HV_RUNNING);
    for (int i = 0; i < 3; i++) {
        assert_return_code(kill(find_worker(), SIGKILL), 0);
        /* What was missed is told anew, and callers wait for the next one. */
        await_state(f, A, HV_RUNNING);
        ok(hv_list(f->hv, &f->arena, &all, &n));
        assert_int_equal(n, 1);
        assert_int_equal(all[0].domid, started.domid);
    }
    ok(hv_destroy(f->hv, A));
}

struct caller {
    struct hv *hv;
    struct error *failed;
};

static void *ask_for_long(void *arg)
{
    struct caller *c = arg;

    c->failed = hv_pause(c->hv, A);
    return NULL;
}

static void a_call_in_flight_fails_and_can_be_made_again(void **state)
{
    struct fixture *f = *state;
    struct caller c = {.hv = f->hv};
    struct hv_start p = guest(f, A);
    struct hv_started started;
    pthread_t thread;
    const char *answer;
    struct timespec ts = {.tv_nsec = 300000000};

    ok(hv_start(f->hv, &p, &f->arena, &started));
    ok(hv_unpause(f->hv, A));
    ok(hv_control(f->hv, "{\"delay\":{\"op\":\"pause\",\"us\":30000000}}", &f->arena, &answer));
    pthread_create(&thread, NULL, ask_for_long, &c);
    nanosleep(&ts,
              NULL); /* so that it is likely on its way; earlier it waits for the next worker */
    assert_return_code(kill(find_worker(), SIGKILL), 0);
    pthread_join(thread, NULL);
    if (c.failed)
        assert_int_equal(c.failed->errnum, EHOSTDOWN);
    error_free(c.failed);
    ok(hv_pause(f->hv, A));
    assert_int_equal(query(f, A).state, HV_PAUSED);
}

static void one_that_cannot_start_says_why(void **state)
{
    struct hv_config config = {.state_dir = "/proc/nowhere", .worker = fixture_worker};
    struct hv *hv;

    fails(hv_open("libxl", &config, &hv), NULL);
    config.worker = "/nowhere/worker";
    fails(hv_open("libxl", &config, &hv), NULL);
    config.worker = "/bin/false";
    fails(hv_open("libxl", &config, &hv), NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_that_ends_is_replaced, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_call_in_flight_fails_and_can_be_made_again,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test(one_that_cannot_start_says_why),
    };

    fixture_worker = argc > 1 ? argv[1] : "hv_worker";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
