/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulated hypervisor does for tests, beyond the contract of all drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/hv_fixture.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "base/world.h"

static const char A[] = "11111111-0000-4000-8000-00000000000a";

static void start(struct fixture *f, const struct hv_start *p)
{
    struct hv_started r;

    ok(hv_start(f->hv, p, &f->arena, &r));
}

static void faults_come_when_asked_for(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    const char *answer;

    start(f, &p);
    ok(hv_control(f->hv,
                  "{\"fault\":{\"op\":\"unpause\",\"code\":\"VM_BAD\",\"params\":[\"x\"],"
                  "\"times\":2}}",
                  &f->arena, &answer));
    fails(hv_unpause(f->hv, A), "VM_BAD");
    fails(hv_unpause(f->hv, A), "VM_BAD");
    ok(hv_unpause(f->hv, A));
    ok(hv_control(f->hv, "{\"delay\":{\"op\":\"pause\",\"us\":20000}}", &f->arena, &answer));
    int64_t from = mono_us();

    ok(hv_pause(f->hv, A));
    assert_true(mono_us() - from >= 20000);
    ok(hv_control(f->hv, "{\"clear\":true}", &f->arena, &answer));
    assert_non_null(strstr(answer, "\"pause\":1"));
    fails(hv_control(f->hv, "{\"unheard\":1}", &f->arena, &answer), "INVALID_VALUE");
    fails(hv_control(f->hv, "[", &f->arena, &answer), "INVALID_VALUE");
}

static void guests_act_later(void **state)
{
    struct fixture *f = *state;
    struct hv_start p = guest(f, A);
    const char *answer;

    ok(hv_control(f->hv, "{\"timing\":{\"shutdown_us\":30000}}", &f->arena, &answer));
    start(f, &p);
    ok(hv_unpause(f->hv, A));
    ok(hv_signal(f->hv, A, HV_SIGNAL_POWEROFF));
    assert_int_equal(query(f, A).state, HV_RUNNING);
    assert_int_equal(await_state(f, A, HV_STOPPED).stop, HV_STOP_POWEROFF);
}

static void it_carries_thousands(void **state)
{
    struct fixture *f = *state;
    struct hv_domain *all;
    int64_t from = mono_us();
    size_t n;

    for (int i = 0; i < 2000; i++) {
        char uuid[UUID_LEN + 1];

        snprintf(uuid, sizeof(uuid), "33333333-0000-4000-8000-%012d", i);
        struct hv_start p = guest(f, uuid);

        start(f, &p);
        ok(hv_unpause(f->hv, uuid));
    }
    int64_t each = (mono_us() - from) / 2000;

    print_message("sim: %lld us for a start and an unpause\n", (long long)each);
    assert_true(each < 5000);
    fixture_reopen(f);
    ok(hv_list(f->hv, &f->arena, &all, &n));
    assert_int_equal(n, 2000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(faults_come_when_asked_for),
        T(guests_act_later),
        T(it_carries_thousands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
