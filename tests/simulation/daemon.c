/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lives of xenolithd. */
#include "base/mem.h"
#include "daemon/parts.h"
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
    cleanup_close(&parts->lock_fd);
    link_daemon_killed();
    front_killed();
}

/* It ends itself as if it had been told to. */
int __wrap_pthread_kill(pthread_t thread, int sig)
{
    trace_text("ends itself");
    life.told = true;
    sched_wake_all(&life);
    return 0;
}

bool daemon_stop(void)
{
    trace_text("stop xenolithd");
    return life_end(&life);
}
