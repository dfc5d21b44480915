/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Xen tells by itself, and the domains it had before we came. */
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "hv/libxl/guest_keys.h"
#include "hv/libxl/xl.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <xenstore.h>

/* ---- reboots ---- */

static void restart(void *arg)
{
    _cleanup_xdom_ struct xdom *d = arg;
    struct error *e = NULL;

    pthread_mutex_lock(&d->turn);
    pthread_mutex_lock(&d->xl->lock);
    bool wanted = !d->dying;

    pthread_mutex_unlock(&d->xl->lock);
    if (wanted)
        e = xdom_relaunch(d);
    pthread_mutex_unlock(&d->turn);
    if (e)
        log_and_free(LOG_ERROR, e, "domain %s wanted to restart", d->uuid);
}

/* With the lock. False: it cannot be done now. */
static bool queue_restart(struct xdom *d)
{
    if (workers_run(d->xl->workers, restart, xdom_ref(d)))
        return true;
    d->refs--;
    return false;
}

/* ---- ends ---- */

/* With the lock. */
static void on_shutdown(struct xdom *d, libxl_shutdown_reason reason)
{
    switch (reason) {
    case LIBXL_SHUTDOWN_REASON_SUSPEND:
        break;
    case LIBXL_SHUTDOWN_REASON_REBOOT:
    case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
        if (d->start.on_reboot != HV_ACTION_RESTART || !queue_restart(d))
            xdom_set_state(d, HV_STOPPED, HV_STOP_REBOOT);
        break;
    case LIBXL_SHUTDOWN_REASON_CRASH:
    case LIBXL_SHUTDOWN_REASON_WATCHDOG:
        xdom_set_state(d, HV_STOPPED, HV_STOP_CRASH);
        break;
    default:
        xdom_set_state(d, HV_STOPPED, HV_STOP_POWEROFF);
    }
}

/* Somebody else destroyed it. With the lock. */
static void on_death(struct xdom *d)
{
    d->domid = 0;
    if (d->state != HV_STOPPED)
        xdom_set_state(d, HV_STOPPED, HV_STOP_LOST);
}

static void on_event(struct xl *x, const libxl_event *ev)
{
    pthread_mutex_lock(&x->lock);
    struct xdom *d = xdom_by_domid(x, ev->domid);

    if (d && ev->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        on_shutdown(d, ev->u.domain_shutdown.shutdown_reason);
    else if (d && ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH)
        on_death(d);
    pthread_mutex_unlock(&x->lock);
}

#define FDS_MAX 64

/* libxl_event_wait does not notice what is enabled while it waits, so we wait ourselves: until
 * something comes or somebody has enabled something (x->wake). */
static int wait_for_xen(struct xl *x)
{
    struct pollfd fds[FDS_MAX + 1];
    struct timeval now;
    eventfd_t woken;
    int n = FDS_MAX, timeout_ms = -1;

    gettimeofday(&now, NULL);
    xl_quick_begin(x);
    int rc = libxl_osevent_beforepoll(x->events->ctx, &n, fds, &timeout_ms, now);

    xl_quick_end();
    if (rc)
        return rc;
    fds[n] = (struct pollfd){.fd = x->wake, .events = POLLIN};
    if (poll(fds, (nfds_t)n + 1, timeout_ms) < 0 && errno != EINTR)
        return ERROR_FAIL;
    if (fds[n].revents)
        eventfd_read(x->wake, &woken);
    gettimeofday(&now, NULL);
    xl_quick_begin(x);
    libxl_osevent_afterpoll(x->events->ctx, n, fds, now);
    xl_quick_end();
    return 0;
}

static void *listen_to_xen(void *arg)
{
    struct xl *x = arg;
    libxl_event *ev;

    while (wait_for_xen(x) == 0) {
        while (libxl_event_check(x->events->ctx, &ev, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
            on_event(x, ev);
            libxl_event_free(x->events->ctx, ev);
        }
    }
    log_line(LOG_ERROR, "libxl gives no events any more");
    _exit(1); /* a new worker begins anew */
}

/* ---- keys of guests ---- */

static void on_keys(struct xl *x, const char *uuid)
{
    pthread_mutex_lock(&x->lock);
    struct xdom *d = strmap_find(&x->domains, uuid);

    if (d)
        xdom_emit(d, HV_EVENT_GUEST, -1);
    pthread_mutex_unlock(&x->lock);
}

static void *listen_to_guests(void *arg)
{
    struct xl *x = arg;
    char **fired;
    unsigned n;

    while ((fired = xs_read_watch(x->xs, &n))) {
        on_keys(x, fired[XS_WATCH_TOKEN]);
        free(fired);
    }
    log_line(LOG_ERROR, "xenstore has gone");
    _exit(1);
}

/* Agents write this when all their other keys are there. */
static char *marker(const struct xdom *d)
{
    return xasprintf("/local/domain/%lld/data/updated", (long long)d->domid);
}

struct error *xdom_listen(struct xdom *d)
{
    struct xl *x = d->xl;
    _cleanup_free_ char *path = marker(d);

    xl_quick_begin(x);
    int rc = libxl_evenable_domain_death(x->events->ctx, (uint32_t)d->domid, 0, &d->death);

    xl_quick_end();
    TRY(xl_check(rc, "cannot watch the domain"));
    eventfd_write(x->wake, 1);
    xs_watch(x->xs, path, d->uuid);
    xdom_watch_model(d);
    return NULL;
}

void xdom_unlisten(struct xdom *d)
{
    _cleanup_free_ char *path = marker(d);

    xdom_unwatch_model(d);
    if (!d->death)
        return;
    xl_quick_begin(d->xl);
    libxl_evdisable_domain_death(d->xl->events->ctx, TAKE_PTR(d->death));
    xl_quick_end();
    xs_unwatch(d->xl->xs, path, d->uuid);
}

static struct error *start_thread(void *(*fn)(void *), struct xl *x)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, fn, x);

    if (r)
        return error_errno(r, "cannot start a thread");
    pthread_detach(thread);
    return NULL;
}

