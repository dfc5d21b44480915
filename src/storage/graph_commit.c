/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Merging an image into the one below it, in a living process.
 *
 * The job stops twice for us. An active commit (the top of the chain) says "ready" when it has
 * caught up with the guest; job-complete then drains the guest and leads to "pending". Every commit
 * waits there (auto-finalize off) until we have written the records: in that state nothing is
 * written and the base holds everything, so a crash on either side of the record loses nothing.
 */

#include "base/wait.h"
#include "storage/graph.h"
#include "storage/owner.h"
#include "storage/tune.h"
#include "value/json.h"

#include <errno.h>

/* Filled by events, read by the thread that waits. */
struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct graph_name job;
    char status[24];
    bool lost;
};

static void on_event(void *arg, const char *event, json_t *data, int64_t time_us)
{
    struct watch *w = arg;
    const char *id = json_string_value(json_object_get(data, "id"));
    const char *status = json_string_value(json_object_get(data, "status"));

    pthread_mutex_lock(&w->lock);
    if (!event)
        w->lost = true;
    else if (streq(event, "JOB_STATUS_CHANGE") && id && status && streq(id, w->job.s))
        snprintf(w->status, sizeof(w->status), "%s", status);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Waits for a status that asks for something, or for a second to pass (to report progress). */
static void watch_some(struct watch *w, char ret[24])
{
    int64_t end = mono_us() + SECOND_US;

    pthread_mutex_lock(&w->lock);
    while (!w->lost && !streq(w->status, "ready") && !streq(w->status, "pending") &&
           !streq(w->status, "concluded")) {
        if (!cond_wait_until(&w->changed, &w->lock, end))
            break;
    }
    snprintf(ret, 24, "%s", w->lost ? "lost" : w->status);
    if (streq(w->status, "ready"))
        w->status[0] = 0; /* answered once */
    pthread_mutex_unlock(&w->lock);
}

static struct error *job_verb(struct qmp *q, const char *verb, const char *job)
{
    return qmp_run(q, verb, json_pack("{s:s}", "id", job), QMP_TIMEOUT_US, NULL);
}

static struct error *job_find(struct qmp *q, const char *job, json_t **ret)
{
    _cleanup_json_ json_t *all = NULL;
    size_t i;
    json_t *one;

    TRY(qmp_run(q, "query-jobs", NULL, QMP_TIMEOUT_US, &all));
    json_array_foreach (all, i, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (id && streq(id, job)) {
            *ret = json_incref(one);
            return NULL;
        }
    }
    return error_errno(ENODEV, "job %s is gone", job);
}

static void report(struct qmp *q, const char *job, const struct image_progress *p)
{
    _cleanup_json_ json_t *j = NULL;

    if (!p || !p->progress)
        return;
    IGNORE_ERROR(job_find(q, job, &j));
    json_int_t done = json_integer_value(json_object_get(j, "current-progress"));
    json_int_t total = json_integer_value(json_object_get(j, "total-progress"));
    if (total > 0)
        p->progress(p->arg, (double)done / (double)total);
}

/* The outcome of a concluded job, which is dismissed. */
static struct error *job_result(struct qmp *q, const char *job)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(job_find(q, job, &j));
    const char *text = json_string_value(json_object_get(j, "error"));
    struct error *e = NULL;
    if (text)
        e = error_errno(strstr(text, "No space left")       ? ENOSPC
                        : streq(text, "Operation canceled") ? ECANCELED
                                                            : 0,
                        "commit: %s", text);
    IGNORE_ERROR(job_verb(q, "job-dismiss", job));
    return e;
}

static struct error *follow(struct qmp *q, struct watch *w, const struct owner_commit *c)
{
    struct error *refused = NULL;
    char status[24];

    for (;;) {
        watch_some(w, status);
        if (streq(status, "lost")) {
            error_free(refused);
            return error_errno(ECONNRESET, "the owner of the disk went away during a merge");
        }
        if (streq(status, "concluded")) {
            struct error *e = job_result(q, w->job.s);
            if (!refused)
                return e;
            error_free(e);
            return refused;
        }
        if (streq(status, "ready")) {
            TRY(job_verb(q, "job-complete", w->job.s));
        } else if (streq(status, "pending")) {
            pthread_mutex_lock(&w->lock);
            w->status[0] = 0;
            pthread_mutex_unlock(&w->lock);
            refused = c->before_switch ? c->before_switch(c->arg) : NULL;
            TRY(job_verb(q, refused ? "job-cancel" : "job-finalize", w->job.s));
        } else if (c->progress && c->progress->cancelled &&
                   c->progress->cancelled(c->progress->arg)) {
            IGNORE_ERROR(job_verb(q, "job-cancel", w->job.s));
        } else {
            report(q, w->job.s, c->progress);
        }
    }
}

static json_t *commit_arguments(const struct owner_commit *c, const struct node *active,
                                const char *job)
{
    struct graph_name device = graph_name('n', active);
    struct graph_name top = graph_name('n', c->top);
    struct graph_name base = graph_name('n', c->base);
    json_t *a = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I}", "job-id", job, "device", device.s,
                          "top-node", top.s, "base-node", base.s, "auto-finalize", 0,
                          "auto-dismiss", 0, "speed", (json_int_t)c->bytes_per_second);

    if (c->top == active)
        json_object_del(a, "top-node");
    return a;
}

struct error *graph_commit(struct qmp *q, const struct owner_commit *c, const struct node *active)
{
    struct watch w = {.lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .job = graph_name('c', c->top)};
    struct qmp_listener listener = {.fn = on_event, .arg = &w};

    qmp_listen(q, &listener);
    struct error *e =
        qmp_run(q, "block-commit", commit_arguments(c, active, w.job.s), QMP_TIMEOUT_US, NULL);
    if (!e)
        e = follow(q, &w, c);
    qmp_unlisten(q, &listener);
    pthread_cond_destroy(&w.changed);
    pthread_mutex_destroy(&w.lock);
    return e;
}

struct error *graph_end_jobs(struct qmp *q, bool (*keep)(void *arg, const char *job), void *arg)
{
    _cleanup_json_ json_t *all = NULL;
    size_t i;
    json_t *one;

    TRY(qmp_run(q, "query-jobs", NULL, QMP_TIMEOUT_US, &all));
    json_array_foreach (all, i, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        const char *status = json_string_value(json_object_get(one, "status"));
        if (!id || !status)
            continue;
        if (streq(status, "pending") && keep(arg, id))
            IGNORE_ERROR(job_verb(q, "job-finalize", id));
        else if (!streq(status, "concluded"))
            IGNORE_ERROR(job_verb(q, "job-cancel", id));
        IGNORE_ERROR(job_verb(q, "job-dismiss", id));
    }
    return NULL;
}
