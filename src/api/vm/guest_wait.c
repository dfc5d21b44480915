/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/guest_wait.h"

#include "api/common/host_error.h"
#include "base/world.h"
#include "gen/class/VM.h"
#include "gen/errors.h"
#include "proto/client.h"

#define LOOK_EVERY_US (2 * SECOND_US)

void guest_set_patience(struct plan *p, int64_t us)
{
    plan_set_int(p, "patience", us);
}

struct error *guest_is_stopped(struct plan *p, bool *ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_query_args args = {.uuid = plan_str(p, "uuid")};
    struct host_vm_query_result result;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    struct error *e = hostd_vm_query(d->hostd, &args, &a, &result);

    if (e)
        return from_host(d->store, e);
    *ret = !result.found || streq(result.domains.v[0].state, "stopped");
    return NULL;
}

/* Changes when something that hostd told may have been missed. */
static int64_t hearing(struct daemon *d)
{
    return (int64_t)hostd_connections(d->hostd) + atomic_load(&d->events_missed);
}

struct error *guest_ask(struct plan *p, const char *signal)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vm_signal_args args = {.uuid = plan_str(p, "uuid"), .signal = signal};
    bool stopped = false;

    plan_set_int(p, "asked over", hearing(d));
    struct error *e = hostd_vm_signal(d->hostd, &args, plan_arena(p), NULL);

    /* Asked twice, because hostd went away meanwhile: it has obeyed the first time. */
    if (e)
        IGNORE_ERROR(guest_is_stopped(p, &stopped));
    if (!stopped)
        return from_host(d->store, e);
    error_free(e);
    return NULL;
}

void guest_ask_again(struct plan *p, const char *signal)
{
    struct daemon *d = plan_daemon(p);

    if (plan_int(p, "asked over") != hearing(d))
        IGNORE_ERROR(guest_ask(p, signal)); /* it stops just now: the next look tells */
}

int64_t guest_deadline(struct plan *p)
{
    const char *boot = plan_daemon(p)->boot_id; /* monotonic time of another one means nothing */

    if (!plan_int(p, "deadline") || !streq(plan_str(p, "boot"), boot)) {
        plan_set_int(p, "deadline", mono_us() + plan_int(p, "patience"));
        plan_set_str(p, "boot", boot);
    }
    return plan_int(p, "deadline");
}

struct error *guest_wait(struct plan *p)
{
    _cleanup_version_ struct version *v =
        store_find(plan_daemon(p)->store, CLASS_VM, plan_str(p, "vm"));
    const char *metrics = v ? ((const struct vm_rec *)v->rec)->metrics : REF_NULL;

    return plan_wait(p, CLASS_VM_METRICS, metrics,
                     MIN(guest_deadline(p), mono_us() + LOOK_EVERY_US));
}

struct error *guest_too_slow(struct plan *p)
{
    return err_vm_failed_shutdown_acknowledgment(plan_str(p, "vm"));
}
