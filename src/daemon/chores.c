/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/chores.h"

#include "api/blob/files.h"
#include "api/chores.h"
#include "api/sr/refresh.h"
#include "api/vm/host_events.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ticker.h"
#include "base/world.h"
#include "model/store.h"
#include "proto/client.h"
#include "task/engine.h"
#include "task/task_row.h"
#include "task/traces.h"

static struct error *collect_tasks(struct daemon *d)
{
    return tasks_collect(d->store);
}

static struct error *maintain_store(struct daemon *d)
{
    return store_maintain(d->store);
}

/* Events can be missed: what stopped while a plan held its VM, say. */
static struct error *compare_vms(struct daemon *d)
{
    return vm_compare(d);
}

static struct error *write_traces(struct daemon *d)
{
    return traces_write(d->traces);
}

static const struct chore {
    const char *name;
    int64_t every_us;
    struct error *(*run)(struct daemon *d);
    const char *sooner; /* of the environment of a test: see limit_of; or NULL */
} table[] = {
    {"maintain the store", 10 * SECOND_US, maintain_store, NULL},
    {"compare VMs with the host", 30 * SECOND_US, compare_vms, NULL},
    {"collect tasks", 5 * SECOND_US, collect_tasks, NULL},
    {"note callers", 5 * SECOND_US, api_note_callers, NULL},
    {"review sessions", 60 * SECOND_US, api_review_sessions, NULL},
    {"remove bytes of blobs that are gone", 10 * SECOND_US, blob_sweep, NULL},
    {"look at the ends of certificates", 10 * SECOND_US, api_certificates_expire, NULL},
    {"turn SSH off when its time is up", SECOND_US, api_ssh_expires, NULL},
    {"read host figures", 30 * SECOND_US, api_host_figures, NULL},
    {"write traces", SECOND_US, write_traces, NULL},
    {"run schedules", 30 * SECOND_US, api_run_schedules, NULL},
    {"look at storage", 30 * SECOND_US, sr_refresh_all, NULL},
    {"tell of refused logins", 3600 * SECOND_US, api_tell_refusals, "XENOLITH_REFUSALS_US"},
    {"heartbeat", 30 * SECOND_US, api_beat, "XENOLITH_HEARTBEAT_US"},
};

struct chores {
    struct daemon *daemon;
    struct ticker *ticker;
    int64_t next[ARRAY_SIZE(table)]; /* mono_us */
    size_t doubts;                   /* at the last look */
};

/* A plan that could not undo everything may have left a VM that is not what its row says, an event
 * that could not be written has. */
static bool rows_are_doubtful(struct chores *c)
{
    size_t before = c->doubts;

    c->doubts = engine_stats(c->daemon->engine).failed + atomic_load(&c->daemon->events_missed);
    return c->doubts != before;
}

static int64_t every_us(const struct chore *c)
{
    return c->sooner ? limit_of(c->sooner, c->every_us) : c->every_us;
}

static void run_due(void *ctx, struct ticker *t)
{
    struct chores *c = ctx;
    int64_t now = mono_us();
    bool doubtful = rows_are_doubtful(c);

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (c->next[i] > now && !(doubtful && table[i].run == compare_vms))
            continue;
        struct error *e = table[i].run(c->daemon);

        /* A conflict or a host that is away: the next round will do. */
        if (e && !hostd_is_away(e))
            log_and_free(LOG_DEBUG, e, "chore \"%s\"", table[i].name);
        else
            error_free(e);
        c->next[i] = now + every_us(&table[i]);
    }
}

struct error *chores_start(struct daemon *d, struct chores **ret)
{
    struct chores *c = xnew(struct chores);

    c->daemon = d;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        c->next[i] = mono_us() + every_us(&table[i]);
    struct error *e = ticker_start(SECOND_US, run_due, c, &c->ticker);

    if (e)
        free(c);
    else
        *ret = c;
    return e;
}

void chores_stop(struct chores *c)
{
    if (!c)
        return;
    ticker_stop(c->ticker);
    free(c);
}
