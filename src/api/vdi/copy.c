/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VDI.copy: all data of a disk into a new one. hostd copies; another thread waits for that call,
 * so that the step itself can report progress and pass on a cancellation.
 */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "base/workers.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

#include <pthread.h>
#include <time.h>

#define POLL_MS 250

/* The call under way; on the stack of the step, which outlives it. */
struct copying {
    struct daemon *daemon;
    struct host_vdi_copy_args args;
    struct host_vdi_copy_result result;
    struct arena arena; /* of the copying thread */
    struct error *error;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};

static void run_copy(void *arg)
{
    struct copying *k = arg;

    k->error = hostd_vdi_copy(k->daemon->hostd, &k->args, &k->arena, &k->result);
    pthread_mutex_lock(&k->lock);
    k->done = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* True: it has ended; false: POLL_MS passed. */
static bool copy_ended(struct copying *k)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    pthread_mutex_lock(&k->lock);
    if (!k->done)
        pthread_cond_clockwait(&k->changed, &k->lock, CLOCK_MONOTONIC, &until);
    bool done = k->done;

    pthread_mutex_unlock(&k->lock);
    return done;
}

static void look_after(struct plan *p, struct copying *k)
{
    struct arena a;
    const struct host_vdi_copy_progress_args args = {.copy = k->args.copy,
                                                     .cancel = plan_is_cancelled(p)};
    struct host_vdi_copy_progress_result r;

    arena_init(&a);
    struct error *e = hostd_vdi_copy_progress(k->daemon->hostd, &args, &a, &r);

    if (!e && r.running)
        plan_progress(p, r.done);
    if (e)
        error_free(e); /* the copy itself will tell what is wrong */
    arena_fini(&a);
}

static struct error *run_and_watch(struct plan *p, struct copying *k)
{
    if (!workers_run(k->daemon->transfers, run_copy, k))
        return err_too_many_pending_tasks();
    while (!copy_ended(k))
        look_after(p, k);
    if (k->error && plan_is_cancelled(p)) {
        error_free(k->error);
        return plan_cancelled(p);
    }
    return k->error;
}

static struct error *copy(struct plan *p)
{
    struct copying k = {
        .daemon = plan_daemon(p),
        .args = {.sr = plan_str(p, P_SRUUID),
                 .uuid = plan_str(p, P_VDIUUID),
                 .to_sr = plan_str(p, "to_uuid"),
                 .copy = plan_str(p, P_NEW)},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };

    arena_init(&k.arena);
    struct error *e = run_and_watch(p, &k);

    if (!e) {
        struct host_vdi_copy_result *made =
            record_copy(plan_arena(p), &host_vdi_copy_result_info, &k.result);
        plan_set_memo(p, made);
    }
    arena_fini(&k.arena);
    return from_host(k.daemon->store, e);
}

static struct error *uncopy(struct plan *p)
{
    const struct host_vdi_destroy_args args = {.sr = plan_str(p, "to_uuid"),
                                               .uuid = plan_str(p, P_NEW)};
    struct host_vdi_destroy_result result;
    struct daemon *d = plan_daemon(p);

    return from_host(d->store, hostd_vdi_destroy(d->hostd, &args, plan_arena(p), &result));
}

static struct error *record_copied(struct plan *p, struct txn *t)
{
    const struct host_vdi_copy_result *made = plan_memo(p);
    const struct vdi_rec *source;
    struct vdi_rec *row;

    TRY(txn_vdi(t, plan_str(p, P_VDI), &source));
    row = vdi_inherit(t, source);
    row->uuid = plan_str(p, P_NEW);
    row->SR = plan_str(p, "to");
    vdi_fill(row, &made->vdi);
    plan_set_result(p, row->self);
    return sr_add_allocation(t, row->SR, row->virtual_size);
}

static const struct plan_step steps[] = {
    {.name = "copy",
     .act = copy,
     .record = record_copied,
     .undo = uncopy,
     .unrecord = step_unrecord_new},
};

const struct plan_type plan_vdi_copy = {
    .name = "VDI.copy", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

/* Copies go side by side, so only the disk is marked, and the new one's place while it is made. */
struct error *api_vdi_copy(struct call *c, const struct vdi_copy_args *a, const char **ret)
{
    struct uuid_text uuid = uuid_random();
    const struct vdi_rec *vdi;
    const struct sr_rec *from, *to;

    if (!is_null_ref(a->into_vdi))
        return err_not_implemented("VDI.copy into an existing VDI");
    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(txn_sr(c->txn, vdi->SR, &from));
    TRY(txn_sr(c->txn, is_null_ref(a->sr) ? vdi->SR : a->sr, &to));
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_COPY));
    TRY(sr_op_check(txn_view(c->txn), to, STORAGE_OPERATIONS_VDI_CREATE));
    TRY(sr_check_attached(c->daemon, c->txn, to));
    struct plan *p = plan_begin(c, &plan_vdi_copy);

    plan_set_str(p, P_VDI, vdi->self);
    plan_set_str(p, P_VDIUUID, vdi->uuid);
    plan_set_str(p, P_SRUUID, from->uuid);
    plan_set_str(p, P_NEW, uuid.s);
    plan_set_str(p, "to", to->self);
    plan_set_str(p, "to_uuid", to->uuid);
    TRY(plan_mark(p, c->txn, CLASS_VDI, vdi->self, VDI_OPERATIONS_COPY));
    return plan_mark(p, c->txn, CLASS_SR, to->self, STORAGE_OPERATIONS_VDI_CREATE);
}