struct error *xl_events_start(struct xl *x)
{
    TRY(start_thread(listen_to_xen, x));
    return start_thread(listen_to_guests, x);
}

/* ---- adoption ---- */

/* The Xen domain of that uuid; false = there is none. */
static bool find_xen_domain(struct xl *x, const char *uuid, libxl_dominfo *ret)
{
    libxl_uuid id;
    int n = 0;
    bool found = false;
    libxl_dominfo *all = libxl_list_domain(xl_quick_begin(x)->ctx, &n);

    xl_quick_end();

    libxl_uuid_from_string(&id, uuid);
    for (int i = 0; i < n && !found; i++) {
        found = libxl_uuid_compare(&all[i].uuid, &id) == 0;
        if (found)
            *ret = (libxl_dominfo){.domid = all[i].domid,
                                   .paused = all[i].paused,
                                   .shutdown = all[i].shutdown,
                                   .dying = all[i].dying,
                                   .shutdown_reason = all[i].shutdown_reason};
    }
    libxl_dominfo_list_free(all, n);
    return found && !ret->dying;
}

/* False: it was half made, or this program's predecessor was ending it. */
static bool take_over(struct xdom *d)
{
    libxl_dominfo info = {0};
    bool there = find_xen_domain(d->xl, d->uuid, &info);
    int64_t recorded = d->domid;

    if (there && info.domid != recorded) {
        d->domid = info.domid;
        IGNORE_ERROR(xdom_end(d));
        there = false;
    }
    if (!there) {
        d->domid = 0;
        d->state = HV_STOPPED;
        if (d->stop == HV_STOP_NONE)
            d->stop = HV_STOP_LOST;
        return recorded != 0;
    }
    d->state = info.paused ? HV_PAUSED : HV_RUNNING;
    d->stop = HV_STOP_NONE;
    if (info.shutdown)
        on_shutdown(d, info.shutdown_reason);
    struct error *e = xdom_listen(d);

    if (e)
        log_and_free(LOG_ERROR, e, "domain %s", d->uuid);
    return true;
}

static void adopt(struct xl *x, const char *uuid)
{
    struct xdom *d = xdom_new(x, uuid);
    struct error *e = xdom_read(d);

    if (e)
        log_and_free(LOG_ERROR, e, "cannot adopt domain %s", uuid);
    else if (take_over(d)) {
        pthread_mutex_lock(&x->lock);
        d->ready = true;
        strmap_set(&x->domains, d->uuid, d);
        pthread_mutex_unlock(&x->lock);
        return;
    } else {
        xdom_remove_files(d);
    }
    xdom_unref(d);
}

struct error *xl_adopt_all(struct xl *x)
{
    _cleanup_free_ char *path = xasprintf("%s/run/vm", x->state_dir);
    const struct dirent *entry;

    TRY(io_mkdir_p(path, 0700));
    _cleanup_closedir_ DIR *dir = opendir(path);

    while (dir && (entry = readdir(dir))) {
        if (uuid_is_valid(entry->d_name))
            adopt(x, entry->d_name);
    }
    return NULL;
}
