/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vdi/data_copy.h"

#include "api/common/host_error.h"
#include "base/wait.h"
#include "base/workers.h"
#include "gen/errors.h"
#include "value/value.h"

#define POLL_US 250000

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
    double from, share; /* of the step's progress */
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

/* True: it has ended; false: POLL_US passed. */
static bool copy_ended(struct copying *k)
{
    pthread_mutex_lock(&k->lock);
    if (!k->done)
        cond_wait_until(&k->changed, &k->lock, mono_us() + POLL_US);
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
        plan_progress(p, k->from + k->share * r.done);
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

struct error *vdi_data_copy(struct plan *p, const struct host_vdi_copy_args *args, double from,
                            double share, struct host_vdi_copy_result **ret)
{
    struct copying k = {
        .daemon = plan_daemon(p),
        .args = *args,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .from = from,
        .share = share,
    };

    arena_init(&k.arena);
    struct error *e = run_and_watch(p, &k);

    if (!e)
        *ret = record_copy(plan_arena(p), &host_vdi_copy_result_info, &k.result);
    arena_fini(&k.arena);
    return from_host(k.daemon->store, e);
}
