/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lives of xenolithd. */
#include "base/mem.h"
#include "daemon/parts.h"
#include "model/store.h"
#include "simulation/bodies.h"
#include "simulation/front.h"
#include "simulation/life.h"
#include "simulation/link.h"
#include "simulation/programs.h"

#include <pthread.h>

static struct life life;
static struct parts *parts; /* of the present life; a killed one's is left alone */
static struct options options = {.http = "off", .tls = "off", .login_delay_us = 1000000};

static struct error *start(void *ctx)
{
    return parts_start(ctx, &options, NULL);
}

static void stop(void *ctx)
{
    bodies_leave();
    parts_stop(ctx);
}

void daemon_start(const char *state_dir)
{
    options.state_dir = state_dir;
    parts = xnew(struct parts);
    life_begin(&life, "xenolithd", start, stop, parts);
}

struct daemon *daemon_ready(void)
{
    return daemon_lives() && life.ready ? &parts->d : NULL;
}

bool daemon_lives(void)
{
    return life_goes_on(&life);
}

int daemon_group(void)
{
    return life.group;
}

const char *daemon_failure(void)
{
    return life.failure;
}

void daemon_kill(void)
{
    if (!daemon_lives())
        return;
    bodies_killed();
    trace_text("kill xenolithd");
    sched_kill(life.group);
    sched_wake_all(&life); /* whoever waits for its end */
    cleanup_close(&parts->lock_fd);
    link_daemon_killed();
    front_killed();
}

static void *kill_it(void *arg)
{
    daemon_kill();
    return NULL;
}

/* It ends itself at once; this is one of its own fibers. */
static void on_lost_commit(const struct error *why)
{
    trace_text("ends itself");
    sched_spawn(GROUP_WORLD, "end", kill_it, NULL);
    while (true)
        sched_block(on_lost_commit, SCHED_NEVER, "its end");
}

typeof(store_on_lost_commit) __real_store_on_lost_commit, __wrap_store_on_lost_commit;

void __wrap_store_on_lost_commit(struct store *s, void (*lost)(const struct error *why))
{
    __real_store_on_lost_commit(s, on_lost_commit);
}

bool daemon_stop(void)
{
    trace_text("stop xenolithd");
    return life_end(&life);
}
