/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's memory into and out of a descriptor: QEMU's migration stream. */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/domain.h"

#include <errno.h>

/* Devices and firmware beside the RAM proper. */
#define STREAM_OVERHEAD (64ll << 20)
#define MAX_BANDWIDTH   (16ll << 30)
#define STEP_US         (60 * SECOND_US)

static struct error *give_fd(struct domain *d, int fd)
{
    json_t *caps = json_array();

    json_array_append_new(caps, pack("{s:s, s:b}", "capability", "events", "state", 1));
    TRY(domain_qmp(d, "migrate-set-capabilities", pack("{s:o}", "capabilities", caps), NULL));
    return qmp_run_fd(d->qmp, "getfd", pack("{s:s}", "fdname", "memory"), fd, QMP_TIMEOUT_US, NULL);
}

/* Waits for the end of a transfer. Its length is nobody's to guess: while QEMU lives and says so,
 * it goes on; hv_destroy ends it. */
static struct error *wait_transfer(struct domain *d)
{
    struct qemu *q = d->qemu;
    struct error *e = NULL;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        if (streq(d->migration, "completed"))
            break;
        if (d->broken || d->dying)
            e = error_errno(ECONNRESET, "QEMU went away");
        else if (streq(d->migration, "failed") || streq(d->migration, "cancelled"))
            e = error_text("QEMU says: %s", d->migration);
        if (e)
            break;
        domain_wait(d, mono_us() + STEP_US);
    }
    pthread_mutex_unlock(&q->lock);
    return e;
}

static void forget_transfer(struct domain *d)
{
    pthread_mutex_lock(&d->qemu->lock);
    d->migration[0] = 0;
    pthread_mutex_unlock(&d->qemu->lock);
}

static struct error *save(struct domain *d, int fd)
{
    TRY(give_fd(d, fd));
    TRY(domain_qmp(d, "migrate-set-parameters",
                   pack("{s:I}", "max-bandwidth", (json_int_t)MAX_BANDWIDTH), NULL));
    TRY(domain_qmp(d, "migrate", pack("{s:s}", "uri", "fd:memory"), NULL));
    return wait_transfer(d);
}

struct error *domain_load(struct domain *d, int fd)
{
    TRY(give_fd(d, fd));
    TRY(domain_qmp(d, "migrate-incoming", pack("{s:s}", "uri", "fd:memory"), NULL));
    struct error *e = wait_transfer(d);

    forget_transfer(d);
    return e ? error_prepend(e, "cannot load the memory of %s", d->uuid) : NULL;
}

static struct error *suspend_paused(struct domain *d, int fd, bool was_running)
{
    struct error *e = save(d, fd);

    forget_transfer(d);
    if (e) {
        /* The guest has not noticed: it runs on. */
        if (was_running)
            IGNORE_ERROR(domain_qmp(d, "cont", NULL, NULL));
        return error_prepend(e, "cannot save the memory of %s", d->uuid);
    }
    return NULL;
}

struct error *qemu_suspend(struct hv *hv, const char *uuid, int fd, int64_t max)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    if (d->memory_max + STREAM_OVERHEAD > max)
        return error_errno(ENOSPC, "the memory of %s may need %lld bytes", uuid,
                           (long long)(d->memory_max + STREAM_OVERHEAD));
    pthread_mutex_lock(&d->qemu->lock);
    enum hv_state state = d->state;

    pthread_mutex_unlock(&d->qemu->lock);
    if (state == HV_STOPPED)
        return error_text("domain %s has stopped", uuid);
    TRY(domain_qmp(d, "stop", NULL, NULL));
    return suspend_paused(d, fd, state == HV_RUNNING);
}
