/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/trace_outlet.h"

#include "base/limit.h"
#include "base/log.h"
#include "base/str.h"
#include "base/workers.h"
#include "base/world.h"
#include "gen/host_proto.h"
#include "task/traces.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#define PAUSE_MIN_US SECOND_US
#define PAUSE_MAX_US (60 * SECOND_US)

struct trace_outlet {
    atomic_int refs; /* who has it, and a batch under way */
    pthread_mutex_t lock;
    struct hostd *hostd;
    struct workers *workers;
    char *url;
    struct str queue, batch; /* spans, a comma before each */
    int64_t n_queue, n_batch;
    int64_t left_out; /* of which the collector does not know yet */
    int64_t next_us;  /* mono_us: not before */
    int64_t pause_us; /* 0 = the last one went well */
    bool busy;        /* a thread sends */
};

struct trace_outlet *trace_outlet_new(struct hostd *hostd, struct workers *workers, const char *url)
{
    struct trace_outlet *o = xnew(struct trace_outlet);

    atomic_init(&o->refs, 1);
    pthread_mutex_init(&o->lock, NULL);
    o->hostd = hostd;
    o->workers = workers;
    o->url = xstrdup(url);
    return o;
}

void trace_outlet_unref(struct trace_outlet *o)
{
    if (atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    const int64_t lost = o->n_queue + o->n_batch + o->left_out;

    if (lost)
        log_info("%" PRId64 " spans for %s were not sent", lost, o->url);
    str_fini(&o->queue);
    str_fini(&o->batch);
    free(o->url);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

const char *trace_outlet_url(const struct trace_outlet *o)
{
    return o->url;
}

/* ---- one batch after another, on a thread of the workers ---- */

/* Lock held. What goes out: the batch, and how many are missing. */
static char *batch_text(struct trace_outlet *o)
{
    struct str text = STR_INIT;

    if (!o->batch.len) {
        o->batch = o->queue;
        o->n_batch = o->n_queue;
        o->queue = STR_INIT;
        o->n_queue = 0;
    }
    str_add_char(&text, '[');
    str_add_mem(&text, o->batch.s + 1, o->batch.len - 1);
    if (o->left_out) {
        char number[24];

        snprintf(number, sizeof(number), "%" PRId64, o->left_out);
        traces_add_note(&text, "traces.left_out", "spans", number);
    }
    str_add_char(&text, ']');
    return str_take(&text);
}

/* Lock held. */
static void forget_batch(struct trace_outlet *o)
{
    str_fini(&o->batch);
    o->batch = STR_INIT;
    o->n_batch = 0;
}

/* Lock held. */
static void failed(struct trace_outlet *o, struct error *e)
{
    if (e->errnum == EPROTO) { /* the collector does not want this batch */
        o->left_out += o->n_batch;
        forget_batch(o);
    }
    if (!o->pause_us)
        log_and_free(LOG_WARNING, e, "cannot send traces to %s", o->url);
    else
        error_free(e);
    const int64_t longer = o->pause_us ? 2 * o->pause_us : PAUSE_MIN_US;

    o->pause_us = MIN(longer, limit_of("XENOLITH_TRACE_PAUSE_US", PAUSE_MAX_US));
    o->next_us = mono_us() + o->pause_us;
}

/* Lock held. */
static void arrived(struct trace_outlet *o, int64_t told)
{
    if (o->pause_us)
        log_info("traces arrive at %s again; %" PRId64 " spans were left out", o->url, told);
    o->pause_us = 0;
    o->left_out -= told;
    forget_batch(o);
}

/* False: nothing waits, or it is too early for more. */
static bool send_batch(struct trace_outlet *o)
{
    pthread_mutex_lock(&o->lock);
    const int64_t told = o->left_out;
    _cleanup_free_ char *text = batch_text(o);

    pthread_mutex_unlock(&o->lock);
    const struct host_trace_send_args args = {.url = o->url, .spans = text};
    struct error *e = hostd_trace_send(o->hostd, &args, NULL, NULL);

    pthread_mutex_lock(&o->lock);
    if (e)
        failed(o, e);
    else
        arrived(o, told);
    const bool more = !o->pause_us && o->queue.len;

    o->busy = more;
    pthread_mutex_unlock(&o->lock);
    return more;
}

static void send_all(void *arg)
{
    while (send_batch(arg))
        continue;
    trace_outlet_unref(arg);
}

/* Lock held. */
static void begin(struct trace_outlet *o)
{
    if (o->busy || (!o->queue.len && !o->batch.len) || mono_us() < o->next_us)
        return;
    atomic_fetch_add(&o->refs, 1);
    o->busy = workers_run(o->workers, send_all, o);
    if (!o->busy)
        atomic_fetch_sub(&o->refs, 1); /* not the last: the caller has one */
}

void trace_outlet_send(struct trace_outlet *o)
{
    pthread_mutex_lock(&o->lock);
    begin(o);
    pthread_mutex_unlock(&o->lock);
}

void trace_outlet_add(struct trace_outlet *o, const char *span, size_t n)
{
    pthread_mutex_lock(&o->lock);
    if (o->queue.len + n > TRACE_QUEUE_MAX) {
        o->left_out++;
    } else {
        str_add_mem(&o->queue, span, n);
        o->n_queue++;
    }
    if (o->queue.len > TRACE_QUEUE_MAX / 2)
        begin(o);
    pthread_mutex_unlock(&o->lock);
}
