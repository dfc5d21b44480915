/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pausing, asking and suspending guests. */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/libxl/xl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <xenctrl.h>
#include <xenstore.h>

/* ---- running ---- */

static struct error *set_running(struct xdom *d, bool run)
{
    uint32_t domid = (uint32_t)d->domid;

    TRY(xl_check(run ? libxl_domain_unpause(d->xl->ops->ctx, domid, NULL)
                     : libxl_domain_pause(d->xl->ops->ctx, domid, NULL),
                 run ? "cannot unpause" : "cannot pause"));
    pthread_mutex_lock(&d->xl->lock);
    if (d->state != HV_STOPPED)
        xdom_set_state(d, run ? HV_RUNNING : HV_PAUSED, HV_STOP_NONE);
    pthread_mutex_unlock(&d->xl->lock);
    return NULL;
}

/* The guest was shut down by its suspend and is to go on where it was. */
static struct error *resume_suspended(struct xdom *d)
{

    TRY(xl_check(libxl_domain_resume(d->xl->ops->ctx, (uint32_t)d->domid, 1, NULL),
                 "cannot resume the domain"));
    d->suspending = false;
    return NULL;
}

struct error *xl_unpause(struct hv *hv, const char *uuid)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    if (!d->ran) {
        /* A record that says "never ran" would let a repeated start take a used guest for a fresh
         * one. */
        d->ran = true;
        TRY(xdom_write(d));
    }
    if (d->suspending)
        TRY(resume_suspended(d));
    return set_running(d, true);
}

struct error *xl_pause(struct hv *hv, const char *uuid)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    return set_running(d, false);
}

struct error *xl_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter(hv, uuid, &d));
    pthread_mutex_lock(&d->xl->lock);
    d->start.on_reboot = a;
    pthread_mutex_unlock(&d->xl->lock);
    return xdom_write(d);
}

/* ---- asking ---- */

#define ACK_US  (10 * SECOND_US)
#define UNHEARD "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT"

/* The guest takes the word away when it has read it; one that does not will not obey. */
static struct error *await_ack(struct xdom *d, struct xs_handle *xs, const char *path)
{
    struct pollfd p = {.fd = xs_fileno(xs), .events = POLLIN};
    int64_t deadline = mono_us() + ACK_US;

    for (;;) {
        unsigned len;
        _cleanup_free_ char *word = xs_read(xs, XBT_NULL, path, &len);
        int64_t left = deadline - mono_us();

        if (!word || !*word)
            return NULL;
        if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0)
            break;
        free(xs_check_watch(xs));
    }
    xs_write(xs, XBT_NULL, path, "", 0);
    return error_api(UNHEARD, 1, d->uuid);
}

static struct error *say(struct xdom *d, const char *word)
{
    _cleanup_free_ char *path =
        xasprintf("/local/domain/%lld/control/shutdown", (long long)d->domid);
    struct xs_handle *xs = xs_open(0);
    struct error *e = NULL;

    if (!xs)
        return error_errno(errno, "cannot reach xenstore");
    if (!xs_watch(xs, path, "") || !xs_write(xs, XBT_NULL, path, word, (unsigned)strlen(word)))
        e = error_errno(errno, "cannot write %s", path);
    if (!e)
        e = await_ack(d, xs, path);
    xs_close(xs);
    return e;
}

/* A whole machine with drivers for Xen has told the hypervisor how they want to be woken, and does
 * so again after a resume. */
static bool listens(const struct xdom *d)
{
    uint64_t callback = 0;

    if (d->start.kind != HV_KIND_HVM)
        return true;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    bool any = xc &&
               xc_hvm_param_get(xc, (uint32_t)d->domid, HVM_PARAM_CALLBACK_IRQ, &callback) == 0 &&
               callback;

    xc_interface_close(xc);
    return any;
}

static struct error *press_button(struct xdom *d)
{
    return xl_check(
        libxl_send_trigger(d->xl->ops->ctx, (uint32_t)d->domid, LIBXL_TRIGGER_POWER, 0, NULL),
        "cannot press the power button");
}

/* A whole machine without drivers for Xen, or whose drivers hang, has a power button only: who
 * wants it to reboot finds it off, and starts it again. */
static struct error *ask(struct xdom *d, const char *word)
{
    bool heard = listens(d);
    struct error *e = heard ? say(d, word) : NULL;

    if (heard && (d->start.kind != HV_KIND_HVM || !error_is(e, UNHEARD)))
        return e;
    error_free(e);
    return press_button(d);
}

static struct error *send_nmi(struct xdom *d)
{

    return xl_check(
        libxl_send_trigger(d->xl->ops->ctx, (uint32_t)d->domid, LIBXL_TRIGGER_NMI, 0, NULL),
        "cannot send an NMI");
}

struct error *xl_signal(struct hv *hv, const char *uuid, enum hv_signal signal)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    if (signal == HV_SIGNAL_NMI)
        return send_nmi(d);
    return ask(d, signal == HV_SIGNAL_POWEROFF ? "poweroff" : "reboot");
}

/* ---- suspend ---- */

/* Between libxl, which writes what it likes, and a place that is only so large. */
struct limiter {
    int from, to;
    int64_t left;
    struct error *error;
};

static void *pass_on(void *arg)
{
    struct limiter *l = arg;
    _cleanup_free_ char *buf = xmalloc(1u << 20);
    ssize_t n;

    while ((n = read(l->from, buf, 1u << 20)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        l->left -= n;
        l->error = l->left < 0 ? error_errno(ENOSPC, "the memory does not fit into its place")
                               : io_write_all(l->to, buf, (size_t)n);
        if (l->error)
            break;
    }
    cleanup_close(&l->from); /* libxl's next write fails */
    return NULL;
}

static struct error *save(struct xdom *d, int fd, int64_t max)
{
    struct limiter l = {.to = fd, .left = max};
    pthread_t thread;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    l.from = ends[0];
    if (pthread_create(&thread, NULL, pass_on, &l))
        abort();
    struct error *e =
        xl_check(libxl_domain_suspend(d->xl->ops->ctx, (uint32_t)d->domid, ends[1], 0, NULL),
                 "cannot save the memory");

    cleanup_close(&ends[1]);
    pthread_join(thread, NULL);
    if (l.error) {
        error_free(e);
        return l.error;
    }
    return e;
}

struct error *xl_suspend(struct hv *hv, const char *uuid, int fd, int64_t max)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;
    libxl_dominfo info;

    TRY(xdom_enter_live(hv, uuid, &d));
    /* Before anything is written, where it can be known. */
    if (max < d->start.memory_target)
        return error_errno(ENOSPC, "the memory of domain %s does not fit into its place", uuid);
    struct error *e = save(d, fd, max);

    d->suspending = true;
    if (!e) {
        pthread_mutex_lock(&d->xl->lock);
        xdom_set_state(d, HV_PAUSED, HV_STOP_NONE);
        pthread_mutex_unlock(&d->xl->lock);
        return NULL;
    }
    /* It may have failed before or after the guest stopped for it. */
    libxl_dominfo_init(&info);
    int rc = libxl_domain_info(xl_quick_begin(d->xl)->ctx, &info, (uint32_t)d->domid);

    xl_quick_end();
    if (rc == 0 && info.shutdown)
        IGNORE_ERROR(resume_suspended(d));
    libxl_dominfo_dispose(&info);
    d->suspending = false;
    return e;
}
