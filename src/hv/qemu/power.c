/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pausing, stopping and resetting guests; their consoles. */
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/record.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* QEMU answers `cont` and `stop` after the change; the event may still be on its way to us. */
static void note_state(struct domain *d, enum hv_state state)
{
    pthread_mutex_lock(&d->qemu->lock);
    if (state == HV_RUNNING)
        d->ran = true;
    if (d->state != HV_STOPPED || state == HV_RUNNING)
        domain_set_state(d, state, HV_STOP_NONE);
    pthread_mutex_unlock(&d->qemu->lock);
}

static struct error *refuse_stopped(struct domain *d)
{
    pthread_mutex_lock(&d->qemu->lock);
    bool is_stopped = d->state == HV_STOPPED;
    enum hv_stop stop = d->stop;

    pthread_mutex_unlock(&d->qemu->lock);
    if (is_stopped)
        return error_text("domain %s has stopped (%s)", d->uuid, hv_stop_names[stop]);
    return NULL;
}

/* A record that says "never ran" would let a repeated start take a used guest for a fresh one. */
static struct error *record_first_run(struct domain *d)
{
    pthread_mutex_lock(&d->qemu->lock);
    bool first = !d->ran;

    d->ran = true;
    struct error *e = first ? record_write(d) : NULL;

    pthread_mutex_unlock(&d->qemu->lock);
    return e;
}

struct error *qemu_unpause(struct hv *hv, const char *uuid)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    TRY(refuse_stopped(d));
    TRY(record_first_run(d));
    TRY(domain_qmp(d, "cont", NULL, NULL));
    note_state(d, HV_RUNNING);
    return NULL;
}

struct error *qemu_pause(struct hv *hv, const char *uuid)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    TRY(refuse_stopped(d));
    TRY(domain_qmp(d, "stop", NULL, NULL));
    note_state(d, HV_PAUSED);
    return NULL;
}

/* What a Linux console and most installers understand where no agent runs. */
static struct error *send_ctrl_alt_del(struct domain *d)
{
    json_t *keys = json_array();
    static const char *const names[] = {"ctrl", "alt", "delete"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        json_array_append_new(keys, pack("{s:s, s:s}", "type", "qcode", "data", names[i]));
    return domain_qmp(d, "send-key", pack("{s:o}", "keys", keys), NULL);
}

struct error *qemu_signal(struct hv *hv, const char *uuid, enum hv_signal signal)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    TRY(refuse_stopped(d));
    switch (signal) {
    case HV_SIGNAL_POWEROFF:
        return domain_qmp(d, "system_powerdown", NULL, NULL);
    case HV_SIGNAL_REBOOT:
        return agent_shutdown(d, "reboot") ? NULL : send_ctrl_alt_del(d);
    default:
        return domain_qmp(d, "inject-nmi", NULL, NULL);
    }
}

/* QEMU answers before it resets, and `cont` of a stopped guest is refused until it has. */
static struct error *reset_and_wait(struct domain *d)
{
    int64_t deadline = mono_us() + QMP_TIMEOUT_US;

    pthread_mutex_lock(&d->qemu->lock);
    unsigned before = d->resets;

    pthread_mutex_unlock(&d->qemu->lock);
    TRY(domain_qmp(d, "system_reset", NULL, NULL));
    pthread_mutex_lock(&d->qemu->lock);
    bool in_time = true;

    while (d->resets == before && !d->broken && in_time)
        in_time = domain_wait(d, deadline);
    pthread_mutex_unlock(&d->qemu->lock);
    return in_time ? NULL : error_errno(ETIMEDOUT, "domain %s does not reset", d->uuid);
}

static struct error *set_reboot(struct domain *d, enum hv_action a)
{
    return domain_qmp(d, "set-action",
                      pack("{s:s}", "reboot", a == HV_ACTION_STOP ? "shutdown" : "reset"), NULL);
}

struct error *qemu_reset(struct hv *hv, const char *uuid)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    TRY(record_first_run(d));
    /* With reboot=shutdown QEMU would take our reset for one of the guest's and stop. */
    bool stops = d->on_reboot == HV_ACTION_STOP;

    if (stops)
        TRY(set_reboot(d, HV_ACTION_RESTART));
    struct error *e = reset_and_wait(d);

    if (stops && !e)
        e = set_reboot(d, HV_ACTION_STOP);
    if (e)
        return e;
    TRY(domain_qmp(d, "cont", NULL, NULL));
    note_state(d, HV_RUNNING);
    return NULL;
}

struct error *qemu_destroy(struct hv *hv, const char *uuid)
{
    struct qemu *q = qemu_of(hv);

    pthread_mutex_lock(&q->lock);
    struct domain *d = strmap_find(&q->domains, uuid);

    if (!d) {
        pthread_mutex_unlock(&q->lock);
        return NULL;
    }
    domain_ref(d);
    bool starting = !d->ready, again = d->dying;

    d->dying = true;
    if (starting || again) {
        /* Whoever is at it (a start, a suspend, another destroy) finishes; help by killing. */
        int64_t deadline = mono_us() + QMP_TIMEOUT_US;

        if (d->pidfd >= 0)
            syscall(SYS_pidfd_send_signal, d->pidfd, SIGKILL, NULL, 0);
        while (strmap_find(&q->domains, uuid) == d && domain_wait(d, deadline))
            ;
        bool there = strmap_find(&q->domains, uuid) == d;

        pthread_mutex_unlock(&q->lock);
        domain_unref(d);
        return there ? error_errno(ETIMEDOUT, "domain %s does not end", uuid) : NULL;
    }
    pthread_mutex_unlock(&q->lock);
    domain_end(d);
    pthread_mutex_lock(&q->lock);
    strmap_remove(&q->domains, uuid);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&q->lock);
    domain_unref(d); /* the table's */
    domain_unref(d);
    return NULL;
}

struct error *qemu_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    TRY(set_reboot(d, a));
    pthread_mutex_lock(&d->qemu->lock);
    d->on_reboot = a;
    struct error *e = record_write(d);

    pthread_mutex_unlock(&d->qemu->lock);
    return e;
}

/* QEMU serves RFB on a descriptor we hand it: no socket anyone else could open. */
static struct error *vnc_socket(struct domain *d, int *ret_fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket pair");
    _cleanup_close_ int guest = pair[0];
    _cleanup_close_ int viewer = pair[1];

    TRY(qmp_run_fd(d->qmp, "getfd", pack("{s:s}", "fdname", "vnc"), guest, QMP_TIMEOUT_US, NULL));
    TRY(domain_qmp(d, "add_client", pack("{s:s, s:s}", "protocol", "vnc", "fdname", "vnc"), NULL));
    *ret_fd = TAKE_FD(viewer);
    return NULL;
}

struct error *qemu_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd)
{
    _cleanup_domain_ struct domain *d = NULL;

    if (kind == HV_CONSOLE_VNC) {
        TRY(domain_take_live(hv, uuid, &d));
        return vnc_socket(d, ret_fd);
    }
    TRY(domain_take(hv, uuid, &d));
    if (!d->console)
        return error_text("domain %s has no console", uuid);
    return console_view(d->console, ret_fd);
}
