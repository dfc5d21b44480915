/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device models of whole machines that die. Xen does not notice: the guest's processors go on until
 * they wait for a device, for ever. To us the machine has crashed.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hv/libxl/xl.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <xenstore.h>

/* Whoever destroys a domain pauses it first, ends the model, and then the domain. */
static bool is_being_destroyed(struct xdom *d)
{
    libxl_dominfo info;

    libxl_dominfo_init(&info);
    int rc = libxl_domain_info(xl_quick_begin(d->xl)->ctx, &info, (uint32_t)d->domid);
    bool yes = rc || info.dying || info.shutdown || (info.paused && d->state == HV_RUNNING);

    xl_quick_end();
    libxl_dominfo_dispose(&info);
    return yes;
}

/* With the lock. What epoll told may be of a model before this one. */
static void on_death(struct xdom *d)
{
    struct pollfd p = {.fd = d->model, .events = POLLIN};

    if (poll(&p, 1, 0) != 1)
        return;
    epoll_ctl(d->xl->models, EPOLL_CTL_DEL, d->model, NULL);
    cleanup_close(&d->model);
    if (d->state == HV_STOPPED || is_being_destroyed(d))
        return;
    log_warning("the device model of domain %s has died", d->uuid);
    int rc = libxl_domain_pause(xl_quick_begin(d->xl)->ctx, (uint32_t)d->domid, NULL);

    xl_quick_end();
    if (rc)
        log_and_free(LOG_WARNING, xl_check(rc, "cannot pause"), "domain %s", d->uuid);
    xdom_set_state(d, HV_STOPPED, HV_STOP_CRASH);
}

static void *watch_models(void *arg)
{
    struct xl *x = arg;
    struct epoll_event ev;
    struct xdom *d;

    for (;;) {
        size_t pos = 0;

        if (epoll_wait(x->models, &ev, 1, -1) < 1)
            continue;
        pthread_mutex_lock(&x->lock);
        while ((d = strmap_next(&x->domains, &pos, NULL))) {
            if (d->model == ev.data.fd && d->model >= 0) {
                on_death(d);
                break;
            }
        }
        pthread_mutex_unlock(&x->lock);
    }
    return NULL;
}

struct error *xl_models_start(struct xl *x)
{
    pthread_t thread;

    x->models = epoll_create1(EPOLL_CLOEXEC);
    if (x->models < 0)
        return error_errno(errno, "cannot make an epoll");
    int r = pthread_create(&thread, NULL, watch_models, x);

    if (r)
        return error_errno(r, "cannot start a thread");
    pthread_detach(thread);
    return NULL;
}

/* What libxl wrote when it started it; 0 = there is none. */
static pid_t pid_of(struct xdom *d)
{
    _cleanup_free_ char *path =
        xasprintf("/local/domain/%lld/image/device-model-pid", (long long)d->domid);
    unsigned len;
    _cleanup_free_ char *text = xs_read(d->xl->xs, XBT_NULL, path, &len);

    return text ? (pid_t)strtol(text, NULL, 10) : 0;
}

void xdom_watch_model(struct xdom *d)
{
    pid_t pid = d->start.kind == HV_KIND_HVM ? pid_of(d) : 0;
    struct epoll_event ev = {.events = EPOLLIN};

    if (pid <= 0)
        return;
    pthread_mutex_lock(&d->xl->lock);
    ev.data.fd = d->model = (int)syscall(SYS_pidfd_open, pid, 0);
    if (d->model >= 0)
        epoll_ctl(d->xl->models, EPOLL_CTL_ADD, d->model, &ev);
    else if (errno == ESRCH && d->state != HV_STOPPED && !is_being_destroyed(d))
        xdom_set_state(d, HV_STOPPED, HV_STOP_CRASH); /* while nobody watched */
    pthread_mutex_unlock(&d->xl->lock);
}

void xdom_unwatch_model(struct xdom *d)
{
    pthread_mutex_lock(&d->xl->lock);
    if (d->model >= 0)
        epoll_ctl(d->xl->models, EPOLL_CTL_DEL, d->model, NULL);
    cleanup_close(&d->model);
    pthread_mutex_unlock(&d->xl->lock);
}
