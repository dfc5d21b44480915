/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains as counted objects: the table's entries, their state, their end. */
#include "hv/qemu/domain.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/wait.h"
#include "base/world.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

json_t *pack(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    json_t *j = json_vpack_ex(NULL, 0, fmt, ap);

    va_end(ap);
    assert(j);
    return j;
}

struct domain *domain_new(struct qemu *q, const char *uuid)
{
    struct domain *d = xnew(struct domain);

    d->qemu = q;
    d->refs = 1;
    d->pidfd = -1;
    snprintf(d->uuid, sizeof(d->uuid), "%.36s", uuid);
    d->dir = xasprintf("%s/run/vm/%s", q->state_dir, uuid);
    pthread_cond_init(&d->changed, NULL);
    pthread_mutex_init(&d->agent_lock, NULL);
    return d;
}

struct domain *domain_ref(struct domain *d)
{
    d->refs++;
    return d;
}

void domain_unref(struct domain *d)
{
    struct qemu *q = d->qemu;

    pthread_mutex_lock(&q->lock);
    bool last = --d->refs == 0;

    pthread_mutex_unlock(&q->lock);
    if (!last)
        return;
    qmp_close(d->qmp);
    console_close(d->console);
    cleanup_close(&d->pidfd);
    vec_fini(&d->threads);
    vec_fini(&d->disks);
    vec_fini(&d->nics);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->agent_lock);
    free(d->dir);
    free(d);
}

struct error *domain_take(struct hv *hv, const char *uuid, struct domain **ret)
{
    struct qemu *q = qemu_of(hv);

    pthread_mutex_lock(&q->lock);
    struct domain *d = strmap_find(&q->domains, uuid);

    if (d && !d->ready)
        d = NULL;
    if (d)
        domain_ref(d);
    pthread_mutex_unlock(&q->lock);
    if (!d)
        return hv_no_domain(uuid);
    *ret = d;
    return NULL;
}

struct error *domain_take_live(struct hv *hv, const char *uuid, struct domain **ret)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take(hv, uuid, &d));
    pthread_mutex_lock(&d->qemu->lock);
    bool gone = d->broken || !d->qmp;
    enum hv_stop stop = d->stop;

    pthread_mutex_unlock(&d->qemu->lock);
    if (gone)
        return error_text("domain %s has ended (%s)", uuid, hv_stop_names[stop]);
    *ret = TAKE_PTR(d);
    return NULL;
}

void domain_emit(struct domain *d, enum hv_event_kind kind, int device)
{
    struct hv_event ev = {.kind = kind,
                          .uuid = d->uuid,
                          .state = d->state,
                          .stop = d->stop,
                          .device = device,
                          .memory_actual = d->memory_actual};

    pthread_cond_broadcast(&d->changed);
    if (d->ready && !d->dying && d->qemu->on_event)
        d->qemu->on_event(d->qemu->ctx, &ev);
}

void domain_set_state(struct domain *d, enum hv_state state, enum hv_stop stop)
{
    if (d->state == state && d->stop == stop)
        return;
    d->state = state;
    d->stop = stop;
    domain_emit(d, HV_EVENT_STATE, -1);
}

bool domain_wait(struct domain *d, int64_t deadline)
{
    return cond_wait_until(&d->changed, &d->qemu->lock, deadline);
}

struct qdisk *domain_find_disk(struct domain *d, int device)
{
    vec_foreach (disk, &d->disks) {
        if (disk->device == device)
            return disk;
    }
    return NULL;
}

struct qnic *domain_find_nic(struct domain *d, int device)
{
    vec_foreach (nic, &d->nics) {
        if (nic->device == device)
            return nic;
    }
    return NULL;
}

void domain_describe(const struct domain *d, struct arena *a, struct hv_domain *ret)
{
    int *disks = arena_array(a, int, d->disks.n + 1);
    int *nics = arena_array(a, int, d->nics.n + 1);

    for (size_t i = 0; i < d->disks.n; i++)
        disks[i] = d->disks.v[i].device;
    for (size_t i = 0; i < d->nics.n; i++)
        nics[i] = d->nics.v[i].device;
    *ret = (struct hv_domain){
        .uuid = arena_strdup(a, d->uuid),
        .domid = d->domid,
        .state = d->state,
        .stop = d->stop,
        .started = d->started,
        .memory_max = d->memory_max,
        .memory_actual = d->memory_actual,
        .vcpus = d->vcpus,
        .vcpus_max = d->vcpus_max,
        .disks = disks,
        .n_disks = d->disks.n,
        .nics = nics,
        .n_nics = d->nics.n,
    };
}

struct error *domain_ask(struct domain *d, const char *command, json_t *args, int64_t timeout_us,
                         json_t **ret)
{
    struct error *e = qmp_run(d->qmp, command, args, timeout_us, ret);

    return e ? error_prepend(e, "QEMU of %s, %s", d->uuid, command) : NULL;
}

struct error *domain_qmp(struct domain *d, const char *command, json_t *args, json_t **ret)
{
    return domain_ask(d, command, args, QMP_TIMEOUT_US, ret);
}

/* A process that hangs on dead storage cannot be asked for long. */
#define QUIT_TIMEOUT_US (5 * SECOND_US)

static void quit(struct domain *d)
{
    struct pollfd p = {.fd = d->pidfd, .events = POLLIN};
    struct error *e = qmp_run(d->qmp, "quit", NULL, QUIT_TIMEOUT_US, NULL);

    if (!e)
        (void)TEMP_FAILURE_RETRY(poll(&p, 1, (int)(QUIT_TIMEOUT_US / 1000)));
    error_free(e);
}

static void kill_and_wait(struct domain *d)
{
    if (d->pidfd < 0)
        return;
    struct pollfd p = {.fd = d->pidfd, .events = POLLIN};

    if (d->qmp && qmp_is_open(d->qmp))
        quit(d);
    /* Through the pidfd: never a process that has taken over the number. */
    syscall(SYS_pidfd_send_signal, d->pidfd, SIGKILL, NULL, 0);
    (void)TEMP_FAILURE_RETRY(poll(&p, 1, -1));
    /* Only our own children leave something to collect; for adopted ones this fails. */
    waitpid(d->pid, NULL, WNOHANG);
}

/* Files only: nobody makes directories inside. */
static void remove_dir(const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    const struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    rmdir(path);
}

void domain_end(struct domain *d)
{
    kill_and_wait(d);
    remove_dir(d->dir);
}
